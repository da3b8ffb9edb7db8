// The canvas: the picture under a view that zooms and pans, and what is drawn over it.

import type { App } from "./app";
import { fitted, type Point, toPicture, toScreen, type View, zoomed } from "./geometry";
import { handles, landed } from "./handles";
import { Live } from "./live";
import { type Mask, outline } from "./masks";
import { canvas, type Canvas, type Cut, pen, tinted } from "./pixels";
import type { Arrow, Picture } from "./state";

const ACCENT = "#6d6df5";
const AMBER = "#ffb224";
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
  private outlines = new WeakMap<Mask, Path2D>();
  private tints = new WeakMap<Mask, Cut>();
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
    else this.drawSlider(to, picture);
  }

  private small = new WeakMap<Canvas, Canvas>();

  /** The pixels of a large picture as small as the view allows: drawing 16 megapixels takes too long for a frame. */
  private lighter(pixels: Canvas): Canvas {
    const most = 2048;
    const shown = this.view.scale * Math.max(pixels.width, pixels.height) * devicePixelRatio;
    if (Math.max(pixels.width, pixels.height) <= most || shown > most) return pixels;
    const found = this.small.get(pixels) ?? canvas((pixels.width * most) / Math.max(pixels.width, pixels.height), (pixels.height * most) / Math.max(pixels.width, pixels.height));
    if (!this.small.has(pixels)) {
      const on = pen(found);
      on.imageSmoothingQuality = "high";
      on.drawImage(pixels, 0, 0, found.width, found.height);
      this.small.set(pixels, found);
    }
    return found;
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
      this.live.draw(to, picture, pixels, this.lighter(pixels), this.dragging);
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
    else this.live.draw(to, picture, pixels, this.lighter(pixels), false);
  }

  /** The picture that the shown one was made of. */
  before(): Canvas | null {
    const { entry, entries } = this.app;
    const parent = entries.get(entry?.parent ?? "");
    return parent ? this.app.pixels(parent.picture) : null;
  }

  private drawOver(to: CanvasRenderingContext2D, picture: Picture): void {
    const { plan, running } = this.app;
    if (running) {
      for (const p of running.status?.points ?? []) this.dot(to, { x: p[0], y: p[1] }, AMBER);
      return;
    }
    if (this.stroke) this.tint(to, this.stroke);
    else if (plan.selection) this.select(to, plan.selection);
    for (const change of plan.changes) {
      if (change.kind === "remove" || change.kind === "replace") this.edge(to, change.mask, "#ff5c5c", [4, 4]);
    }
    const active = plan.changes.find((c) => c.id === this.app.active);
    if (active && (active.kind === "move" || active.kind === "paste")) this.drawHandles(to, landed(active, this.live));
    plan.arrows.forEach((arrow, i) => this.arrow(to, arrow, i === this.spot));
    if (this.pulling) this.arrow(to, this.pulling, true);
    if (this.lasso.length) this.drawLasso(to);
    if (this.rubber) this.drawRubber(to, this.rubber);
    const brushing = this.app.tool === "brush" || this.app.tool === "eraser";
    const spot = this.cursor ?? (brushing ? this.hover : null);
    if (spot) this.drawCursor(to, spot, brushing);
    to.strokeStyle = "rgba(128,128,140,.55)";
    to.lineWidth = 1;
    const { scale, x, y } = this.view;
    to.strokeRect(x - 0.5, y - 0.5, picture.width * scale + 1, picture.height * scale + 1);
  }

  private select(to: CanvasRenderingContext2D, mask: Mask): void {
    this.edge(to, mask, "#000", []);
    this.edge(to, mask, "#fff", [4, 4], this.ants);
  }

  private edge(to: CanvasRenderingContext2D, mask: Mask, colour: string, dash: number[], shift = 0): void {
    const { scale, x, y } = this.view;
    let path = this.outlines.get(mask);
    if (!path) {
      path = new Path2D();
      const lines = outline(mask);
      for (let i = 0; i < lines.length; i += 4) {
        path.moveTo(lines[i]!, lines[i + 1]!);
        path.lineTo(lines[i + 2]!, lines[i + 3]!);
      }
      this.outlines.set(mask, path);
    }
    to.save();
    to.translate(x, y);
    to.scale(scale, scale);
    to.strokeStyle = colour;
    to.lineWidth = 1.5 / scale;
    to.setLineDash(dash.map((v) => v / scale));
    to.lineDashOffset = shift / scale;
    to.stroke(path);
    to.restore();
  }

  private tint(to: CanvasRenderingContext2D, mask: Mask): void {
    const { scale, x, y } = this.view;
    const made = tinted(mask, [109, 109, 245], 130); // made anew: a stroke under way is changed in place
    to.save();
    to.imageSmoothingEnabled = false;
    to.translate(x, y);
    to.scale(scale, scale);
    to.drawImage(made.canvas, made.x, made.y);
    to.restore();
    this.tints.delete(mask);
  }

  private drawHandles(to: CanvasRenderingContext2D, corners: Point[]): void {
    const { frame, knobs, stem } = handles(corners.map((p) => toScreen(this.view, p)));
    to.lineWidth = 1.5;
    for (const [colour, width] of [["rgba(0,0,0,.45)", 3.5], [ACCENT, 1.5]] as const) {
      to.strokeStyle = colour;
      to.lineWidth = width;
      to.beginPath();
      frame.forEach((p, i) => (i ? to.lineTo(p.x, p.y) : to.moveTo(p.x, p.y)));
      to.closePath();
      to.moveTo(stem[0].x, stem[0].y);
      to.lineTo(stem[1].x, stem[1].y);
      to.stroke();
    }
    for (const knob of knobs) {
      to.beginPath();
      if (knob.kind === "turn") to.arc(knob.x, knob.y, 6, 0, 7);
      else to.roundRect(knob.x - 5, knob.y - 5, 10, 10, 2.5);
      to.fillStyle = "#fff";
      to.strokeStyle = ACCENT;
      to.lineWidth = 2;
      to.fill();
      to.stroke();
    }
  }

  private arrow(to: CanvasRenderingContext2D, { from, to: end }: Arrow, chosen: boolean): void {
    const [p, q] = [toScreen(this.view, from), toScreen(this.view, end)];
    const length = Math.hypot(q.x - p.x, q.y - p.y);
    if (length < 1) {
      this.pin(to, p, chosen);
      return;
    }
    const [ux, uy] = [(q.x - p.x) / length, (q.y - p.y) / length];
    const head = Math.min(13, length);
    const neck = { x: q.x - ux * head * 0.8, y: q.y - uy * head * 0.8 };
    for (const [colour, extra] of [["rgba(0,0,0,.6)", 2.5], [chosen ? AMBER : "#fff", 0]] as const) {
      to.strokeStyle = to.fillStyle = colour;
      to.lineWidth = 2.5 + extra;
      to.lineJoin = "round";
      to.beginPath();
      to.moveTo(p.x, p.y);
      to.lineTo(neck.x, neck.y);
      to.stroke();
      to.beginPath();
      to.moveTo(q.x, q.y);
      to.lineTo(q.x - ux * head - uy * head * 0.5, q.y - uy * head + ux * head * 0.5);
      to.lineTo(q.x - ux * head + uy * head * 0.5, q.y - uy * head - ux * head * 0.5);
      to.closePath();
      to.fill();
      if (extra) to.stroke();
    }
    this.dot(to, p, "#ff5c5c", true);
  }

  private pin(to: CanvasRenderingContext2D, p: Point, chosen: boolean): void {
    to.beginPath();
    to.roundRect(p.x - 6, p.y - 6, 12, 12, 3);
    to.fillStyle = chosen ? AMBER : "#fff";
    to.strokeStyle = "rgba(0,0,0,.7)";
    to.lineWidth = 2;
    to.fill();
    to.stroke();
    to.beginPath();
    to.arc(p.x, p.y, 2.2, 0, 7);
    to.fillStyle = "#111";
    to.fill();
  }

  private dot(to: CanvasRenderingContext2D, p: Point, colour: string, onScreen = false): void {
    const s = onScreen ? p : toScreen(this.view, p);
    to.beginPath();
    to.arc(s.x, s.y, 5.5, 0, 7);
    to.fillStyle = colour;
    to.strokeStyle = "#fff";
    to.lineWidth = 2;
    to.fill();
    to.stroke();
  }

  private drawLasso(to: CanvasRenderingContext2D): void {
    for (const [colour, dash] of [["#000", []], ["#fff", [4, 4]]] as const) {
      to.strokeStyle = colour;
      to.lineWidth = 1.5;
      to.setLineDash([...dash]);
      to.beginPath();
      for (const p of this.lasso) {
        const s = toScreen(this.view, p);
        to.lineTo(s.x, s.y);
      }
      to.stroke();
    }
    to.setLineDash([]);
  }

  private drawRubber(to: CanvasRenderingContext2D, [a, b]: [Point, Point]): void {
    const [p, q] = [toScreen(this.view, a), toScreen(this.view, b)];
    to.fillStyle = "rgba(109,109,245,.16)";
    to.fillRect(p.x, p.y, q.x - p.x, q.y - p.y);
    to.strokeStyle = ACCENT;
    to.lineWidth = 1.5;
    to.strokeRect(p.x, p.y, q.x - p.x, q.y - p.y);
  }

  private drawCursor(to: CanvasRenderingContext2D, spot: Point, brushing: boolean): void {
    const s = toScreen(this.view, spot);
    for (const [colour, width] of [["rgba(0,0,0,.7)", 3], ["#fff", 1.25]] as const) {
      to.strokeStyle = colour;
      to.lineWidth = width;
      to.beginPath();
      if (brushing) to.arc(s.x, s.y, Math.max(2, this.app.radius * this.view.scale), 0, 7);
      if (!brushing || this.cursor) {
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
          to.moveTo(s.x + 4 * dx, s.y + 4 * dy);
          to.lineTo(s.x + 13 * dx, s.y + 13 * dy);
        }
      }
      to.stroke();
    }
  }

  private drawSlider(to: CanvasRenderingContext2D, picture: Picture): void {
    const x = toScreen(this.view, { x: picture.width * this.app.compare!, y: 0 }).x;
    const middle = toScreen(this.view, { x: 0, y: picture.height / 2 }).y;
    const [top, bottom] = [this.view.y, this.view.y + picture.height * this.view.scale];
    for (const [colour, width] of [["rgba(0,0,0,.5)", 4], ["#fff", 2]] as const) {
      to.strokeStyle = colour;
      to.lineWidth = width;
      to.beginPath();
      to.moveTo(x, top);
      to.lineTo(x, bottom);
      to.stroke();
    }
    to.beginPath();
    to.arc(x, middle, 15, 0, 7);
    to.fillStyle = "#fff";
    to.shadowColor = "rgba(0,0,0,.4)";
    to.shadowBlur = 8;
    to.fill();
    to.shadowBlur = 0;
    to.strokeStyle = "#222";
    to.lineWidth = 2;
    to.beginPath();
    for (const side of [-1, 1]) {
      to.moveTo(x + side * 4, middle - 4);
      to.lineTo(x + side * 8, middle);
      to.lineTo(x + side * 4, middle + 4);
    }
    to.stroke();
  }
}
