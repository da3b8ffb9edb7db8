// What the pointer does on the canvas, by tool.

import type { App, Tool } from "./app";
import { posing } from "./faces";
import { clamp, distance, type Point, toPicture, toScreen } from "./geometry";
import type { Gesture, Keys } from "./gesture";
import { Grab } from "./grab";
import { outlining } from "./outlining";
import { pulling } from "./pulling";
import { boxing, lasso, painting } from "./selecting";
import type { Stage } from "./stage";

export class Tools {
  private gesture: Gesture | null = null;
  private fingers = new Map<number, Point>();
  private pinch: { span: number; middle: Point } | null = null;
  private grab: Grab;
  space = false; // held down: the hand, whatever the tool

  constructor(
    private app: App,
    private stage: Stage,
  ) {
    this.grab = new Grab(app, stage);
    const { canvas } = stage;
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", (e) => this.up(e));
    canvas.addEventListener("pointercancel", (e) => this.up(e, true));
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
  }

  private get tool(): Tool {
    return this.space ? "hand" : this.app.tool;
  }

  private down(e: PointerEvent): void {
    if (!this.app.picture || (e.pointerType === "mouse" && e.button === 2)) return;
    this.stage.canvas.setPointerCapture(e.pointerId);
    this.stage.cursor = null;
    this.fingers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (this.fingers.size === 2) {
      this.gesture?.cancel?.();
      this.gesture = null;
      this.stage.dragging = false;
      this.pinch = this.spread();
      return;
    }
    const p = this.stage.at(e);
    const hand = this.tool === "hand" || e.button === 1;
    this.gesture = hand ? this.handed(e) : this.app.compare !== null ? this.slide(p) : this.app.running ? this.handed(e) : this.begin(p, e);
    this.stage.dragging = !hand && this.gesture !== null;
    this.app.changed(false);
  }

  private move(e: PointerEvent): void {
    if (this.fingers.has(e.pointerId)) this.fingers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (this.pinch && this.fingers.size >= 2) {
      this.pinched(this.pinch, this.spread());
      return;
    }
    const p = this.stage.at(e);
    this.stage.hover = e.pointerType === "touch" ? null : p;
    if (this.gesture) this.gesture.move(p, e);
    else this.stage.canvas.style.cursor = this.cursor(p);
    if (this.gesture || this.tool === "brush" || this.tool === "eraser") this.app.changed(false);
  }

  private up(e: PointerEvent, lost = false): void {
    this.fingers.delete(e.pointerId);
    if (this.fingers.size < 2) this.pinch = null;
    const { gesture } = this;
    this.gesture = null;
    this.stage.dragging = false;
    if (lost) gesture?.cancel?.();
    else gesture?.end(this.stage.at(e), e);
    this.app.changed();
  }

  private leave(): void {
    this.stage.hover = null;
    this.app.changed(false);
  }

  private wheel(e: WheelEvent): void {
    e.preventDefault();
    const box = this.stage.canvas.getBoundingClientRect();
    if (e.shiftKey) this.stage.pan(-e.deltaY - e.deltaX, 0);
    else this.stage.zoom(Math.exp(-clamp(e.deltaY, -120, 120) * 0.0022), { x: e.clientX - box.left, y: e.clientY - box.top });
  }

  private spread(): { span: number; middle: Point } {
    const [a, b] = [...this.fingers.values()] as [Point, Point];
    return { span: distance(a, b), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }

  private pinched(before: { span: number; middle: Point }, now: { span: number; middle: Point }): void {
    const box = this.stage.canvas.getBoundingClientRect();
    this.stage.pan(now.middle.x - before.middle.x, now.middle.y - before.middle.y);
    this.stage.zoom(now.span / Math.max(before.span, 1), { x: now.middle.x - box.left, y: now.middle.y - box.top });
    this.pinch = now;
  }

  private cursor(p: Point): string {
    if (this.app.compare !== null) return "ew-resize";
    switch (this.tool) {
      case "hand":
        return "grab";
      case "brush":
      case "eraser":
        return "none";
      case "grab":
        return this.grab.cursor(p);
      default:
        return "crosshair";
    }
  }

  private begin(p: Point, keys: Keys): Gesture | null {
    const { app, stage } = this;
    switch (this.tool) {
      case "grab":
        return this.grab.begin(p, keys);
      case "brush":
      case "eraser":
        return painting(app, stage, p, this.tool === "brush" ? 1 : 0);
      case "lasso":
        return lasso(app, stage, p);
      case "box":
        return boxing(app, stage, p);
      case "points":
        return pulling(app, stage, p);
      case "regions":
        return outlining(app, stage, p);
      case "face":
        return posing(app, stage, p);
      default:
        return null;
    }
  }

  private handed(e: PointerEvent): Gesture {
    let last = { x: e.clientX, y: e.clientY };
    const origin = this.stage.canvas.getBoundingClientRect();
    const screen = (p: Point): Point => {
      const s = toScreen(this.stage.view, p);
      return { x: s.x + origin.left, y: s.y + origin.top };
    };
    const move = (p: Point) => {
      const now = screen(p);
      this.stage.pan(now.x - last.x, now.y - last.y);
      last = now;
    };
    return { move, end: () => undefined };
  }

  private slide(p: Point): Gesture {
    const move = (q: Point) => {
      this.app.compare = clamp(q.x / this.app.picture!.width, 0, 1);
      this.app.changed(false);
    };
    move(p);
    return { move, end: () => undefined };
  }

  /** Where the keyboard's cross is, or begins: the middle of what is shown. */
  get cross(): Point {
    const { clientWidth, clientHeight } = this.stage.canvas;
    return this.stage.cursor ?? toPicture(this.stage.view, { x: clientWidth / 2, y: clientHeight / 2 });
  }

  /** Press and let go at a point, by keyboard. */
  press(p: Point, keys: Keys): void {
    const gesture = this.begin(p, keys);
    gesture?.end(p, keys);
    this.app.changed();
  }
}
