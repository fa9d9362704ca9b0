// The map: every recording a point; drag and wheel move it, a click plays, a lasso picks, arrows walk.
import {polygonContains} from "d3-polygon";
import {quadtree} from "d3-quadtree";
import {select} from "d3-selection";
import {zoom, zoomIdentity} from "d3-zoom";
import {coding, faint} from "./colours.js";
import {make} from "./dom.js";
import {hoverCard} from "./hover.js";
import {drawOverlay} from "./overlay.js";
import {Splat, packed} from "./splat.js";

const EDGE = 28,
  REACH = 14,
  STILL = 140; // pixels, pixels, milliseconds

export class MapView {
  constructor(store, pictures, marks) {
    Object.assign(this, {store, marks, transform: zoomIdentity, hovered: null, lasso: null, moving: false});
    [this.x, this.y] = store.data.at.map(values => Float32Array.from(values, value => value / 10000));
    this.points = make("canvas");
    this.overlay = make("canvas");
    this.box = make(
      "div.map",
      {
        tabindex: 0,
        role: "application",
        "aria-label": "Map of the recordings",
        "aria-description": "Arrow keys walk to the next recording in that direction, Enter plays it.",
      },
      this.points,
      this.overlay,
    );
    this.card = hoverCard(store, pictures);
    this.box.append(this.card.element);
    this.zoom = zoom()
      .scaleExtent([1, 80])
      .filter(event => !this.drawing && !event.shiftKey && !event.button)
      .on("zoom", ({transform}) => {
        this.transform = transform;
        this.card.hide();
        this.move();
      });
    select(this.box).call(this.zoom).on("dblclick.zoom", null);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.box);
  }

  listen() {
    const {store, box} = this;
    store.on("colour grouping theme marks", () => this.recolour());
    store.on("filter", () => {
      this.tree = null;
      this.draw();
    });
    store.on("pick", () => this.draw());
    store.on("choose", () => {
      this.intoView(store.current);
      this.draw();
    });
    box.addEventListener("pointermove", event => this.pointed(event));
    box.addEventListener("pointerleave", () => this.hover(null));
    box.addEventListener("click", event => {
      const row = this.nearest(...this.within(event));
      if (row !== null && (event.ctrlKey || event.metaKey)) store.toggle(row);
      else if (row !== null && !this.justPicked) store.choose(row, {play: true});
      this.justPicked = false;
    });
    box.addEventListener("pointerdown", event => {
      if (event.button || !(this.drawing || event.shiftKey)) return;
      this.lasso = [this.within(event)];
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointerup", () => this.pickLasso());
    box.addEventListener("pointercancel", () => {
      this.lasso = null;
      this.draw();
    });
  }

  // Geometry --------------------------------------------------------------------------------------------------------

  resize() {
    const {clientWidth: width, clientHeight: height} = this.box;
    if (!width || !height) return;
    this.ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    for (const canvas of [this.points, this.overlay]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    Object.assign(this, {width, height});
    this.splat = new Splat(
      this.points.getContext("2d", {alpha: false, willReadFrequently: true}),
      this.points.width,
      this.points.height,
    );
    const [[left, right], [top, bottom]] = [extent(this.x), extent(this.y)];
    this.scale = Math.min((width - 2 * EDGE) / (right - left || 1), (height - 2 * EDGE) / (bottom - top || 1));
    this.left = width / 2 - (this.scale * (left + right)) / 2;
    this.top = height / 2 - (this.scale * (top + bottom)) / 2;
    this.zoom
      .extent([
        [0, 0],
        [width, height],
      ])
      .translateExtent([
        [-width / 2, -height / 2],
        [1.5 * width, 1.5 * height],
      ]);
    this.recolour();
  }

  /** Where a recording stands in the box, in CSS pixels. */
  place(row) {
    return this.transform.apply([this.x[row] * this.scale + this.left, this.y[row] * this.scale + this.top]);
  }

  within(event) {
    const {left, top} = this.box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  get radius() {
    const base = Math.min(
      5.5,
      Math.max(1.3, Math.min(90, 0.14 * Math.min(this.width, this.height)) / Math.sqrt(this.store.n)),
    );
    return Math.min(9, base * this.transform.k ** 0.45);
  }

  nearest(x, y) {
    if (!this.scale) return null;
    this.tree ??= quadtree(
      this.store.visibleRows(),
      row => this.x[row],
      row => this.y[row],
    );
    const [across, down] = this.transform.invert([x, y]);
    const reach = Math.max(REACH, this.radius + 4) / (this.scale * this.transform.k);
    return this.tree.find((across - this.left) / this.scale, (down - this.top) / this.scale, reach) ?? null;
  }

  /** The nearest visible recording in a direction; those straight ahead before those to its sides. */
  towards(row, dx, dy) {
    let best = null,
      least = Infinity;
    for (let other = 0; other < this.store.n; other++) {
      if (!this.store.visible[other] || other === row) continue;
      const x = this.x[other] - this.x[row],
        y = this.y[other] - this.y[row];
      const ahead = x * dx + y * dy,
        aside = Math.abs(x * dy - y * dx);
      if (ahead <= 0 || aside > ahead) continue;
      const cost = ahead + 2 * aside;
      if (cost < least) {
        least = cost;
        best = other;
      }
    }
    return best;
  }

  intoView(row) {
    if (row === null || !this.scale) return;
    const [x, y] = this.place(row),
      {width, height} = this;
    if (x < EDGE || y < EDGE || x > width - EDGE || y > height - EDGE) {
      select(this.box).call(
        this.zoom.translateBy,
        (width / 2 - x) / this.transform.k,
        (height / 2 - y) / this.transform.k,
      );
    }
  }

  zoomBy(factor) {
    select(this.box).call(this.zoom.scaleBy, factor);
  }
  reset() {
    select(this.box).call(this.zoom.transform, zoomIdentity);
  }

  // Pointing --------------------------------------------------------------------------------------------------------

  pointed(event) {
    if (this.lasso) {
      this.lasso.push(this.within(event));
      this.drawSoon();
      return;
    }
    if (event.buttons || event.pointerType === "touch") return;
    this.hover(this.nearest(...this.within(event)));
  }

  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.box.classList.toggle("on", row !== null);
    if (row === null) this.card.hide();
    else this.card.show(row, ...this.place(row), this.width, this.height);
    this.drawMarks();
    if (row !== null && this.playOnHover) this.store.choose(row, {play: true});
  }

  pickLasso() {
    const lasso = this.lasso;
    this.lasso = null;
    if (!lasso) return;
    if (lasso.length > 3) {
      this.justPicked = true;
      this.store.pick(this.store.visibleRows().filter(row => polygonContains(lasso, this.place(row))));
    }
    this.draw();
  }

  lassoMode(on) {
    this.drawing = on;
    this.box.classList.toggle("drawing", on);
  }

  // Drawing ---------------------------------------------------------------------------------------------------------

  recolour() {
    if (!this.splat) return; // not in the page yet: it has no colours
    const dark = this.store.dark;
    this.coding = coding(this.store.coloured, dark);
    const style = getComputedStyle(this.box);
    this.ground = {paper: style.backgroundColor, ink: style.color, faint: packed(faint(dark))};
    this.paper = packed(this.ground.paper);
    this.draw();
  }

  /** While the map moves, it is drawn without smooth edges, at most once per frame. */
  move() {
    this.moving = true;
    clearTimeout(this.stopped);
    this.stopped = setTimeout(() => {
      this.moving = false;
      this.drawSoon();
    }, STILL);
    this.drawSoon();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.splat) return;
    const {store, splat, transform, ratio} = this,
      {colours: _, ...look} = this.coding;
    const view = {
      scaleX: this.scale * transform.k * ratio,
      scaleY: this.scale * transform.k * ratio,
      left: (this.left * transform.k + transform.x) * ratio,
      top: (this.top * transform.k + transform.y) * ratio,
      radius: Math.round(this.radius * ratio * 4) / 4,
      smooth: !this.moving,
    };
    const points = {...look, x: this.x, y: this.y, colours: look.packed, hollow: store.hollow ? store.unsure : null};
    splat.clear(this.paper);
    if (store.shown < store.n) splat.draw(points, store.visible, 0, view, this.ground.faint);
    splat.draw(points, store.visible, 1, view);
    splat.show();
    this.drawMarks();
  }

  drawMarks() {
    if (this.splat) drawOverlay(this);
  }
}

function extent(values) {
  let low = Infinity,
    high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}
