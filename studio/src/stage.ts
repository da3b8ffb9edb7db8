// The canvas: the picture under a view that zooms and pans, and what is drawn over it.

import type { App } from "./app";
import * as figures from "./figures";
import { fitted, type Point, toPicture, type View, zoomed } from "./geometry";
import { landed } from "./handles";
import { Live } from "./live";
import * as marks from "./marks";
import type { Mask } from "./masks";
import { canvas, type Canvas, pen } from "./pixels";
import type { Arrow, Entry, Picture } from "./state";
import { text } from "./texts";

const LIGHT = 2048; // px above which a picture is drawn from a smaller one: 16 megapixels take too long for a frame
const CRISP = 8; // screen pixels of a picture's pixel from which on squares are shown, not blurs

export class Stage {
  readonly live: Live;
  dragging = false; // a pointer is down on the picture
  lasso: Point[] = []; // of the gesture under way
  rubber: [Point, Point] | null = null;
  stroke: Mask | null = null;
  pulling: Arrow | null = null;
  hover: Point | null = null; // of the pointer, in pixels of the picture
  cursor: Point | null = null; // of the keyboard
  spot: number | null = null; // the arrow that is chosen
  region: number | null = null; // the region
  landmark: number | null = null; // the landmark
  private ants = 0;

  constructor(
    private app: App,
    readonly canvas: HTMLCanvasElement,
  ) {
    this.live = new Live(app);
    app.listen(() => this.draw());
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.changed(false));
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) setInterval(() => this.march(), 90);
  }

  get view(): View {
    const { clientWidth, clientHeight } = this.canvas;
    return this.app.view ?? fitted(this.app.picture ?? { width: 1, height: 1 }, clientWidth, clientHeight);
  }

  zoom(factor: number, at?: Point): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.app.view = zoomed(this.view, factor, at ?? { x: clientWidth / 2, y: clientHeight / 2 });
    this.app.changed(false);
  }

  pan(dx: number, dy: number): void {
    const view = this.view;
    this.app.view = { ...view, x: view.x + dx, y: view.y + dy };
    this.app.changed(false);
  }

  at(event: { clientX: number; clientY: number }): Point {
    const box = this.canvas.getBoundingClientRect();
    return toPicture(this.view, { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  private resize(): void {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.draw();
  }

  private march(): void {
    if (!this.app.plan.selection || document.hidden) return;
    this.ants = (this.ants + 1) % 8;
    this.draw();
  }

  // -------------------------------------------------------------------------------------------------------- drawing

  draw(): void {
    const to = pen(this.canvas);
    const ratio = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    to.setTransform(1, 0, 0, 1, 0, 0);
    to.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const { picture } = this.app;
    const pixels = this.app.pixels(picture);
    if (!picture || !pixels) return;
    const view = this.view;
    to.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
    to.imageSmoothingEnabled = view.scale < CRISP;
    to.imageSmoothingQuality = view.scale < 1 ? "medium" : "low";
    to.save();
    to.beginPath();
    to.rect(0, 0, picture.width, picture.height);
    to.clip();
    this.drawPicture(to, picture, pixels);
    to.restore();
    to.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.app.compare === null) this.drawOver(to, picture);
    else marks.slider(to, this.view, picture, this.app.compare, this.names());
  }

  private small = new WeakMap<Canvas, Canvas>();

  /** The pixels of a large picture, as small as the view allows. */
  private lighter(pixels: Canvas): Canvas {
    const longest = Math.max(pixels.width, pixels.height);
    if (longest <= LIGHT || this.view.scale * longest * devicePixelRatio > LIGHT) return pixels;
    const known = this.small.get(pixels);
    if (known) return known;
    const made = canvas((pixels.width * LIGHT) / longest, (pixels.height * LIGHT) / longest);
    const on = pen(made);
    on.imageSmoothingQuality = "high";
    on.drawImage(pixels, 0, 0, made.width, made.height);
    this.small.set(pixels, made);
    return made;
  }

  private drawPicture(to: CanvasRenderingContext2D, picture: Picture, pixels: Canvas): void {
    const { running, compare } = this.app;
    const before = this.before();
    if (compare !== null && before) {
      to.drawImage(this.lighter(pixels), 0, 0, picture.width, picture.height);
      to.drawImage(before, 0, 0, before.width * compare, before.height, 0, 0, picture.width * compare, picture.height);
    } else if (running?.preview && running.parent === this.app.entry?.id) {
      this.drawPreview(to, picture, pixels, running.preview);
    } else {
      this.live.draw(to, picture, pixels, this.lighter(pixels));
    }
  }

  private shown: HTMLImageElement | null = null;

  private drawPreview(to: CanvasRenderingContext2D, picture: Picture, pixels: Canvas, url: string): void {
    if (this.shown?.src !== url) {
      const next = new Image();
      next.onload = () => {
        this.shown = next;
        this.draw();
      };
      next.src = url;
    }
    if (this.shown) to.drawImage(this.shown, 0, 0, picture.width, picture.height);
    else this.live.draw(to, picture, pixels, this.lighter(pixels));
  }

  /** The picture that the shown one is compared with: the one it was made of, or another result. */
  before(): Canvas | null {
    const { entry, entries, against } = this.app;
    const found = entries.get(against ?? entry?.parent ?? "");
    return found ? this.app.pixels(found.picture) : null;
  }

  /** What is on the left of the slider, and on its right. */
  private names(): [string, string] {
    const { entry, entries, against } = this.app;
    return [nameOf(entries.get(against ?? entry?.parent ?? "")), nameOf(entry)];
  }

  private drawOver(to: CanvasRenderingContext2D, picture: Picture): void {
    const { plan, running, tool } = this.app;
    const { view } = this;
    if (running) {
      for (const p of running.status?.points ?? []) marks.dot(to, view, { x: p[0], y: p[1] }, marks.AMBER);
      return;
    }
    if (this.stroke) marks.stroke(to, view, this.stroke);
    else if (plan.selection) marks.selection(to, view, plan.selection, this.ants);
    this.drawChanges(to);
    plan.arrows.forEach((arrow, i) => marks.arrow(to, view, arrow, i === this.spot));
    plan.regions.forEach((region, i) => figures.region(to, view, region, tool === "regions" && i === this.region));
    if (plan.face && tool === "face") figures.face(to, view, plan.face, this.landmark);
    if (this.pulling) marks.arrow(to, view, this.pulling, true);
    if (this.lasso.length) marks.lasso(to, view, this.lasso);
    if (this.rubber) marks.rubber(to, view, this.rubber);
    const brushing = tool === "brush" || tool === "eraser";
    const spot = this.cursor ?? (brushing ? this.hover : null);
    if (spot) marks.cross(to, view, spot, brushing ? this.app.radius : 0, !brushing || !!this.cursor);
    to.strokeStyle = "rgba(128,128,140,.55)";
    to.lineWidth = 1;
    to.strokeRect(view.x - 0.5, view.y - 0.5, picture.width * view.scale + 1, picture.height * view.scale + 1);
  }

  private drawChanges(to: CanvasRenderingContext2D): void {
    const { plan } = this.app;
    const { view } = this;
    for (const change of plan.changes) {
      if (change.kind === "remove" || change.kind === "replace") marks.doomed(to, view, change.mask);
      if ("like" in change && change.like) marks.likeness(to, view, change.like);
    }
    const active = plan.changes.find((c) => c.id === this.app.active);
    if (plan.words.trim() && plan.target) marks.likeness(to, view, plan.target);
    if (active && "place" in active) marks.frame(to, view, landed(active, this.live));
  }
}

/** A result by its seed, where others came with it; else by what was done. */
const nameOf = (entry: Entry | null | undefined): string =>
  entry?.result ? (entry.batch ? `${text("seed")} ${entry.seed}` : entry.label) : text("original");
