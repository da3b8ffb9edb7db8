// The list of what is to change: a card for each, with its numbers.

import type { App } from "./app";
import { h, icon, iconButton, kept } from "./dom";
import type { Place } from "./geometry";
import type { Mask } from "./masks";
import { extent } from "./requests";
import { labelled } from "./settings";
import type { Change, Face, Moving, Pasting, Plan, Removing } from "./state";
import { speaks, text, type Word } from "./texts";

export function changes(app: App, list: HTMLElement): void {
  const { plan } = app;
  const shape = plan.changes.map((c) => `${c.kind}${c.id}${c.id === app.active}${"like" in c && !!c.like}`).join();
  const count = plan.changes.length + plan.arrows.length + plan.regions.length + Number(!!plan.face);
  kept(list, [shape, plan.arrows.length, plan.regions.length, plan.face?.points, plan.face?.own.length, !!plan.selection, speaks()].join("|"), () => [
    ...plan.changes.map((change) => card(app, change)),
    plan.arrows.length ? several(app, "drag", plan.arrows.length, { arrows: [] }) : null,
    plan.regions.length ? several(app, "regions", plan.regions.length, { regions: [] }) : null,
    plan.face ? face(app, plan.face) : null,
    count ? null : h("p", { className: "quiet" }, text("nothing")),
    count > 1 ? clear(app) : null,
  ]);
  for (const input of list.querySelectorAll<HTMLInputElement>("input[data-change]")) {
    const change = plan.changes.find((c) => c.id === Number(input.dataset["change"]));
    if (change && "place" in change && document.activeElement !== input) input.value = shown(change.place, input.dataset["field"] as keyof Place);
  }
}

function card(app: App, change: Change): HTMLElement {
  const drop = () => app.wish({ changes: app.plan.changes.filter((c) => c.id !== change.id) });
  const head = h(
    "header",
    {},
    h("button", { type: "button", className: "title", "aria-pressed": String(change.id === app.active), onclick: () => activate(app, change.id) }, text(change.kind), h("small", {}, extent(change.mask))),
    iconButton("trash", `${text("delete")}: ${text(change.kind)}`, drop),
  );
  const fields = "place" in change && change.id === app.active ? numbers(app, change) : null;
  const fill = change.kind === "move" || change.kind === "remove" ? likeness(app, change) : null;
  return h("article", { className: change.id === app.active ? "card active" : "card" }, head, fields, fill);
}

function activate(app: App, id: number): void {
  app.active = app.active === id ? null : id;
  app.changed(false);
}

const FIELDS: readonly (readonly [keyof Place, Word, number])[] = [
  ["dx", "right", 1],
  ["dy", "down", 1],
  ["scale", "scale", 0.05],
  ["angle", "angle", 1],
];

const shown = (place: Place, field: keyof Place): string => String(Math.round(place[field] * (field === "scale" ? 100 : 10)) / (field === "scale" ? 100 : 10));

function numbers(app: App, change: Moving | Pasting): HTMLElement {
  const inputs = FIELDS.map(([field, word, step]) => {
    const input = h("input", { type: "number", step: String(step), value: shown(change.place, field), "data-change": change.id, "data-field": field });
    input.addEventListener("change", () => {
      const value = Number(input.value);
      const now = app.plan.changes.find((c) => c.id === change.id);
      if (!now || !("place" in now) || !Number.isFinite(value) || (field === "scale" && value <= 0)) return;
      app.wish({ changes: app.change(change.id, { place: { ...now.place, [field]: value } }) });
    });
    return labelled(text(word), input);
  });
  return h("div", { className: "numbers" }, ...inputs);
}

/** What the hole that an object leaves is filled like: what is selected now, or as the method thinks best. */
function likeness(app: App, change: Moving | Removing): HTMLElement | null {
  const { selection } = app.plan;
  const put = (like: Mask | null) => app.wish({ changes: app.change(change.id, { like }), selection: null });
  if (change.like) {
    const drop = iconButton("close", `${text("delete")}: ${text("fillLike")}`, () => put(null));
    return h("p", { className: "like" }, h("span", {}, `${text("fillLike")} · ${extent(change.like)}`), drop);
  }
  if (!selection) return null;
  return h("button", { type: "button", className: "small like", onclick: () => put(selection) }, icon("look"), text("fillLikeThis"));
}

function several(app: App, word: "drag" | "regions", count: number, none: Partial<Plan>): HTMLElement {
  const drop = iconButton("trash", `${text("delete")}: ${text(word)}`, () => app.wish(none));
  const where = app.plan.selection ? h("small", {}, text("within")) : null;
  return h("article", { className: "card" }, h("header", {}, h("span", { className: "title" }, `${text(word)} · ${count}`, where), drop));
}

function face(app: App, { own, points }: Face): HTMLElement {
  const drop = iconButton("trash", `${text("delete")}: ${text("face")}`, () => app.wish({ face: null }));
  const back = iconButton("undo", text("faceBack"), () => app.plan.face && app.wish({ face: { ...app.plan.face, wanted: app.plan.face.own } }));
  const choice = h("select", { "aria-label": text("landmarks"), disabled: own.length === 17 });
  for (const n of [68, 17] as const) choice.append(h("option", { value: String(n), selected: n === points }, text("landmarkCount", n)));
  choice.addEventListener("change", () => app.plan.face && app.wish({ face: { ...app.plan.face, points: choice.value === "17" ? 17 : 68 } }));
  return h("article", { className: "card" }, h("header", {}, h("span", { className: "title" }, text("face")), back, drop), h("div", { className: "numbers one" }, choice));
}

const clear = (app: App): HTMLElement =>
  h("button", { type: "button", className: "small", onclick: () => app.wish({ changes: [], arrows: [], regions: [], face: null, selection: null }) }, icon("close"), text("clear"));
