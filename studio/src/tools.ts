// What the pointer does on the canvas, by tool.

import type { App, Tool } from "./app";
import { apply, clamp, degrees, distance, inverse, placement, type Place, type Point, toPicture, toScreen } from "./geometry";
import { caught, handles, landed } from "./handles";
import { box, brush, empty, holds, isEmpty, joined, type Mask, polygon, without } from "./masks";
import type { Stage } from "./stage";
import type { Arrow, Moving, Pasting } from "./state";

interface Keys {
  shiftKey: boolean;
  altKey: boolean;
}

/** One press of the pointer, until it is let go. */
interface Gesture {
  move(p: Point, keys: Keys): void;
  end(p: Point, keys: Keys): void;
  cancel?(): void;
}

type Movable = Moving | Pasting;
const CLICK = 4; // px of the screen below which a press is a click

export class Tools {
  private gesture: Gesture | null = null;
  private fingers = new Map<number, Point>();
  private pinch: { span: number; middle: Point } | null = null;
  space = false; // held down: the hand, whatever the tool

  constructor(
    private app: App,
    private stage: Stage,
  ) {
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
        if (this.knob(p)) return this.knob(p)!.kind === "turn" ? "alias" : "nwse-resize";
        return this.under(p) || (this.app.plan.selection && holds(this.app.plan.selection, p)) ? "move" : "pointer";
      default:
        return "crosshair";
    }
  }

  private begin(p: Point, keys: Keys): Gesture | null {
    switch (this.tool) {
      case "grab":
        return this.grab(p, keys);
      case "brush":
      case "eraser":
        return this.paint(p, this.tool === "brush" ? 1 : 0);
      case "lasso":
        return this.lasso(p);
      case "box":
        return this.box(p);
      case "points":
        return this.points(p, keys);
      default:
        return null;
    }
  }

  // -------------------------------------------------------------------------------------------------- hand, slider

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

  // ----------------------------------------------------------------------------------------------------------- grab

  private get active(): Movable | null {
    const found = this.app.plan.changes.find((c) => c.id === this.app.active);
    return found && (found.kind === "move" || found.kind === "paste") ? found : null;
  }

  private knob(p: Point): ReturnType<typeof caught> {
    const { active } = this;
    if (!active) return null;
    const { view } = this.stage;
    return caught(handles(landed(active, this.stage.live).map((q) => toScreen(view, q))), toScreen(view, p));
  }

  /** The topmost object that has landed under a point. */
  private under(p: Point): Movable | null {
    for (const change of [...this.app.plan.changes].reverse()) {
      if (change.kind !== "move" && change.kind !== "paste") continue;
      const back = inverse(placement(this.stage.live.centre(change.mask), change.place));
      if (holds(change.mask, apply(back, p))) return change;
    }
    return null;
  }

  private grab(p: Point, keys: Keys): Gesture | null {
    const knob = this.knob(p);
    if (knob && this.active) return knob.kind === "turn" ? this.turn(this.active, p) : this.size(this.active, p);
    const there = this.under(p);
    if (there && !keys.shiftKey) {
      this.app.active = there.id;
      return this.shift(there, p);
    }
    const { selection } = this.app.plan;
    if (selection && holds(selection, p) && !keys.shiftKey && !keys.altKey) return this.lift(selection, p);
    return this.pick(p, keys);
  }

  /** Drag an object: the first step is a new moment, the rest belongs to it. */
  private placed(change: Movable, how: (p: Point, keys: Keys) => Partial<Place>): Gesture {
    let begun = false;
    const before = change.place;
    const move = (p: Point, keys: Keys) => {
      const place = { ...before, ...how(p, keys) };
      const changes = this.app.change(change.id, { place });
      if (begun) this.app.rewish({ changes });
      else this.app.wish({ changes });
      begun = true;
    };
    return { move, end: () => undefined, cancel: () => begun && this.app.go(-1) };
  }

  private shift(change: Movable, from: Point): Gesture {
    const { dx, dy } = change.place;
    return this.placed(change, (p, keys) => {
      const by = { x: p.x - from.x, y: p.y - from.y };
      if (keys.shiftKey) by[Math.abs(by.x) > Math.abs(by.y) ? "y" : "x"] = 0;
      return { dx: dx + by.x, dy: dy + by.y };
    });
  }

  private size(change: Movable, from: Point): Gesture {
    const centre = this.centre(change);
    const span = Math.max(distance(from, centre), 1e-6);
    return this.placed(change, (p) => ({ scale: clamp((change.place.scale * distance(p, centre)) / span, 0.05, 20) }));
  }

  private turn(change: Movable, from: Point): Gesture {
    const centre = this.centre(change);
    const way = (p: Point) => (Math.atan2(p.y - centre.y, p.x - centre.x) * 180) / Math.PI;
    return this.placed(change, (p, keys) => {
      const angle = degrees(change.place.angle + way(p) - way(from));
      return { angle: keys.shiftKey ? Math.round(angle / 15) * 15 : angle };
    });
  }

  private centre(change: Movable): Point {
    const c = this.stage.live.centre(change.mask);
    return { x: c.x + change.place.dx, y: c.y + change.place.dy };
  }

  /** Make the selected object one that moves, and drag it. */
  private lift(mask: Mask, from: Point): Gesture {
    const id = this.app.next;
    let change: Moving = { kind: "move", id, mask, place: { dx: 0, dy: 0, scale: 1, angle: 0 } };
    let begun = false;
    const move = (p: Point, keys: Keys) => {
      const by = { x: p.x - from.x, y: p.y - from.y };
      if (!begun && distance(toScreen(this.stage.view, p), toScreen(this.stage.view, from)) < CLICK) return;
      if (keys.shiftKey) by[Math.abs(by.x) > Math.abs(by.y) ? "y" : "x"] = 0;
      change = { ...change, place: { ...change.place, dx: by.x, dy: by.y } };
      if (begun) this.app.rewish({ changes: this.app.change(id, change) });
      else this.app.wish({ changes: [...this.app.plan.changes, change], selection: null });
      this.app.active = id;
      begun = true;
    };
    return { move, end: () => undefined, cancel: () => begun && this.app.go(-1) };
  }

  /** Find the object under the pointer; where that is held down it is dragged as soon as it is found. */
  private pick(p: Point, keys: Keys): Gesture | null {
    const { width, height } = this.app.picture!;
    if (p.x < 0 || p.y < 0 || p.x >= width || p.y >= height) return this.none();
    const was = this.app.plan.selection;
    let last = p;
    let inner: Gesture | null = null;
    let over = false;
    void this.app.pick({ point: [p.x, p.y] }).then((found) => {
      if (!found) return;
      const selection = keys.shiftKey ? joined(was, found) : keys.altKey ? without(was, found) : found;
      this.app.active = null;
      this.app.wish({ selection: isEmpty(selection) ? null : selection });
      if (over || keys.shiftKey || keys.altKey) return;
      inner = this.lift(selection, p);
      inner.move(last, keys);
    });
    return {
      move: (q, k) => {
        last = q;
        inner?.move(q, k);
      },
      end: () => {
        over = true;
      },
      cancel: () => {
        over = true;
        inner?.cancel?.();
      },
    };
  }

  private none(): Gesture {
    return {
      move: () => undefined,
      end: () => {
        this.app.active = null;
        if (this.app.plan.selection) this.app.wish({ selection: null });
      },
    };
  }

  // ------------------------------------------------------------------------------------------ brush, lasso, box

  private paint(p: Point, value: 0 | 1): Gesture {
    const { width, height } = this.app.picture!;
    const was = this.app.plan.selection;
    const mask = was ? { ...was, data: was.data.slice() } : empty(width, height);
    const radius = () => this.app.radius;
    let last = p;
    brush(mask, p, p, radius(), value);
    this.stage.stroke = mask;
    return {
      move: (q) => {
        brush(mask, last, q, radius(), value);
        last = q;
      },
      end: () => {
        this.stage.stroke = null;
        this.app.wish({ selection: isEmpty(mask) ? null : mask });
      },
      cancel: () => {
        this.stage.stroke = null;
      },
    };
  }

  private lasso(p: Point): Gesture {
    this.stage.lasso = [p];
    const { width, height } = this.app.picture!;
    const clear = () => {
      this.stage.lasso = [];
    };
    return {
      move: (q) => this.stage.lasso.push(q),
      end: (_, keys) => {
        const made = polygon(width, height, this.stage.lasso);
        clear();
        this.select(made, keys);
      },
      cancel: clear,
    };
  }

  private box(p: Point): Gesture {
    const { width, height } = this.app.picture!;
    const inside = (q: Point) => ({ x: clamp(q.x, 0, width), y: clamp(q.y, 0, height) });
    const from = inside(p);
    return {
      move: (q) => {
        this.stage.rubber = [from, inside(q)];
      },
      end: (_, keys) => {
        const found = this.stage.rubber;
        this.stage.rubber = null;
        if (!found || Math.abs(found[0].x - found[1].x) < 2 || Math.abs(found[0].y - found[1].y) < 2) return;
        if (!this.app.snap) {
          this.select(box(width, height, ...found), keys);
          return;
        }
        const [a, b] = found;
        const corners: [number, number, number, number] = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)];
        void this.app.pick({ box: corners }).then((mask) => mask && this.select(isEmpty(mask) ? box(width, height, a, b) : mask, keys));
      },
      cancel: () => {
        this.stage.rubber = null;
      },
    };
  }

  /** Take a new mask for the selection, or add it (Shift), or take it away (Alt). */
  select(mask: Mask, keys: Keys): void {
    const was = this.app.plan.selection;
    const selection = keys.shiftKey ? joined(was, mask) : keys.altKey ? without(was, mask) : mask;
    this.app.active = null;
    this.app.wish({ selection: isEmpty(selection) ? null : selection });
  }

  // --------------------------------------------------------------------------------------------------------- points

  private points(p: Point, keys: Keys): Gesture {
    const near = this.end(p);
    if (near) return this.bend(near.index, near.end);
    const { width, height } = this.app.picture!;
    const inside = (q: Point) => ({ x: clamp(q.x, 0, width), y: clamp(q.y, 0, height) });
    const from = inside(p);
    let begun = false;
    const index = this.app.plan.arrows.length;
    const put = (to: Point) => {
      const arrows = [...this.app.plan.arrows.slice(0, index), { from, to }];
      if (begun) this.app.rewish({ arrows });
      else this.app.wish({ arrows });
      begun = true;
      this.stage.spot = index;
    };
    return {
      move: (q) => {
        if (begun || distance(toScreen(this.stage.view, q), toScreen(this.stage.view, p)) >= CLICK) put(inside(q));
      },
      end: () => {
        if (!begun && (keys.shiftKey || this.app.plan.arrows.length)) put(from); // a click is a pin
        else if (!begun) put(from);
      },
      cancel: () => begun && this.app.go(-1),
    };
  }

  /** The end of an arrow near a point. */
  private end(p: Point): { index: number; end: "from" | "to" } | null {
    const { view } = this.stage;
    const s = toScreen(view, p);
    let best: { index: number; end: "from" | "to" } | null = null;
    let least = 13;
    this.app.plan.arrows.forEach((arrow, index) => {
      for (const end of ["to", "from"] as const) {
        const far = distance(toScreen(view, arrow[end]), s);
        if (far < least) [best, least] = [{ index, end }, far];
      }
    });
    return best;
  }

  private bend(index: number, end: "from" | "to"): Gesture {
    const { width, height } = this.app.picture!;
    this.stage.spot = index;
    let begun = false;
    const move = (q: Point) => {
      const put = { x: clamp(q.x, 0, width), y: clamp(q.y, 0, height) };
      const arrows = this.app.plan.arrows.map((a, i): Arrow => (i === index ? { ...a, [end]: put } : a));
      if (begun) this.app.rewish({ arrows });
      else this.app.wish({ arrows });
      begun = true;
    };
    return { move, end: () => undefined, cancel: () => begun && this.app.go(-1) };
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
