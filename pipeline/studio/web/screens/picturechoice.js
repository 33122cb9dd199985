/** The choice of the picture to sketch: of a column by its key, or a file. */

import { request } from "../api.js";
import { segmented } from "../controls.js";
import { el, icon, notify, replace } from "../dom.js";
import { columnAddress, isPicture } from "../shards.js";

const STRIP = 12; // pictures to choose from
const CHUNK = 1 << 16; // bytes of an index to read at once

export class PictureChoice {
  constructor(screen, columns) {
    this.screen = screen;
    this.columns = columns.filter(hasPictures).sort((a, b) => rankColumn(a) - rankColumn(b));
    this.column = this.columns[0]?.path;
    this.image = el("img", { alt: "" });
    this.image.addEventListener("load", () => (this.image.hidden = false));
    this.image.addEventListener("error", () => (this.image.hidden = true)); // TIFF, for example
    this.name = el("p.picture-name.mono");
    this.shape = "square";
    this.shapes = segmented({
      name: "shape",
      label: "Shape",
      titles: { square: `Square of ${screen.side}, as in the dataset`, whole: "As it is" },
      chosen: this.shape,
      choose: (shape) => this.showFile(shape),
    });
    this.strip = el("div.choice-strip", { role: "group", "aria-label": "Pictures of the column" });
    this.key = el("input", {
      type: "search",
      placeholder: "Key",
      "aria-label": "Key of a picture",
      spellcheck: "false",
    });
    this.key.addEventListener(
      "change",
      () => this.key.value && this.choose(this.column, this.key.value.trim()),
    );
    const options = this.columns.map(({ path, samples }) =>
      el("option", { value: path }, `${path} (${samples})`),
    );
    this.select = el("select", { "aria-label": "Column" }, options);
    this.select.addEventListener("change", () => this.openColumn(this.select.value));
    this.picker = el("input", { type: "file", accept: "image/*", hidden: true });
    this.picker.addEventListener("change", () => this.picker.files[0] && this.takeFile(this.picker.files[0]));
    this.element = this.lay();
  }

  lay() {
    const open = el(
      "button",
      { type: "button", onclick: () => this.picker.click() },
      icon("open"),
      "Open a picture",
    );
    const shuffle = el("button", { type: "button", onclick: () => this.fillStrip(true) }, "Others");
    const choices = this.columns.length
      ? el("div.from", {}, el("div.row", {}, this.select, this.key, shuffle, open, this.shapes), this.strip)
      : el(
          "div.from",
          {},
          el("p.muted", {}, "No dataset is here: open, drop or paste a picture."),
          el("div.row", {}, open, this.shapes),
        );
    const chosen = el("div.chosen-picture", {}, el("div.thumb", {}, this.image), this.name);
    this.shapes.hidden = true;
    return el("section.panel.picture-choice", { "aria-label": "The picture" }, chosen, choices, this.picker);
  }

  async begin() {
    if (!this.column) return;
    const keys = await this.fillStrip(false);
    if (!this.screen.picture && keys.length) this.choose(this.column, keys[0]);
  }

  async openColumn(path) {
    this.column = path;
    const keys = await this.fillStrip(false);
    if (keys.length) this.choose(path, keys[0]);
  }

  /** Offer some pictures of the column: the first, or those from a random place on. */
  async fillStrip(random) {
    try {
      const keys = await readKeys(this.column, random);
      const member = colorMember(this.columns.find(({ path }) => path === this.column));
      replace(
        this.strip,
        keys.slice(0, STRIP).map((key) => {
          const image = el("img", { alt: "", src: thumb(this.column, key, member, 96), loading: "lazy" });
          return el(
            "button",
            {
              type: "button",
              title: key,
              "aria-label": key,
              data: { key },
              onclick: () => this.choose(this.column, key),
            },
            image,
          );
        }),
      );
      this.mark();
      return keys;
    } catch (error) {
      notify(error.message, { key: "sketches" });
      return [];
    }
  }

  choose(column, key) {
    if (!this.columns.some(({ path }) => path === column)) {
      return notify(`The dataset has no pictures in a column ${column}.`, { key: "sketches" });
    }
    this.column = this.select.value = column;
    const member = colorMember(this.columns.find(({ path }) => path === column));
    this.present(thumb(column, key, member, 512), key, false);
    this.screen.show({ column, key });
    this.mark();
  }

  /** Show a file, if the server can draw it; else say why not, and stay with the picture before. */
  async takeFile(file) {
    this.screen.settle(1);
    try {
      await this.screen.draw(this.screen.defaults, {
        file,
        key: keyOf(file),
        square: this.shape === "square",
      });
    } catch (error) {
      return notify(`${file.name}: ${error.message}`, { key: "sketches" });
    } finally {
      this.screen.settle(-1);
    }
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.file = file;
    this.showFile();
    this.mark();
  }

  showFile(shape = this.shape) {
    this.shape = shape;
    this.present(this.address, this.file.name, true);
    this.element.dataset.shape = shape;
    this.screen.show({ file: this.file, key: keyOf(this.file), square: shape === "square" });
  }

  present(source, name, isFile) {
    this.image.src = this.source = source;
    this.name.textContent = name;
    this.shapes.hidden = !isFile;
    delete this.element.dataset.shape;
    if (!isFile) this.file = null;
  }

  mark() {
    const { picture } = this.screen;
    for (const button of this.strip.children) {
      button.setAttribute(
        "aria-pressed",
        Boolean(picture && !picture.file && button.dataset.key === picture.key),
      );
    }
  }
}

/** Return the key that `prep sketchify` gives to a file. */
function keyOf(file) {
  return file.name.replace(/(?<=.)\.[^.]*$/, "");
}

/** Prefer what sketches are drawn from: color pictures, then those that are packed. */
function rankColumn({ path, members }) {
  if (/(^|\/)color$/.test(path)) return 0;
  return members["color.png"] ? 1 : 2;
}

function colorMember(column) {
  return column?.members["color.png"] ? "color.png" : "";
}

function thumb(column, key, member, side) {
  return `api/thumb?${new URLSearchParams({ column, key, member, side })}`;
}

/** Read keys of a column from a part of its index: from the first line, or from some line in its midst. */
async function readKeys(column, random) {
  const read = (start) =>
    request(`${columnAddress(column)}/index.tsv`, {
      headers: { Range: `bytes=${start}-${start + CHUNK - 1}` },
    });
  let answer = await read(0);
  const size = Number(answer.headers.get("Content-Range")?.split("/")[1] ?? 0);
  const start = random && size > CHUNK ? Math.floor(Math.random() * (size - CHUNK)) : 0;
  if (start) answer = await read(start);
  const lines = (await answer.text()).split("\n").slice(1, -1); // the first is the heading, or broken
  const keys = lines.map((line) => line.split("\t")[0]).filter(Boolean);
  const from = random ? Math.floor(Math.random() * Math.max(1, keys.length - STRIP + 1)) : 0;
  return keys.slice(from);
}

function hasPictures({ members }) {
  return Object.keys(members ?? {}).some(isPicture);
}
