/** Worker: a bitmap and copies of it, each half as large as the one before. */

onmessage = async ({ data: { id, bitmap, least } }) => {
  const levels = [bitmap];
  for (let last = bitmap; Math.max(last.width, last.height) > least; levels.push(last)) {
    const [width, height] = [last.width, last.height].map((side) => Math.max(1, Math.ceil(side / 2)));
    last = await createImageBitmap(last, { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" });
  }
  postMessage({ id, levels }, levels);
};
