// Regions by hand: draw an outline; then its copy is moved as a whole, or corner by corner.

import type { App } from "./app";
import { clamp, distance, type Point, toScreen } from "./geometry";
import { changing, type Gesture, NEAR, within } from "./gesture";
import { outlined, traced } from "./regions";
import { lassoing } from "./selecting";
import type { Stage } from "./stage";
import type { Region } from "./state";
import { say, text } from "./texts";

export function outlining(app: App, stage: Stage, p: Point): Gesture {
  const corner = cornerAt(app, stage, p);
  if (corner) return reshaping(app, stage, corner);
  const index = app.plan.regions.map((region) => holds(region.to, p)).lastIndexOf(true);
  if (index >= 0) return shifting(app, stage, index, p);
  stage.region = null;
  return lassoing(stage, within(p, app.picture!), (line) => {
    if (line.length > 2) begin(app, stage, line.map((q) => within(q, app.picture!)));
  });
}

/** A region of a closed line, which goes nowhere yet. */
function begin(app: App, stage: Stage, line: Point[], selection = app.plan.selection): void {
  const corners = outlined(line, app.picture!);
  if (!corners) {
    say(text("crossing"), "bad");
    return;
  }
  stage.region = app.plan.regions.length;
  app.wish({ regions: [...app.plan.regions, { from: corners, to: corners }], selection });
  app.tool = "regions";
}

/** A region of what is selected. */
export function ofSelection(app: App, stage: Stage): void {
  const { selection } = app.plan;
  if (!selection) return;
  begin(app, stage, traced(selection), null);
}

const put = (app: App, index: number, to: Point[]): { regions: Region[] } => ({
  regions: app.plan.regions.map((region, i) => (i === index ? { ...region, to } : region)),
});

/** Move a region's second outline as far as the picture lets it. */
export function shifted(app: App, index: number, to: Point[], by: Point): { regions: Region[] } {
  const { width, height } = app.picture!;
  const x = clamp(by.x, -Math.min(...to.map((q) => q.x)), width - Math.max(...to.map((q) => q.x)));
  const y = clamp(by.y, -Math.min(...to.map((q) => q.y)), height - Math.max(...to.map((q) => q.y)));
  return put(app, index, to.map((q) => ({ x: q.x + x, y: q.y + y })));
}

function shifting(app: App, stage: Stage, index: number, from: Point): Gesture {
  stage.region = index;
  const { to } = app.plan.regions[index]!;
  return changing(app, (p) => shifted(app, index, to, { x: p.x - from.x, y: p.y - from.y }));
}

function reshaping(app: App, stage: Stage, { index, corner }: { index: number; corner: number }): Gesture {
  stage.region = index;
  const { to } = app.plan.regions[index]!;
  return changing(app, (p) => put(app, index, to.map((q, i) => (i === corner ? within(p, app.picture!) : q))));
}

/** The corner of the chosen region near a point: of others the corners are not shown. */
function cornerAt(app: App, stage: Stage, p: Point): { index: number; corner: number } | null {
  const index = stage.region;
  const region = index === null ? null : app.plan.regions[index];
  if (!region) return null;
  const far = region.to.map((q) => distance(toScreen(stage.view, q), toScreen(stage.view, p)));
  const corner = far.indexOf(Math.min(...far));
  return far[corner]! < NEAR ? { index: index!, corner } : null;
}

function holds(corners: Point[], p: Point): boolean {
  let inside = false;
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % corners.length]!;
    if (a.y <= p.y !== b.y <= p.y && p.x < a.x + ((p.y - a.y) / (b.y - a.y)) * (b.x - a.x)) inside = !inside;
  });
  return inside;
}
