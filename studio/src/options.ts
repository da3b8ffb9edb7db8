// What the tool can be told, and what can be done with the selection, over the picture.

import { copy, erase, paste, take } from "./actions";
import type { App } from "./app";
import { file, h, type Icon, icon, kept } from "./dom";
import { become, begin } from "./faces";
import { grown } from "./masks";
import { ofSelection } from "./outlining";
import type { Stage } from "./stage";
import { speaks, text } from "./texts";

export function options(app: App, place: HTMLElement, stage: Stage): () => void {
  return () => {
    const { selection } = app.plan;
    place.hidden = !app.entry || app.compare !== null || app.variants || !!app.running;
    const key = [app.tool, !!selection, !!app.clip, app.snap, !!app.plan.face, speaks()].join();
    kept(place, key, () => [
      h("span", { className: "hint" }, text(`${app.tool}Hint` as const)),
      app.tool === "brush" || app.tool === "eraser" ? radius(app) : null,
      app.tool === "box" ? snap(app) : null,
      app.tool === "face" ? faces(app) : null,
      selection ? selected(app, stage) : null,
      !selection && app.clip ? small("paste", text("pasteHere"), () => paste(app)) : null,
    ]);
    const size = place.querySelector<HTMLInputElement>("input[type=range]");
    if (size && document.activeElement !== size) size.value = String(app.radius);
  };
}

function radius(app: App): HTMLElement {
  const most = Math.max(20, Math.round(Math.max(app.picture!.width, app.picture!.height) / 8));
  const size = h("input", { type: "range", min: "1", max: String(most), value: String(app.radius) });
  size.addEventListener("input", () => {
    app.radius = Number(size.value);
    app.changed(false);
  });
  return h("label", { className: "inline" }, text("size"), size);
}

function snap(app: App): HTMLElement {
  const tick = h("input", { type: "checkbox", checked: app.snap });
  tick.addEventListener("change", () => {
    app.snap = tick.checked;
  });
  return h("label", { className: "inline" }, tick, text("snap"));
}

const small = (name: Icon, label: string, onclick: () => void): HTMLButtonElement =>
  h("button", { type: "button", className: "small", onclick }, icon(name), label);

function selected(app: App, stage: Stage): HTMLElement {
  const by = (n: number) => app.wish({ selection: app.plan.selection && grown(app.plan.selection, n) });
  const step = Math.max(1, Math.round(Math.max(app.picture!.width, app.picture!.height) / 256));
  return h(
    "div",
    { className: "group", role: "group", "aria-label": text("selection") },
    small("trash", text("erase"), () => erase(app)),
    small("copy", text("copy"), () => copy(app)),
    app.clip && small("look", text("takeLook"), () => take(app)),
    small("regions", text("asRegion"), () => ofSelection(app, stage)),
    small("plus", text("grow"), () => by(step)),
    small("minus", text("shrink"), () => by(-step)),
    small("close", text("deselect"), () => app.wish({ selection: null })),
  );
}

/** How a face gets its landmarks, and what they are to become. */
function faces(app: App): HTMLElement {
  const points = "application/json,.json";
  const found = app.plan.face
    ? [small("look", text("like"), () => file(`image/*,${points}`, (given) => become(app, given)))]
    : [small("face", text("findFace"), () => void begin(app, null)), small("json", text("fileFace"), () => file(points, (given) => begin(app, given)))];
  return h("div", { className: "group", role: "group", "aria-label": text("face") }, ...found);
}
