/** What the engine has of a work: it gets what changed since, before it colors. */

export class Feed {
  /** @param {Client} client of engine/client.js, whose drawing is that of the work */
  constructor(client, work) {
    Object.assign(this, { client, work, versions: { strokes: 0, mask: 0 }, reference: null, palette: null });
    this.referenceColors = [];
  }

  /** Give it the tiles that changed. */
  sendTiles() {
    const [strokes, mask] = [this.changedTiles("strokes"), this.changedTiles("mask")];
    if (strokes.length) this.client.setTiles(strokes);
    if (mask.length) this.client.setMaskTiles(mask);
  }

  changedTiles(name) {
    const layer = this.work.layers[name];
    const since = this.versions[name];
    this.versions[name] = layer.version;
    return layer.changedAfter(since).map((index) => ({ index, pixels: copyTile(layer.tiles.get(index)) }));
  }

  /** Give it the reference and the palette of the settings, if they are others; return whether one is. */
  async sendGuides({ reference, palette }) {
    const isOther = reference !== this.reference || palette !== this.palette;
    if (reference !== this.reference) {
      this.reference = reference;
      const file = this.work.files.get(reference);
      const facts = await this.client.setReference(file ? new Blob([file.bytes]) : null);
      this.referenceColors = facts?.colors ?? [];
    }
    if (palette !== this.palette) {
      this.palette = palette;
      await this.client.setPalette(palette.length ? palette : null);
    }
    return isOther;
  }
}

/** The engine's options for settings and the guides of a model; without what they need, for flats alone. */
export function optionsOf({ guide, gap, lines, invert, strength, reference, palette }, guides) {
  const lacks = (guide === "reference" && !reference) || (guide === "palette" && !palette.length);
  if (lacks || !guides.includes(guide)) return optionsOfFlats({ gap, invert });
  return { kind: guide, size: 0, gap, lines, invert, strength };
}

/** The engine's options for what the strokes fill, without the model. */
export function optionsOfFlats({ gap, invert }) {
  return { kind: "cue", size: 0, gap, lines: "keep", invert, strength: 0 };
}

/** A tile as RGBA; of a mask, white is where to color. */
function copyTile(tile) {
  if (!tile) return null;
  const isColors = tile instanceof Uint32Array;
  const pixels = isColors ? tile.slice() : Uint32Array.from(tile, (level) => (level ? 0xffffffff : 0));
  return new Uint8ClampedArray(pixels.buffer);
}
