/** A dialog that shows what an edit changes in params.yaml, and writes it once the person agrees. */

import { getJson, sendJson } from "./api.js";
import { el, iconButton, notify, replace, solve } from "./dom.js";

const CHANGED =
  "params.yaml was changed since this page read it. This is the difference from the file as it is now.";
const KINDS = { "+": "added", "-": "removed", "@": "place" };

/**
 * Show how values of a section would change params.yaml, and write them if the person wants it.
 *
 * @param {string} section such as "clean"
 * @param {object} values by parameter; for the section sketches, the parameters of a new entry by its name
 * @param {string} sha256 of the file as this page knows it, from GET api/params
 * @returns {Promise<string|null>} the SHA-256 of the new file; null if nothing was written
 */
export async function writeParams(section, values, sha256) {
  try {
    const seen = await preview({ section, values, sha256 });
    solve("params");
    return await askToWrite(seen);
  } catch (error) {
    notify(error.message, { key: "params" });
    return null;
  }
}

/** See what an edit changes; if the file is another than the page knows, in the file as it is now. */
async function preview(edit) {
  try {
    return { edit, diff: await differences(edit), note: "" };
  } catch (error) {
    if (error.status !== 409) throw error;
    const { sha256 } = await getJson("api/params");
    const again = { ...edit, sha256 };
    return { edit: again, diff: await differences(again), note: CHANGED };
  }
}

async function differences(edit) {
  return (await sendJson("PUT", "api/params", { ...edit, dry: true })).diff;
}

function askToWrite({ edit, diff, note }) {
  return new Promise((resolve) => {
    let written = null;
    const fault = el("p.fault", { role: "alert", hidden: true });
    const write = el("button.primary", { type: "button", onclick: save }, "Write to params.yaml");
    const close = () => dialog.close();
    const dialog = el(
      "dialog.params-dialog",
      { "aria-label": "Changes of params.yaml", data: { state: "ready" }, onclose: end },
      el(
        "header",
        {},
        el("h2", {}, "Changes of params.yaml"),
        iconButton("close", "Close", { onclick: close }),
      ),
      el("div.body", {}, note && el("p", {}, note), showDifference(diff), fault),
      el("footer", {}, el("button", { type: "button", onclick: close }, "Cancel"), write),
    );

    async function save() {
      write.disabled = true;
      dialog.dataset.state = "busy";
      try {
        written = (await sendJson("PUT", "api/params", { ...edit, dry: false })).sha256;
        dialog.close();
      } catch (error) {
        replace(fault, error.message).hidden = false;
        dialog.dataset.state = "failed";
        write.disabled = error.status === 409; // the file changed: this is not what would be written
      }
    }

    function end() {
      dialog.remove();
      resolve(written);
    }

    document.body.append(dialog);
    dialog.showModal();
    write.focus();
  });
}

/** Draw the lines of a unified difference; a sign before each line tells kinds apart without their colors. */
export function showDifference(lines) {
  if (!lines.length) return el("p.muted", {}, "Nothing changes: params.yaml has these values.");
  const shown = lines
    .slice(2)
    .map((line) => el("span", { data: { kind: KINDS[line[0]] ?? "same" } }, `${line}\n`));
  return el("pre.difference", { tabindex: "0", "aria-label": "What changes" }, shown);
}
