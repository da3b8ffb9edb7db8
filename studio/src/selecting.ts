// Brush and eraser, lasso, box: what is selected.

import type { App } from "./app";
import type { Point } from "./geometry";
import { type Gesture, type Keys, within } from "./gesture";
import { box, brush, empty, isEmpty, joined, type Mask, polygon, without } from "./masks";
import type { Stage } from "./stage";

export function painting(app: App, stage: Stage, p: Point, value: 0 | 1): Gesture {
  const { width, height } = app.picture!;
  const was = app.plan.selection;
  const mask = was ? { ...was, data: was.data.slice() } : empty(width, height);
  let last = p;
  brush(mask, p, p, app.radius, value);
  stage.stroke = mask;
  return {
    move: (q) => {
      brush(mask, last, q, app.radius, value);
      last = q;
    },
    end: () => {
      stage.stroke = null;
      app.wish({ selection: isEmpty(mask) ? null : mask });
    },
    cancel: () => {
      stage.stroke = null;
    },
  };
}

/** A line drawn round something. */
export function lassoing(stage: Stage, p: Point, done: (line: Point[], keys: Keys) => void): Gesture {
  stage.lasso = [p];
  const clear = () => {
    stage.lasso = [];
  };
  return {
    move: (q) => stage.lasso.push(q),
    end: (_, keys) => {
      const line = stage.lasso;
      clear();
      done(line, keys);
    },
    cancel: clear,
  };
}

export const lasso = (app: App, stage: Stage, p: Point): Gesture =>
  lassoing(stage, p, (line, keys) => select(app, polygon(app.picture!.width, app.picture!.height, line), keys));

export function boxing(app: App, stage: Stage, p: Point): Gesture {
  const picture = app.picture!;
  const from = within(p, picture);
  return {
    move: (q) => {
      stage.rubber = [from, within(q, picture)];
    },
    end: (_, keys) => {
      const found = stage.rubber;
      stage.rubber = null;
      if (found && Math.abs(found[0].x - found[1].x) >= 2 && Math.abs(found[0].y - found[1].y) >= 2) boxed(app, found, keys);
    },
    cancel: () => {
      stage.rubber = null;
    },
  };
}

function boxed(app: App, [a, b]: [Point, Point], keys: Keys): void {
  const { width, height } = app.picture!;
  if (!app.snap) {
    select(app, box(width, height, a, b), keys);
    return;
  }
  const corners: [number, number, number, number] = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)];
  void app.pick({ box: corners }).then((mask) => mask && select(app, isEmpty(mask) ? box(width, height, a, b) : mask, keys));
}

/** Take a new mask for the selection, or add it (Shift), or take it away (Alt). */
export function select(app: App, mask: Mask, keys: Keys): void {
  const was = app.plan.selection;
  const selection = keys.shiftKey ? joined(was, mask) : keys.altKey ? without(was, mask) : mask;
  app.active = null;
  app.wish({ selection: isEmpty(selection) ? null : selection });
}
