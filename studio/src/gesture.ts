// What all gestures of the pointer have in common.

import { clamp, type Point } from "./geometry";

export interface Keys {
  shiftKey: boolean;
  altKey: boolean;
}

/** One press of the pointer, until it is let go. */
export interface Gesture {
  move(p: Point, keys: Keys): void;
  end(p: Point, keys: Keys): void;
  cancel?(): void;
}

export const CLICK = 4; // px of the screen below which a press is a click
export const NEAR = 13; // px of the screen at which the end of an arrow, a corner or a landmark is caught

/** A point, or the nearest one in the picture. */
export const within = (p: Point, { width, height }: { width: number; height: number }): Point => ({
  x: clamp(p.x, 0, width),
  y: clamp(p.y, 0, height),
});

/** A gesture that changes the plan: its first step is a new moment, the others belong to it. */
export function changing(app: { wish(how: object): void; rewish(how: object): void; go(by: -1): void }, how: (p: Point, keys: Keys) => object): Gesture {
  let begun = false;
  const move = (p: Point, keys: Keys) => {
    if (begun) app.rewish(how(p, keys));
    else app.wish(how(p, keys));
    begun = true;
  };
  return { move, end: () => undefined, cancel: () => begun && app.go(-1) };
}
