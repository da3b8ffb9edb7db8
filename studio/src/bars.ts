// The bar above, and the tools at the side.

import { choose, fit, siblings, toggleCompare, toggleVariants } from "./actions";
import type { App, Tool } from "./app";
import { h, type Icon, icon, iconButton } from "./dom";
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
  ["regions", "regions", "R"],
  ["face", "face", "F"],
  ["hand", "hand", "H"],
];

export function topBar(app: App, place: HTMLElement, stage: Stage, doings: Doings): () => void {
  const mac = navigator.platform.startsWith("Mac");
  const meta = mac ? "⌘" : "Ctrl+";
  const name = h("span", { className: "name" });
  const open = h("button", { type: "button", className: "plain", "aria-label": text("open"), onclick: doings.open }, icon("open"), h("span", {}, text("open")));
  const undo = iconButton("undo", text("undo"), () => app.go(-1), `${meta}Z`);
  const redo = iconButton("redo", text("redo"), () => app.go(1), mac ? "⇧⌘Z" : "Ctrl+Y");
  const compare = iconButton("compare", text("compare"), () => toggleCompare(app), "C");
  const variants = iconButton("variants", text("variants"), () => toggleVariants(app), "G");
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
  const save = h("button", { type: "button", className: "plain", "aria-label": text("download"), onclick: doings.download }, icon("download"), h("span", {}, text("download")));
  const theme = iconButton("theme", text("theme"), toggleTheme);
  const keys = iconButton("keys", text("keys"), doings.keys, "?");
  keys.classList.add("keys");
  const tongue = h("button", { type: "button", className: "plain tongue", lang: speaks() === "en" ? "ko" : "en" }, text("language"));
  tongue.addEventListener("click", () => {
    speak(speaks() === "en" ? "ko" : "en");
    doings.relabel();
  });
  const logo = h("span", { className: "logo" }, h("b", {}, "drag"), "kit");
  const history = h("div", { className: "group", role: "group" }, undo, redo, compare, variants, slider);
  place.replaceChildren(logo, open, name, history, zoom, h("span", { className: "space" }), json, save, h("div", { className: "group" }, tongue, theme, keys));
  return () => {
    const { entry } = app;
    name.textContent = app.picture ? `${app.picture.name}  ${app.picture.width} × ${app.picture.height}` : "";
    undo.disabled = !app.undo.moments[app.undo.at - 1];
    redo.disabled = !app.undo.moments[app.undo.at + 1];
    compare.disabled = !entry?.parent;
    compare.setAttribute("aria-pressed", String(app.compare !== null));
    variants.disabled = !siblings(app).length;
    variants.setAttribute("aria-pressed", String(app.variants));
    slider.hidden = app.compare === null;
    if (app.compare !== null) slider.value = String(Math.round(app.compare * 100));
    level.textContent = `${Math.round(stage.view.scale * 100)}%`;
    zoom.hidden = json.hidden = save.hidden = history.hidden = !entry;
    json.disabled = !entry?.result || !entry.whole;
  };
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
