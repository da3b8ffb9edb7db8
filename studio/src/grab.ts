// Grab: objects are picked by a click, moved by a drag, resized and turned by their handles.

import type { App } from "./app";
import { apply, clamp, degrees, distance, inverse, placement, type Place, type Point, toScreen } from "./geometry";
import { changing, CLICK, type Gesture, type Keys } from "./gesture";
import { caught, handles, type Knob, landed } from "./handles";
import { holds, isEmpty, joined, type Mask, without } from "./masks";
import type { Stage } from "./stage";
import type { Moving, Pasting } from "./state";

type Movable = Moving | Pasting;

export class Grab {
  constructor(
    private app: App,
    private stage: Stage,
  ) {}

  begin(p: Point, keys: Keys): Gesture | null {
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

  cursor(p: Point): string {
    const knob = this.knob(p);
    if (knob) return knob.kind === "turn" ? "alias" : "nwse-resize";
    return this.under(p) || (this.app.plan.selection && holds(this.app.plan.selection, p)) ? "move" : "pointer";
  }

  private get active(): Movable | null {
    const found = this.app.plan.changes.find((c) => c.id === this.app.active);
    return found && (found.kind === "move" || found.kind === "paste") ? found : null;
  }

  private knob(p: Point): Knob | null {
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

  private placed(change: Movable, how: (p: Point, keys: Keys) => Partial<Place>): Gesture {
    const before = change.place;
    return changing(this.app, (p, keys) => ({ changes: this.app.change(change.id, { place: { ...before, ...how(p, keys) } }) }));
  }

  private shift(change: Movable, from: Point): Gesture {
    const { dx, dy } = change.place;
    return this.placed(change, (p, keys) => {
      const by = straight({ x: p.x - from.x, y: p.y - from.y }, keys);
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
    const others = this.app.plan.changes;
    const inner = changing(this.app, (p, keys) => {
      const by = straight({ x: p.x - from.x, y: p.y - from.y }, keys);
      const change: Moving = { kind: "move", id, mask, place: { dx: by.x, dy: by.y, scale: 1, angle: 0 } };
      this.app.active = id;
      return { changes: [...others, change], selection: null };
    });
    let begun = false;
    const move = (p: Point, keys: Keys) => {
      begun ||= distance(toScreen(this.stage.view, p), toScreen(this.stage.view, from)) >= CLICK;
      if (begun) inner.move(p, keys);
    };
    return { ...inner, move };
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
}

/** A way along one axis alone where Shift is held. */
const straight = (by: Point, keys: Keys): Point => (!keys.shiftKey ? by : Math.abs(by.x) > Math.abs(by.y) ? { x: by.x, y: 0 } : { x: 0, y: by.y });
