// Every command by keyboard.

import { choose, copy, erase, fit, paste, toggleCompare, toggleVariants } from "./actions";
import type { App } from "./app";
import { TOOLS } from "./bars";
import { landmarkAt, pulledBy } from "./faces";
import { clamp, type Point } from "./geometry";
import { open } from "./opening";
import { shifted } from "./outlining";
import { run, stop } from "./run";
import type { Stage } from "./stage";
import type { Moving, Pasting } from "./state";
import type { Tools } from "./tools";

export function keyboard(app: App, stage: Stage, tools: Tools, help: () => void): void {
  let from: Point | null = null; // where an arrow begun by keyboard starts
  addEventListener("keyup", (e) => {
    if (e.key === " ") tools.space = false;
  });
  addEventListener("keydown", (e) => {
    const target = e.target as HTMLElement;
    const typing = target.matches("input:not([type=range]):not([type=checkbox]), textarea, select");
    if (typing || document.querySelector("dialog[open]")) return;
    const command = e.ctrlKey || e.metaKey;
    if (command ? commanded(e) : pressed(e)) e.preventDefault();
  });

  function commanded(e: KeyboardEvent): boolean {
    const key = e.key.toLowerCase();
    if (key === "z") app.go(e.shiftKey ? 1 : -1);
    else if (key === "y") app.go(1);
    else if (key === "c" && app.plan.selection && !String(getSelection())) copy(app);
    else if (key === "enter") void run(app);
    else return false;
    return true;
  }

  function pressed(e: KeyboardEvent): boolean {
    if (e.key === "?") help();
    if (!app.entry) return false;
    const onCanvas = e.target === stage.canvas;
    const tool = TOOLS.find(([, , key]) => key.toLowerCase() === e.key.toLowerCase());
    if (tool && !e.altKey) choose(app, tool[0]);
    else if (e.key === "Delete" || e.key === "Backspace") remove();
    else if (e.key === "Escape") escape();
    else if (e.key === "[" || e.key === "]") size(e.key === "]" ? 1.2 : 1 / 1.2);
    else if (e.key === "+" || e.key === "=") stage.zoom(1.25);
    else if (e.key === "-") stage.zoom(0.8);
    else if (e.key === "0") fit(app);
    else if (e.key.toLowerCase() === "c") toggleCompare(app);
    else if (e.key.toLowerCase() === "g") toggleVariants(app);
    else if (e.key === "Enter" && onCanvas) void run(app);
    else if (e.key === " " && onCanvas) space(e);
    else if (e.key === "," || e.key === ".") place((p) => ({ angle: p.angle + (e.key === "." ? 5 : -5) }));
    else if (e.key === "<" || e.key === ">") place((p) => ({ scale: clamp(p.scale * (e.key === ">" ? 1.05 : 1 / 1.05), 0.05, 20) }));
    else if (onCanvas && e.key.startsWith("Arrow")) arrow(e);
    else return false;
    return true;
  }

  function size(factor: number): void {
    app.radius = clamp(Math.round(app.radius * factor + Math.sign(factor - 1) * 0.5), 1, 1000);
    app.changed(false);
  }

  function escape(): void {
    if (app.running) void stop(app);
    else if (app.variants) toggleVariants(app);
    else if (app.compare !== null) toggleCompare(app);
    else if (app.active !== null) app.active = null;
    else if (stage.region !== null || stage.landmark !== null) stage.region = stage.landmark = null;
    else if (app.plan.selection) app.wish({ selection: null });
    from = null;
    stage.pulling = stage.cursor = null;
    app.changed(false);
  }

  function remove(): void {
    const { plan, active } = app;
    if (app.tool === "points" && stage.spot !== null && plan.arrows[stage.spot]) {
      app.wish({ arrows: plan.arrows.filter((_, i) => i !== stage.spot) });
      stage.spot = null;
    } else if (app.tool === "regions" && stage.region !== null) {
      app.wish({ regions: plan.regions.filter((_, i) => i !== stage.region) });
      stage.region = null;
    } else if (active !== null) {
      app.wish({ changes: plan.changes.filter((c) => c.id !== active) });
      app.active = null;
    } else erase(app);
  }

  function moving(): Moving | Pasting | null {
    const found = app.plan.changes.find((c) => c.id === app.active);
    return found && "place" in found ? found : null;
  }

  function place(how: (p: Moving["place"]) => Partial<Moving["place"]>): void {
    const change = moving();
    if (change) app.wish({ changes: app.change(change.id, { place: { ...change.place, ...how(change.place) } }) });
  }

  /** Arrow keys: the object that is active, by a pixel or ten; else the keyboard's cross. */
  function arrow(e: KeyboardEvent): void {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key] as [number, number];
    if (moving() && app.tool === "grab") {
      const by = e.shiftKey ? 10 : 1;
      place((p) => ({ dx: p.dx + x * by, dy: p.dy + y * by }));
      return;
    }
    if (nudged({ x: x * (e.shiftKey ? 10 : 1), y: y * (e.shiftKey ? 10 : 1) })) return;
    const by = e.shiftKey ? 1 : Math.max(1, 10 / stage.view.scale);
    const p = tools.cross;
    const { width, height } = app.picture!;
    stage.cursor = { x: clamp(p.x + x * by, 0, width), y: clamp(p.y + y * by, 0, height) };
    if (from) stage.pulling = { from, to: stage.cursor };
    app.changed(false);
  }

  /** The region or the landmark that is chosen goes by some pixels. */
  function nudged(by: Point): boolean {
    const { regions, face } = app.plan;
    if (app.tool === "regions" && stage.region !== null && regions[stage.region]) app.wish(shifted(app, stage.region, regions[stage.region]!.to, by));
    else if (app.tool === "face" && stage.landmark !== null && face) app.wish({ face: pulledBy(face, stage.landmark, by, false) });
    else return false;
    return true;
  }

  /** Space: picks or paints at the cross; with drag points begins an arrow and ends it; with nothing, holds the hand. */
  function space(e: KeyboardEvent): void {
    if (!stage.cursor) {
      tools.space = true;
      return;
    }
    const p = stage.cursor;
    const { selection } = app.plan;
    if (app.tool === "points") {
      if (from) {
        app.wish({ arrows: [...app.plan.arrows, { from, to: p }] });
        stage.spot = app.plan.arrows.length - 1;
        from = stage.pulling = null;
      } else from = p;
    } else if (app.tool === "face" && app.plan.face) {
      stage.landmark = landmarkAt(stage, app.plan.face, p);
      if (stage.landmark !== null) stage.cursor = null;
    } else if (app.tool === "grab" && selection && selection.data[Math.floor(p.y) * selection.width + Math.floor(p.x)]) {
      const change: Moving = { kind: "move", id: app.next, mask: selection, place: { dx: 0, dy: 0, scale: 1, angle: 0 } };
      app.wish({ changes: [...app.plan.changes, change], selection: null });
      app.active = change.id;
      stage.cursor = null;
    } else tools.press(p, e);
    app.changed();
  }

  addEventListener("paste", (e) => {
    const target = e.target as HTMLElement;
    if (target.matches("input, textarea")) return;
    const file = [...(e.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (file) void open(app, file, file.name || "pasted.png");
    else if (app.clip) paste(app);
  });
}
