// Drag points: press, pull, release; a click is a pin; ends can be moved.

import type { App } from "./app";
import { distance, type Point, toScreen } from "./geometry";
import { changing, CLICK, type Gesture, NEAR, within } from "./gesture";
import type { Stage } from "./stage";
import type { Arrow } from "./state";

type End = { index: number; end: "from" | "to" };

export function pulling(app: App, stage: Stage, p: Point): Gesture {
  const near = endAt(app, stage, p);
  if (near) return bending(app, stage, near);
  const picture = app.picture!;
  const from = within(p, picture);
  const before = app.plan.arrows;
  const inner = changing(app, (q) => {
    stage.spot = before.length;
    return { arrows: [...before, { from, to: within(q, picture) }] };
  });
  let begun = false;
  return {
    move: (q, keys) => {
      begun ||= distance(toScreen(stage.view, q), toScreen(stage.view, p)) >= CLICK;
      if (begun) inner.move(q, keys);
    },
    end: (_, keys) => {
      if (!begun) inner.move(from, keys); // a click is a pin
    },
    cancel: () => begun && inner.cancel?.(),
  };
}

/** The end of an arrow near a point. */
function endAt(app: App, stage: Stage, p: Point): End | null {
  const s = toScreen(stage.view, p);
  let best: End | null = null;
  let least = NEAR;
  app.plan.arrows.forEach((arrow, index) => {
    for (const end of ["to", "from"] as const) {
      const far = distance(toScreen(stage.view, arrow[end]), s);
      if (far < least) [best, least] = [{ index, end }, far];
    }
  });
  return best;
}

function bending(app: App, stage: Stage, { index, end }: End): Gesture {
  stage.spot = index;
  return changing(app, (q) => ({
    arrows: app.plan.arrows.map((a, i): Arrow => (i === index ? { ...a, [end]: within(q, app.picture!) } : a)),
  }));
}
