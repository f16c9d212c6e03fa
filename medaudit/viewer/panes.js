// Two linked panes of one image. Everything is drawn here from what panes.py sends; nothing is fetched.
// layers.js, which stands before this, makes the pixels.

const CLOSE_ENOUGH = 8; // pixels of the screen from the first corner that close an outline
const KEPT = "medaudit look"; // in this tab alone; holds no word of any study
const FIRST_LOOK = { view: "both", opacity: 55, colours: "plasma", scale: "common" };

const benches = new WeakMap();

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let bench = benches.get(parentElement);
  if (!bench) benches.set(parentElement, (bench = new Bench(parentElement)));
  bench.send = (drawn) => setTriggerValue("drawn", drawn);
  bench.show(data);
  return () => bench.rest();
}

class Bench extends Layers {
  constructor(root) {
    super();
    this.root = root;
    this.named = Object.fromEntries([...root.querySelectorAll("[name]")].map((one) => [one.name, one]));
    this.canvases = [...root.querySelectorAll("figure canvas")];
    this.look = { ...FIRST_LOOK, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
    this.observer = new ResizeObserver(() => this.draw());
    this.listen();
  }

  rest() {
    this.observer.disconnect();
  }

  // ---- What is shown -------------------------------------------------------------------------------------------

  async show(data) {
    this.asked = data.key;
    this.observer.observe(this.root.querySelector(".panes"));
    if (data.key !== this.key) {
      const [shown, values] = await Promise.all([
        unpack(data.image.shown),
        data.image.values ? unpack(data.image.values.packed) : null,
      ]);
      if (this.asked !== data.key) return; // the reader went on before this was unpacked
      Object.assign(this, { key: data.key, image: data.image, window: null, zoom: 1, ruler: null, outline: null });
      this.shown = new Uint8Array(shown);
      this.values = values && new Uint16Array(values);
      this.center = [data.image.width / 2, data.image.height / 2];
      this.fields = new Map();
      this.look.threshold = 0;
      this.look.beside = data.image.maps.some((map) => map.from) ? "second" : "picture";
      this.offer();
    }
    Object.assign(this, { position: data.position, regions: data.regions, writes: data.writes });
    this.controls();
    this.paint();
  }

  offer() {
    const { image, named } = this;
    const own = image.maps.flatMap((map, index) => (map.from ? [] : [[String(index), map.prompt]]));
    const second = own.length < image.maps.length ? [["second", "The same prompt, second audit"]] : [];
    this.fill(named.beside, [["picture", "Picture"], ...second, ...own]);
    this.fill(named.colours, Object.keys(image.colours).map((name) => [name, name]));
    const window = image.values;
    for (const one of this.root.querySelectorAll(".of-window")) one.hidden = !window;
    if (!window) return;
    this.fill(named.preset, [["", "as displayed to the model"], ["own", "own"], ...window.presets.map(
      ([name], index) => [String(index), name])]);
    Object.assign(named.center, { min: window.lowest, max: window.highest, step: window.step });
    Object.assign(named.width, { min: window.step, max: window.widest, step: window.step });
  }

  fill(select, options) {
    select.replaceChildren(...options.map(([value, text]) => Object.assign(document.createElement("option"),
      { value, textContent: text })));
  }

  controls() {
    const { named, look } = this;
    const mapped = this.position !== null;
    for (const one of this.root.querySelectorAll(".of-map")) one.hidden = !mapped;
    this.root.querySelector(".of-view").hidden = !mapped;
    for (const name of ["view", "beside", "opacity", "colours", "scale"]) named[name].value = look[name];
    if (mapped) {
      const map = this.map;
      Object.assign(named.threshold, { max: map.common, step: map.common / 100 });
      named.threshold.value = look.threshold;
      this.tell(named.threshold, `${short(look.threshold)} ${map.unit}`);
    }
    this.tell(named.opacity, `${look.opacity} %`);
    if (this.image.values) {
      const [center, width] = this.window ?? this.image.values.window;
      Object.assign(named.center, { value: center });
      Object.assign(named.width, { value: width });
      this.tell(named.center, short(center));
      this.tell(named.width, short(width));
      if (!this.window) named.preset.value = "";
    }
    for (const option of named.tool.options) {
      option.disabled = (["box", "outline"].includes(option.value) && !this.writes)
        || (option.value === "window" && !this.image.values);
    }
    if (named.tool.selectedOptions[0]?.disabled) named.tool.value = "move";
    named.remove.hidden = !this.writes;
    named.remove.disabled = !this.regions.length;
  }

  tell(input, text) {
    input.nextElementSibling.textContent = text;
    input.setAttribute("aria-valuetext", text);
  }

  get map() {
    return this.image.maps[this.position];
  }

  // ---- Panes ---------------------------------------------------------------------------------------------------

  draw() {
    if (!this.layers || this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      const view = this.position === null ? "picture" : this.look.view;
      const shownHere = [view !== "map", view !== "picture"];
      this.root.querySelector(".panes").classList.toggle("one", view !== "both");
      this.canvases.forEach((canvas, index) => {
        canvas.parentElement.hidden = !shownHere[index];
        if (shownHere[index]) this.pane(canvas, index);
      });
      this.legend(view);
      this.root.host?.setAttribute("data-drawn", this.key);
    });
  }

  pane(canvas, index) {
    const position = this.mapOn(index), map = this.image.maps[position];
    const what = !map ? "Picture" : `${map.from ? "Second audit" : "Map"}: ${map.prompt}`;
    canvas.previousElementSibling.textContent = what;
    canvas.previousElementSibling.title = what;
    canvas.setAttribute("aria-label", `${what}. ${this.image.sides}`);
    canvas.dataset.measured = this.ruler ? this.length() : "";
    const ratio = devicePixelRatio, wide = canvas.clientWidth, { height, width } = this.image;
    const high = Math.round(clamp((wide * height) / width, 220, Math.max(260, 0.66 * innerHeight)));
    canvas.style.height = `${high}px`;
    Object.assign(canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
    const scale = this.scale(canvas), context = canvas.getContext("2d");
    const x = Math.round(canvas.width / 2 - this.center[0] * scale * ratio);
    const y = Math.round(canvas.height / 2 - this.center[1] * scale * ratio);
    context.imageSmoothingEnabled = scale * ratio < 3 && !Number.isInteger(scale * ratio);
    context.drawImage(this.layers[index], x, y, width * scale * ratio, height * scale * ratio);
    context.setTransform(ratio, 0, 0, ratio, x, y);
    this.marks(context, scale, index);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.sides(context, wide, high);
  }

  scale(canvas) {
    const { height, width } = this.image;
    return Math.min(canvas.clientWidth / width, canvas.clientHeight / height) * this.zoom;
  }

  toImage([row, column]) {
    const { height, width, stored } = this.image;
    return [((column + 0.5) * width) / stored[1], ((row + 0.5) * height) / stored[0]];
  }

  toStored([x, y]) {
    const { height, width, stored } = this.image;
    return [(y * stored[0]) / height - 0.5, (x * stored[1]) / width - 0.5];
  }

  marks(context, scale, index) {
    const accent = getComputedStyle(this.canvases[0]).getPropertyValue("--st-primary-color") || "#58b7c3";
    const path = (points, { colour = accent, dash = [], closed = true, line = 2 } = {}) => {
      context.beginPath();
      points.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](x * scale, y * scale));
      if (closed) context.closePath();
      context.setLineDash(dash);
      Object.assign(context, { strokeStyle: colour, lineWidth: line });
      context.stroke();
    };
    if (this.image.seen && index === 0 && !this.image.maps[this.mapOn(0)]?.from) {
      const [top, bottom, left, right] = this.image.seen;
      path([[top, left], [top, right], [bottom, right], [bottom, left]].map((point) => this.toImage(point)),
        { colour: "#ffffffd8", dash: [6, 4], line: 1 });
    }
    for (const region of this.regions) path(region.map((point) => this.toImage(point)));
    if (this.outline) path(this.outline, { closed: false, dash: [3, 3] });
    if (this.ruler) {
      path(this.ruler, { colour: "#ffe27a", closed: false, line: 1.5 });
      const [x, y] = this.ruler[1];
      this.write(context, this.length(), x * scale + 6, y * scale - 6, 14, "start", "#ffe27a");
    }
  }

  write(context, text, x, y, size, align, colour = "#fff") {
    Object.assign(context, { font: `600 ${size}px system-ui, sans-serif`, textAlign: align, textBaseline: "middle",
      lineWidth: size / 5, lineJoin: "round", strokeStyle: "#000b", fillStyle: colour });
    context.setLineDash([]);
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }

  sides(context, wide, high) {
    const [top, right, bottom, left] = this.image.letters;
    this.write(context, top, wide / 2, 14, 16, "center");
    this.write(context, right, wide - 8, high / 2, 16, "right");
    this.write(context, bottom, wide / 2, high - 14, 16, "center");
    this.write(context, left, 8, high / 2, 16, "left");
  }

  length() {
    const [from, to] = this.ruler.map((point) => this.toStored(point)), spacing = this.image.spacing;
    const [down, across] = [to[0] - from[0], to[1] - from[1]];
    if (!spacing) return `${Math.hypot(down, across).toFixed(1)} pixels (no spacing in the header)`;
    return `${Math.hypot(down * spacing[0], across * spacing[1]).toFixed(1)} ${this.image.spacingSays}`;
  }

  legend(view) {
    const scale = this.root.querySelector(".scale");
    scale.hidden = view === "picture";
    if (scale.hidden) return;
    const map = this.map, most = map[this.look.scale], table = this.image.colours[this.look.colours];
    const ramp = new ImageData(256, 1);
    for (let i = 0; i < 256; i++) ramp.data.set([...table.slice(3 * i, 3 * i + 3), 255], 4 * i);
    scale.querySelector("canvas").getContext("2d").putImageData(ramp, 0, 0);
    const whose = this.look.scale === "common" ? ", common to all prompts of this image" : ", for this prompt alone";
    const unseen = this.image.seen ? " Hatched: cropped away before the model saw the picture." : "";
    const left = view === "both" ? this.image.maps[this.mapOn(0)] : null;
    const other = left?.from ? ` At the left, of the second audit: 0 to ${short(left[this.look.scale])} ${left.unit}.` : "";
    scale.querySelector("p").textContent = `0 to ${short(most)} ${map.unit}${whose}.${other}${unseen}`;
  }

  // ---- Hands ---------------------------------------------------------------------------------------------------

  listen() {
    const { named } = this;
    for (const name of ["view", "beside", "opacity", "threshold", "colours", "scale"]) {
      named[name].addEventListener("input", () => {
        const value = named[name].value;
        this.keep({ [name]: named[name].type === "range" ? Number(value) : value });
      });
    }
    const own = () => this.windowed(Number(named.center.value), Number(named.width.value));
    named.center.addEventListener("input", own);
    named.width.addEventListener("input", own);
    named.preset.addEventListener("input", () => {
      const preset = named.preset.value;
      if (preset === "") this.windowed(null);
      else if (preset === "own") this.windowed(...(this.window ?? this.image.values.window));
      else this.windowed(...this.image.values.presets[Number(preset)][1], preset);
    });
    named.tool.addEventListener("input", () => this.change({ outline: null, ruler: null }));
    named.fit.addEventListener("click", () => this.fit());
    named.whole.addEventListener("click", () => {
      const canvas = this.canvases.find((one) => !one.parentElement.hidden);
      this.change({ zoom: this.zoom / (this.scale(canvas) * devicePixelRatio) });
    });
    named.remove.addEventListener("click", () => this.redrawn(this.regions.slice(0, -1)));
    for (const canvas of this.canvases) {
      canvas.addEventListener("wheel", (event) => this.wheel(canvas, event), { passive: false });
      canvas.addEventListener("pointerdown", (event) => this.press(canvas, event));
      canvas.addEventListener("pointermove", (event) => this.hover(canvas, event));
      canvas.addEventListener("dblclick", () => (this.outline ? this.close() : this.fit()));
      canvas.addEventListener("keydown", (event) => this.key_(event));
    }
  }

  keep(change) {
    Object.assign(this.look, change);
    const { view, opacity, colours, scale } = this.look;
    sessionStorage.setItem(KEPT, JSON.stringify({ view, opacity, colours, scale }));
    this.controls();
    this.paint();
  }

  change(state) {
    Object.assign(this, state);
    this.draw();
  }

  fit() {
    this.change({ zoom: 1, center: [this.image.width / 2, this.image.height / 2] });
  }

  windowed(center, width, preset = "own") {
    this.window = center === null ? null : [center, Math.max(width, this.image.values.step)];
    if (this.window) this.named.preset.value = preset;
    this.controls();
    this.paint();
  }

  at(canvas, event) {
    const box = canvas.getBoundingClientRect(), scale = this.scale(canvas);
    return [this.center[0] + (event.clientX - box.left - canvas.clientWidth / 2) / scale,
      this.center[1] + (event.clientY - box.top - canvas.clientHeight / 2) / scale];
  }

  wheel(canvas, event) {
    event.preventDefault();
    const before = this.at(canvas, event);
    this.zoom = clamp(this.zoom * Math.exp(-event.deltaY / 400), 0.5, 40);
    const after = this.at(canvas, event);
    this.change({ center: this.center.map((one, axis) => one + before[axis] - after[axis]) });
  }

  press(canvas, event) {
    if (event.button !== 0) return;
    const tool = this.named.tool.value, from = this.at(canvas, event);
    if (tool === "outline") return this.corner(canvas, from);
    canvas.setPointerCapture(event.pointerId);
    const state = { center: this.center, window: this.window ?? this.image.values?.window };
    const start = [event.clientX, event.clientY], scale = this.scale(canvas);
    const move = (now) => {
      const by = [now.clientX - start[0], now.clientY - start[1]];
      if (tool === "move") this.change({ center: state.center.map((one, axis) => one - by[axis] / scale) });
      if (tool === "window") {
        const step = this.image.values.widest / 500;
        this.windowed(state.window[0] + by[1] * step, state.window[1] + by[0] * step);
      }
      if (tool === "measure") this.change({ ruler: [from, this.at(canvas, now)] });
      if (tool === "box") {
        const to = this.at(canvas, now);
        this.change({ outline: [from, [to[0], from[1]], to, [from[0], to[1]], from] });
      }
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("lostpointercapture", () => {
      canvas.removeEventListener("pointermove", move);
      if (tool === "box" && this.outline) {
        this.outline.pop();
        this.close();
      }
    }, { once: true });
  }

  corner(canvas, point) {
    const first = this.outline?.[0], scale = this.scale(canvas);
    if (first && Math.hypot(first[0] - point[0], first[1] - point[1]) * scale < CLOSE_ENOUGH) return this.close();
    this.change({ outline: [...(this.outline ?? []), point] });
  }

  close() {
    const { height, width } = this.image;
    const inside = this.outline.map(([x, y]) => [clamp(x, 0, width), clamp(y, 0, height)]);
    // A double click sets its last corner twice.
    const corners = inside.filter((one, at) => !at || Math.hypot(one[0] - inside[at - 1][0], one[1] - inside[at - 1][1]) > 0.5);
    this.outline = null;
    if (corners.length < 3) return this.draw();
    this.redrawn([...this.regions, corners.map((point) => this.toStored(point).map((one) => Number(one.toFixed(2))))]);
  }

  redrawn(regions) {
    this.regions = regions;
    this.controls();
    this.draw();
    this.send({ image: this.image.image, regions });
  }

  key_(event) {
    const step = 30 / this.scale(event.target), [x, y] = this.center;
    const moves = { ArrowLeft: [x - step, y], ArrowRight: [x + step, y], ArrowUp: [x, y - step], ArrowDown: [x, y + step] };
    if (event.key in moves) this.change({ center: moves[event.key] });
    else if (event.key === "+") this.change({ zoom: clamp(this.zoom * 1.25, 0.5, 40) });
    else if (event.key === "-") this.change({ zoom: clamp(this.zoom / 1.25, 0.5, 40) });
    else if (event.key === "0") this.fit();
    else if (event.key === "Enter" && this.outline) this.close();
    else if (event.key === "Escape") this.change({ outline: null, ruler: null });
    else return;
    event.preventDefault();
  }

  hover(canvas, event) {
    const point = this.at(canvas, event), [x, y] = point.map(Math.floor), { height, width } = this.image;
    const readout = this.root.querySelector(".readout");
    if (x < 0 || y < 0 || x >= width || y >= height) return (readout.textContent = "");
    const [row, column] = this.toStored(point).map(Math.round), place = y * width + x;
    const said = [`row ${row}, column ${column}`];
    if (this.values) said.push(`value ${short(this.values[place] * this.image.values.slope + this.image.values.intercept)}`);
    const position = this.mapOn(this.canvases.indexOf(canvas)) ?? this.position;
    if (position !== null) {
      const value = this.field(position)[place];
      said.push(Number.isNaN(value) ? "not seen by the model" : `${short(value)} ${this.image.maps[position].unit}`);
    }
    return (readout.textContent = said.join(" \u00b7 "));
  }
}
