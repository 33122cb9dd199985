/** A drawing of ours to try: a teapot, a cup and a window, drawn by code. */

const [WIDTH, HEIGHT] = [1200, 900];

/** Draw it in black on white. @returns {Promise<Blob>} PNG */
export function drawSample() {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  Object.assign(context, { strokeStyle: "#16171b", fillStyle: "#fff", lineCap: "round", lineJoin: "round" });
  for (const [width, path, filled] of PATHS) {
    const shape = new Path2D(path);
    context.lineWidth = width;
    if (filled) context.fill(shape);
    context.stroke(shape);
  }
  return canvas.convertToBlob({ type: "image/png" });
}

// line width, path, and whether it hides what lies behind it; from the back to the front
const PATHS = [
  [4, "M120 90H720V560H120Z"], // window
  [3, "M148 118H404V532H148Z M436 118H692V532H436Z"],
  [3, "M148 430C210 392 262 404 300 438C336 396 378 392 404 408V532H148Z", true], // hills
  [3, "M436 402C492 372 560 380 600 428C634 402 664 398 692 408V532H436Z", true],
  [3, "M590 220m-46 0a46 46 0 1 0 92 0a46 46 0 1 0-92 0", true], // sun
  [3, "M196 232c-2-30 42-40 54-14c24-12 52 8 44 32c26 4 24 38-4 38H202c-36 0-40-48-6-56z", true], // cloud
  [5, "M720 60C742 200 726 380 800 560H938C880 380 906 200 900 60Z", true], // curtain
  [3, "M770 62c12 170 4 330 56 496M834 62c4 180 2 330 46 496"],
  [5, "M700 44H930", false],
  [5, "M-20 640C200 622 420 630 620 634S1010 626 1220 640V920H-20Z", true], // table
  [3, "M40 712C320 694 760 702 1160 716"],
  [6, "M352 566C288 556 250 580 262 628C274 676 330 690 378 676L366 644C334 654 304 648 298 620"
    + "C294 600 314 592 346 598Z", true], // handle
  [6, "M640 612C704 604 716 560 742 520C752 504 776 508 788 522L776 540"
    + "C748 590 742 664 660 690Z", true], // spout
  [6, "M352 560C330 620 336 706 396 752C452 784 566 784 620 752C678 706 682 620 660 560"
    + "C570 528 442 528 352 560Z", true],
  [4, "M338 640C430 672 584 672 674 640M344 690C436 722 580 722 668 690"], // band
  [6, "M376 552C386 500 446 474 506 474S626 500 636 552C556 574 456 574 376 552Z", true], // lid
  [6, "M506 474m-26-20a26 24 0 1 0 52 0a26 24 0 1 0-52 0", true],
  [4, "M448 764c6 18 18 26 58 26s52-8 58-26"],
  [6, "M980 690C1040 676 1080 690 1076 728C1072 770 1020 784 976 776L980 752"
    + "C1018 756 1044 746 1046 724C1046 706 1018 704 982 714Z", true],
  [6, "M820 664C822 742 846 806 902 812C960 806 984 742 986 664C930 646 876 646 820 664Z", true], // cup
  [5, "M820 664C870 684 936 684 986 664C936 646 870 646 820 664Z", true],
  [4, "M858 728c10-12 24-8 24 8c0-16 18-20 24-6c6 16-14 28-24 38c-10-10-32-24-24-40z", true], // heart
  [5, "M772 800C790 838 1016 838 1034 800C1002 790 990 794 974 790C948 820 858 820 832 790"
    + "C812 794 800 790 772 800Z", true], // saucer
  [4, "M872 618c-16-24 16-34 2-62M912 612c-14-22 16-34 4-60M792 496c-12-18 14-26 4-48"], // steam
  [5, "M112 786m-74 0a74 70 0 1 0 148 0a74 70 0 1 0-148 0", true], // apple
  [4, "M112 722c-2-22 6-36 20-46M124 706c14-22 40-22 54-10c-12 18-38 22-54 10z", true],
  [5, "M216 802m-66 0a66 64 0 1 0 132 0a66 64 0 1 0-132 0", true],
  [4, "M216 744c0-18-6-30-16-38"],
];
