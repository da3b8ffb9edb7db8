// The frame round an object that moves: where its corners land, and the knobs that resize and turn it.

import { apply, placement, type Point } from "./geometry";
import type { Live } from "./live";
import { bounds, type Bounds, type Mask } from "./masks";
import type { Moving, Pasting } from "./state";

const STEM = 26; // px of the screen from the frame to the knob that turns
const REACH = 14; // px of the screen at which a knob is caught: fingers are not finer

export interface Knob extends Point {
  kind: "size" | "turn";
}

export interface Handles {
  frame: Point[];
  knobs: Knob[];
  stem: [Point, Point];
}

const boxes = new WeakMap<Mask, Bounds>();

/** Where the corners of an object's box land, clockwise from top left, in pixels of the picture. */
export function landed(change: Moving | Pasting, live: Live): Point[] {
  const b = boxes.get(change.mask) ?? bounds(change.mask);
  boxes.set(change.mask, b);
  const map = placement(live.centre(change.mask), change.place);
  const corners = [
    { x: b.x, y: b.y },
    { x: b.x + b.width, y: b.y },
    { x: b.x + b.width, y: b.y + b.height },
    { x: b.x, y: b.y + b.height },
  ];
  return corners.map((p) => apply(map, p));
}

/** The frame and its knobs, of corners on the screen. */
export function handles(corners: Point[]): Handles {
  const [a, b, c, d] = corners as [Point, Point, Point, Point];
  const top = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const low = { x: (c.x + d.x) / 2, y: (c.y + d.y) / 2 };
  const length = Math.hypot(top.x - low.x, top.y - low.y) || 1;
  const end = { x: top.x + ((top.x - low.x) / length) * STEM, y: top.y + ((top.y - low.y) / length) * STEM };
  const knobs: Knob[] = [...corners.map((p) => ({ ...p, kind: "size" as const })), { ...end, kind: "turn" }];
  return { frame: corners, knobs, stem: [top, end] };
}

export function caught(of: Handles, at: Point): Knob | null {
  const near = of.knobs.map((knob) => ({ knob, far: Math.hypot(knob.x - at.x, knob.y - at.y) }));
  near.sort((p, q) => p.far - q.far);
  return near[0] && near[0].far <= REACH ? near[0].knob : null;
}
