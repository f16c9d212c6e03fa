// The pixels of a picture and of its maps, from what panes.py sends.
// The rules of colour and hatching are those of medaudit/figures/overlay.py, held against it by a test.

const UNSEEN_BRIGHTNESS = 0.4, HATCH_GREY = 150, HATCH_OPACITY = 0.55, HATCH_PER_SIDE = 48;

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const short = (value) => String(Number(value.toPrecision(3))).replace("-", "\u2212");

class Layers {
  paint() {
    const { height, width } = this.image;
    this.picture = this.greys();
    const make = (which) => {
      const canvas = new OffscreenCanvas(width, height);
      const rgba = new ImageData(width, height);
      rgba.data.set(this.picture);
      if (which !== null) this.lay(rgba.data, which);
      canvas.getContext("2d").putImageData(rgba, 0, 0);
      return canvas;
    };
    this.layers = [make(this.mapOn(0)), this.position === null ? null : make(this.position)];
    this.draw();
  }

  // Place of the map on the left (0) or the right pane (1); null where the bare picture is shown.
  mapOn(index) {
    if (this.position === null || index) return this.position;
    const { beside } = this.look;
    if (beside === "picture") return null;
    return beside === "second" ? this.image.maps[this.position].second : Number(beside);
  }

  greys() {
    const { image, shown, values } = this;
    const count = image.height * image.width, rgba = new Uint8ClampedArray(4 * count).fill(255);
    if (this.window && values) {
      const [center, width] = this.window, { slope, intercept, inverted } = image.values;
      const table = new Map();
      for (let i = 0; i < count; i++) {
        let grey = table.get(values[i]);
        if (grey === undefined) {
          const level = clamp((values[i] * slope + intercept - (center - width / 2)) / width, 0, 1);
          table.set(values[i], (grey = Math.round(255 * (inverted ? 1 - level : level))));
        }
        rgba[4 * i] = rgba[4 * i + 1] = rgba[4 * i + 2] = grey;
      }
      return rgba;
    }
    const step = image.channels === 3 ? 1 : 0;
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < 3; c++) rgba[4 * i + c] = shown[i * image.channels + c * step];
    }
    return rgba;
  }

  field(position) {
    if (!this.fields.has(position)) {
      const { height, width, axes, maps } = this.image, map = maps[position], [rows, columns] = axes[map.axes];
      const values = new Float32Array(height * width).fill(NaN), tokens = map.tokens, across = map.columns;
      const last = tokens.length / across - 1;
      for (let y = 0; y < height; y++) {
        if (rows.lower[y] < 0) continue;
        const top = rows.lower[y] * across, below = Math.min(rows.lower[y] + 1, last) * across, down = rows.share[y];
        for (let x = 0; x < width; x++) {
          const left = columns.lower[x];
          if (left < 0) continue;
          const right = Math.min(left + 1, across - 1), over = columns.share[x];
          values[y * width + x] = (1 - down) * ((1 - over) * tokens[top + left] + over * tokens[top + right])
            + down * ((1 - over) * tokens[below + left] + over * tokens[below + right]);
        }
      }
      this.fields.set(position, values);
    }
    return this.fields.get(position);
  }

  lay(rgba, position) {
    const { height, width, colours, maps } = this.image, values = this.field(position);
    const most = maps[position][this.look.scale], table = colours[this.look.colours];
    // A second audit's map is cut at the same share of its own scale, which may have another unit.
    const threshold = (this.look.threshold * maps[position].common) / maps[this.position].common;
    const opacity = this.look.opacity / 100;
    const period = Math.max(4, Math.round(Math.max(height, width) / HATCH_PER_SIDE));
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const value = values[i];
        if (Number.isNaN(value)) {
          const phase = (y + x) % period, distance = Math.min(phase, period - phase);
          const line = clamp(period / 8 + 0.5 - distance, 0, 1) * HATCH_OPACITY;
          for (let c = 0; c < 3; c++) {
            rgba[4 * i + c] = Math.round(rgba[4 * i + c] * UNSEEN_BRIGHTNESS * (1 - line) + HATCH_GREY * line);
          }
          continue;
        }
        if (value < threshold) continue;
        const edge = threshold > 0 && (values[i - 1] < threshold || values[i + 1] < threshold
          || values[i - width] < threshold || values[i + width] < threshold);
        const share = opacity * clamp((2 * value) / most, 0, 1);
        const entry = 3 * Math.round(clamp(value / most, 0, 1) * 255);
        for (let c = 0; c < 3; c++) {
          const below = rgba[4 * i + c];
          rgba[4 * i + c] = edge ? 255 : Math.round(below + (table[entry + c] - below) * share);
        }
      }
    }
  }
}
