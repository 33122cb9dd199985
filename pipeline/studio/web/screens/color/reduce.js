/** Worker: a bitmap and copies of it, each half as large as the one before. */

onmessage = async ({ data: { id, bitmap, least } }) => {
  const levels = [bitmap];
  for (let last = bitmap; Math.max(last.width, last.height) > least; levels.push(last)) {
    const [resizeWidth, resizeHeight] = [last.width, last.height].map((side) => Math.ceil(side / 2));
    last = await createImageBitmap(last, { resizeWidth, resizeHeight, resizeQuality: "medium" });
  }
  postMessage({ id, levels }, levels);
};
