// The panel at the side: what is to change, in words and numbers; how; and the button that does it.

import type { App } from "./app";
import { changes } from "./changes";
import { h, icon, iconButton, kept } from "./dom";
import { run, stop } from "./run";
import { advanced, labelled } from "./settings";
import { asks, type Plan, type Quality } from "./state";
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

interface PanelPart {
  element: HTMLElement;
  update(): void;
}

function wording(app: App): PanelPart {
  const words = h("textarea", { rows: 2, placeholder: text("wordsHint") });
  const told = h("input", { type: "text", placeholder: text("showsHint") });
  const about = h("input", { type: "text", placeholder: text("aboutHint") });
  const target = h("div", {});
  const more = h("div", { className: "words" }, labelled(text("about"), about), target);
  const fields = [["words", words], ["told", told], ["about", about]] as const;
  for (const [name, field] of fields) field.addEventListener("change", () => field.value !== app.plan[name] && app.wish({ [name]: field.value }));
  const element = h("section", { className: "words" }, labelled(text("words"), words), labelled(text("shows"), told), more);
  return {
    element,
    update() {
      for (const [name, field] of fields) if (document.activeElement !== field && field.value !== app.plan[name]) field.value = app.plan[name];
      told.placeholder = app.picture?.prompt || text("showsHint");
      more.hidden = !app.plan.words.trim();
      aimed(app, target);
    },
  };
}

/** Where what the words are about is, which the selection says, and where it will be. */
function aimed(app: App, place: HTMLElement): void {
  const { selection, target } = app.plan;
  kept(place, [!!selection, !!target, speaks()].join(), () => {
    if (target) return [h("p", { className: "like" }, h("span", {}, text("target")), iconButton("close", `${text("delete")}: ${text("target")}`, () => app.wish({ target: null })))];
    const put: Partial<Plan> = { target: selection, selection: null };
    return [selection ? h("button", { type: "button", className: "small", onclick: () => app.wish(put) }, icon("box"), text("asTarget")) : h("p", { className: "quiet" }, text("whereHint"))];
  });
}

const QUALITIES: readonly (readonly [Word, Quality])[] = [
  ["quick", "fast"],
  ["normal", "balanced"],
  ["fine", "best"],
];

function qualities(app: App): PanelPart {
  const buttons = QUALITIES.map(([word, name]) => {
    const onclick = () => {
      app.choices = { ...app.choices, quality: name, steps: null };
      app.changed();
    };
    return { name, made: h("button", { type: "button", role: "radio", onclick }, text(word)) };
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
      for (const { name, made } of buttons) made.setAttribute("aria-checked", String(steps === null && name === quality));
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
