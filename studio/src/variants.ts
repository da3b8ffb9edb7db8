// The results of several seeds side by side over the stage: one is taken by a click, and any two can be compared.

import { siblings, toggleCompare, toggleVariants } from "./actions";
import type { App } from "./app";
import { h, icon, kept } from "./dom";
import type { Entry } from "./state";
import { urlOf } from "./strip";
import { speaks, text } from "./texts";

const GAP = 16; // px between tiles and round them, as in style.css
const LINE = 34; // px of the line under each

/** How many tiles stand in a row, so that they are as large as they can be, and how wide each is. aspect: width by height. */
export function arranged(count: number, width: number, height: number, aspect: number): { across: number; wide: number } {
  const ways = Array.from({ length: count }, (_, i) => {
    const across = i + 1;
    const rows = Math.ceil(count / across);
    const high = (height - GAP * (rows + 1)) / rows - LINE;
    return { across, wide: Math.floor(Math.max(40, Math.min((width - GAP * (across + 1)) / across, high * aspect))) };
  });
  return ways.reduce((best, way) => (way.wide > best.wide ? way : best));
}

export function variants(app: App, place: HTMLElement): () => void {
  let across = 1;
  new ResizeObserver(() => app.variants && app.changed(false)).observe(place);
  place.onkeydown = (e) => {
    const tiles = [...place.querySelectorAll<HTMLElement>(".choice")];
    const at = tiles.indexOf(document.activeElement as HTMLElement);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[e.key];
    if (e.key === "Escape") toggleVariants(app);
    else if (by && tiles[at + by]) tiles[at + by]!.focus();
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return () => {
    const opening = place.hidden && app.variants;
    place.hidden = !app.variants;
    if (!app.variants || !app.picture) return;
    const parent = app.entries.get(app.entry?.parent ?? "");
    const shown = [...(parent ? [parent] : []), ...siblings(app)];
    place.setAttribute("aria-label", text("variants"));
    const aspect = app.picture.width / app.picture.height;
    const way = arranged(shown.length, place.clientWidth, place.clientHeight, aspect);
    across = way.across;
    place.style.setProperty("--across", String(across));
    place.style.setProperty("--wide", `${way.wide}px`);
    place.style.setProperty("--aspect", String(aspect));
    kept(place, [app.entry?.id, speaks(), ...shown.map((e) => e.id)].join(), () => shown.map((entry) => tile(app, entry)));
    if (opening) place.querySelector<HTMLElement>("[aria-current=true]")?.focus();
  };
}

function tile(app: App, entry: Entry): HTMLElement {
  const current = entry.id === app.entry?.id;
  const name = entry.result ? `${text("seed")} ${entry.seed}` : text("original");
  const take = entry.result ? () => app.show(entry.id) : () => toggleCompare(app);
  const choice = h("button", { type: "button", className: "choice", "aria-current": String(current), "aria-label": entry.result ? text("takeVariant", name) : text("compareWith", name), onclick: take }, h("img", { src: urlOf(entry), alt: "" }));
  const compare = h("button", { type: "button", className: "small", "aria-label": text("compareWith", name), onclick: () => toggleCompare(app, entry.result ? entry.id : null) }, icon("compare"), text("compare"));
  const mark = current ? h("small", {}, text("current")) : null;
  return h("figure", { className: "variant" }, choice, h("figcaption", {}, h("span", {}, name, mark), current ? null : compare));
}
