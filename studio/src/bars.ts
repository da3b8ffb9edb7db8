// The bar above, the tools at the side, and the options of the tool and the selection over the picture.

import type { App, Tool } from "./app";
import { h, type Icon, icon, iconButton, kept } from "./dom";
import { grown } from "./masks";
import type { Stage } from "./stage";
import { speak, speaks, text } from "./texts";

export interface Doings {
  open(): void;
  download(): void;
  json(): void;
  keys(): void;
  relabel(): void;
}

export const TOOLS: readonly (readonly [Tool, Icon, string])[] = [
  ["grab", "grab", "V"],
  ["brush", "brush", "B"],
  ["eraser", "eraser", "E"],
  ["lasso", "lasso", "L"],
  ["box", "box", "M"],
  ["points", "points", "D"],
  ["hand", "hand", "H"],
];

export function topBar(app: App, place: HTMLElement, stage: Stage, doings: Doings): () => void {
  const mac = navigator.platform.startsWith("Mac");
  const meta = mac ? "⌘" : "Ctrl+";
  const name = h("span", { className: "name" });
  const open = h("button", { type: "button", className: "plain", onclick: doings.open }, icon("open"), text("open"));
  const undo = iconButton("undo", text("undo"), () => app.go(-1), `${meta}Z`);
  const redo = iconButton("redo", text("redo"), () => app.go(1), mac ? "⇧⌘Z" : "Ctrl+Y");
  const compare = iconButton("compare", text("compare"), () => toggleCompare(app), "C");
  const slider = h("input", { type: "range", min: "0", max: "100", className: "compare", "aria-label": text("compareAt") });
  slider.addEventListener("input", () => {
    app.compare = Number(slider.value) / 100;
    app.changed(false);
  });
  const level = h("output", { className: "zoom", "aria-live": "off" });
  const zoom = h(
    "div",
    { className: "group zooms", role: "group" },
    iconButton("minus", text("zoomOut"), () => stage.zoom(0.8), "−"),
    level,
    iconButton("plus", text("zoomIn"), () => stage.zoom(1.25), "+"),
    iconButton("fit", text("fit"), () => fit(app), "0"),
  );
  const json = iconButton("json", text("json"), doings.json);
  const save = h("button", { type: "button", className: "plain", onclick: doings.download }, icon("download"), h("span", {}, text("download")));
  const theme = iconButton("theme", text("theme"), toggleTheme);
  const keys = iconButton("keys", text("keys"), doings.keys, "?");
  const tongue = h("button", { type: "button", className: "plain tongue", lang: speaks() === "en" ? "ko" : "en" }, text("language"));
  tongue.addEventListener("click", () => {
    speak(speaks() === "en" ? "ko" : "en");
    doings.relabel();
  });
  const logo = h("span", { className: "logo" }, h("b", {}, "drag"), "kit");
  const history = h("div", { className: "group", role: "group" }, undo, redo, compare, slider);
  place.replaceChildren(logo, open, name, history, zoom, h("span", { className: "space" }), json, save, h("div", { className: "group" }, tongue, theme, keys));
  return () => {
    const { entry } = app;
    name.textContent = app.picture ? `${app.picture.name}  ${app.picture.width} × ${app.picture.height}` : "";
    undo.disabled = !app.undo.moments[app.undo.at - 1];
    redo.disabled = !app.undo.moments[app.undo.at + 1];
    compare.disabled = !entry?.parent;
    compare.setAttribute("aria-pressed", String(app.compare !== null));
    slider.hidden = app.compare === null;
    if (app.compare !== null) slider.value = String(Math.round(app.compare * 100));
    level.textContent = `${Math.round(stage.view.scale * 100)}%`;
    zoom.hidden = json.hidden = save.hidden = history.hidden = !entry;
    json.disabled = !entry?.result || !entry.whole;
  };
}

export function toggleCompare(app: App): void {
  if (!app.entry?.parent) return;
  app.compare = app.compare === null ? 0.5 : null;
  app.changed(false);
}

export function fit(app: App): void {
  app.view = null;
  app.changed(false);
}

export function toggleTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset["theme"] ? root.dataset["theme"] === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset["theme"] = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset["theme"]);
  } catch {
    // a browser that keeps nothing
  }
}

export function toolBar(app: App, place: HTMLElement): () => void {
  const buttons = TOOLS.map(([tool, name, key]) => {
    const made = iconButton(name, text(tool), () => choose(app, tool), key);
    made.dataset["tool"] = tool;
    return made;
  });
  place.setAttribute("aria-label", text("tools"));
  place.replaceChildren(...buttons);
  return () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset["tool"] === app.tool));
  };
}

export function choose(app: App, tool: Tool): void {
  app.tool = tool;
  app.compare = null;
  app.changed(false);
}

/** What the tool can be told, and what can be done with the selection. */
export function options(app: App, place: HTMLElement): () => void {
  return () => {
    const { selection } = app.plan;
    place.hidden = !app.entry || app.compare !== null || !!app.running;
    const key = [app.tool, !!selection, !!app.clip, app.snap, speaks()].join();
    kept(place, key, () => [
      h("span", { className: "hint" }, text(`${app.tool}Hint` as const)),
      app.tool === "brush" || app.tool === "eraser" ? radius(app) : null,
      app.tool === "box" ? snap(app) : null,
      selection ? selected(app) : null,
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

function selected(app: App): HTMLElement {
  const by = (n: number) => app.wish({ selection: app.plan.selection && grown(app.plan.selection, n) });
  const step = Math.max(1, Math.round(Math.max(app.picture!.width, app.picture!.height) / 256));
  return h(
    "div",
    { className: "group", role: "group", "aria-label": text("selection") },
    small("trash", text("erase"), () => erase(app)),
    small("copy", text("copy"), () => copy(app)),
    app.clip && small("look", text("takeLook"), () => take(app)),
    small("plus", text("grow"), () => by(step)),
    small("minus", text("shrink"), () => by(-step)),
    small("close", text("deselect"), () => app.wish({ selection: null })),
  );
}

export function erase(app: App): void {
  const { selection, changes } = app.plan;
  if (selection) app.wish({ changes: [...changes, { kind: "remove", id: app.next, mask: selection }], selection: null });
}

/** Copy the selected object, for another picture or for this one. */
export function copy(app: App): void {
  if (!app.plan.selection || !app.picture) return;
  app.clip = { picture: app.picture, mask: app.plan.selection };
  app.changed(false);
}

/** Paste the copied object where it stood, or in the middle where that is outside. */
export function paste(app: App): void {
  const { clip, picture } = app;
  if (!clip || !picture) return;
  const id = app.next;
  const by = Math.round(picture.width / 16);
  const same = clip.picture.sha256 === picture.sha256;
  const place = { dx: same ? by : 0, dy: same ? by : 0, scale: 1, angle: 0 };
  if (clip.picture.width > picture.width * 1.5) place.scale = picture.width / clip.picture.width;
  app.wish({ changes: [...app.plan.changes, { kind: "paste", id, mask: clip.mask, other: clip.picture, place }] });
  app.active = id;
  app.tool = "grab";
}

/** Give the selection the look of the copied object. */
export function take(app: App): void {
  const { clip } = app;
  const { selection, changes } = app.plan;
  if (!clip || !selection) return;
  const change = { kind: "replace" as const, id: app.next, mask: selection, other: clip.picture, otherMask: clip.mask };
  app.wish({ changes: [...changes, change], selection: null });
}
