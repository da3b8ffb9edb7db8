// The panel at the side: what is to change, in words and numbers; how; and the button that does it.

import type { App } from "./app";
import { h, icon, iconButton, kept } from "./dom";
import type { Place } from "./geometry";
import { extent } from "./requests";
import { run, stop } from "./run";
import { advanced, labelled } from "./settings";
import { asks, type Change, type Moving, type Pasting } from "./state";
import { speaks, text, type Word } from "./texts";

export function panel(app: App, place: HTMLElement): () => void {
  const list = h("section", { className: "changes", "aria-label": text("changes") });
  const words = wording(app);
  const quality = qualities(app);
  const more = advanced(app);
  const go = runner(app);
  place.replaceChildren(h("div", { className: "scroll" }, h("h2", {}, text("changes")), list, words.element, quality.element, more.element), go.element);
  return () => {
    place.hidden = !app.entry;
    changes(app, list);
    for (const part of [words, quality, more, go]) part.update();
  };
}

// -------------------------------------------------------------------------------------------------------- changes

function changes(app: App, list: HTMLElement): void {
  const { plan } = app;
  const shape = plan.changes.map((c) => `${c.kind}${c.id}${c.id === app.active}`).join();
  kept(list, [shape, plan.arrows.length, !!plan.selection, speaks()].join("|"), () => [
    ...plan.changes.map((change) => card(app, change)),
    plan.arrows.length ? arrows(app) : null,
    !plan.changes.length && !plan.arrows.length ? h("p", { className: "quiet" }, text("nothing")) : null,
    plan.changes.length + plan.arrows.length > 1 ? clear(app) : null,
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
  return h("article", { className: change.id === app.active ? "card active" : "card" }, head, fields);
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

function arrows(app: App): HTMLElement {
  const { plan } = app;
  const title = `${text("drag")} · ${plan.arrows.length}`;
  const drop = iconButton("trash", `${text("delete")}: ${text("drag")}`, () => app.wish({ arrows: [] }));
  const where = plan.selection ? h("small", {}, text("within")) : null;
  return h("article", { className: "card" }, h("header", {}, h("span", { className: "title" }, title, where), drop));
}

const clear = (app: App): HTMLElement =>
  h("button", { type: "button", className: "small", onclick: () => app.wish({ changes: [], arrows: [], selection: null }) }, icon("close"), text("clear"));

// ---------------------------------------------------------------------------------------------------------- words

interface PanelPart {
  element: HTMLElement;
  update(): void;
}

function wording(app: App): PanelPart {
  const words = h("textarea", { rows: 2, placeholder: text("wordsHint") });
  const told = h("input", { type: "text", placeholder: text("showsHint") });
  words.addEventListener("change", () => words.value !== app.plan.words && app.wish({ words: words.value }));
  told.addEventListener("change", () => told.value !== app.plan.told && app.wish({ told: told.value }));
  const element = h("section", { className: "words" }, labelled(text("words"), words), labelled(text("shows"), told));
  const put = (field: HTMLInputElement | HTMLTextAreaElement, value: string) => {
    if (document.activeElement !== field && field.value !== value) field.value = value;
  };
  return {
    element,
    update() {
      put(words, app.plan.words);
      put(told, app.plan.told);
      told.placeholder = app.picture?.prompt || text("showsHint");
    },
  };
}

const QUALITIES: readonly (readonly [Word, number])[] = [
  ["quick", 0.5],
  ["normal", 1],
  ["fine", 2],
];

function qualities(app: App): PanelPart {
  const buttons = QUALITIES.map(([word, share]) => {
    const onclick = () => {
      app.choices = { ...app.choices, quality: share, steps: null };
      app.changed();
    };
    return { share, made: h("button", { type: "button", role: "radio", onclick }, text(word)) };
  });
  const count = h("select", {});
  for (let n = 1; n <= (app.about?.count ?? 8); n++) count.append(h("option", { value: String(n) }, String(n)));
  count.addEventListener("change", () => {
    app.choices = { ...app.choices, count: Number(count.value) };
    app.changed();
  });
  const group = h("div", { className: "segments", role: "radiogroup", "aria-label": text("quality") }, ...buttons.map((b) => b.made));
  const element = h("section", { className: "row" }, h("div", { className: "field" }, h("span", {}, text("quality")), group), labelled(text("seeds"), count));
  return {
    element,
    update() {
      const { quality, steps } = app.choices;
      for (const { share, made } of buttons) made.setAttribute("aria-checked", String(steps === null && share === quality));
      count.value = String(app.choices.count);
    },
  };
}

// ------------------------------------------------------------------------------------------------------------ run

function runner(app: App): PanelPart {
  const bar = h("progress", { max: 1, value: 0 });
  const state = h("span", { className: "state" });
  const button = h("button", { type: "button", className: "run" });
  const element = h("footer", {}, h("div", { className: "progress", "aria-live": "off" }, bar, state), button);
  button.addEventListener("click", () => void (app.running ? stop(app) : run(app)));
  return {
    element,
    update() {
      const running = !!app.running;
      kept(button, `${running}${speaks()}`, () => [icon(running ? "stop" : "run", true), text(running ? "stop" : "run")]);
      button.classList.toggle("stopping", running);
      button.disabled = !running && !asks(app.plan);
      element.classList.toggle("busy", running);
      const status = app.running?.status;
      bar.hidden = !running;
      state.textContent = status ? told(status) : "";
      if (status?.state === "running" && status.total) bar.value = status.done / status.total;
      else bar.removeAttribute("value");
    },
  };
}

type Told = { state: string; phase: string; ahead: number; left: number | null; done: number; total: number };

export function told(status: Told): string {
  if (status.state === "queued") return text("queued", Math.max(0, status.ahead - 1));
  const phase = status.phase ? text(status.phase as Word) : "";
  const left = status.left === null ? "" : `, ${text("left", status.left < 90 ? text("seconds", Math.max(1, Math.round(status.left))) : text("minutes", Math.round(status.left / 60)))}`;
  return `${phase}${status.total ? ` ${status.done}/${status.total}` : ""}${left}`;
}
