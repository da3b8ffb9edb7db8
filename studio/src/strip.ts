// The history below: every result as a small picture, the one shown marked.

import type { App } from "./app";
import { h, icon } from "./dom";
import type { Entry } from "./state";
import { speaks, text } from "./texts";

const urls = new Map<string, string>();

export function urlOf(entry: Entry): string {
  const { sha256, file } = entry.picture;
  const found = urls.get(sha256) ?? URL.createObjectURL(file);
  urls.set(sha256, found);
  return found;
}

export function strip(app: App, place: HTMLElement): () => void {
  let key = "";
  return () => {
    const entries = [...app.entries.values()];
    place.hidden = !entries.length;
    const now = [app.entry?.id, app.running?.parent, !!app.running?.preview, speaks(), ...entries.map((e) => e.id)].join();
    if (now === key) return;
    key = now;
    const focused = place.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["id"] : null;
    place.setAttribute("aria-label", text("history"));
    place.replaceChildren(...entries.map((entry) => thumb(app, entry)));
    const current = place.querySelector<HTMLElement>("[aria-current=true]");
    current?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focused) place.querySelector<HTMLElement>(`[data-id="${focused}"]`)?.focus();
  };
}

function thumb(app: App, entry: Entry): HTMLElement {
  const name = entry.result ? `${entry.label}${entry.seed === null ? "" : `, ${text("seed")} ${entry.seed}`}` : text("original");
  const shown = entry.id === app.entry?.id;
  const picture = h("img", { src: urlOf(entry), alt: "", decoding: "async" });
  const mark = entry.whole ? null : h("span", { className: "mark" }, text("stoppedMark"));
  const caption = h("span", { className: "caption" }, entry.result ? `${entry.label}${entry.batch ? ` · ${entry.seed}` : ""}` : text("original"), mark);
  const look = h("button", { type: "button", className: "thumb", title: name, "aria-label": name, "aria-current": String(shown), "data-id": entry.id, onclick: () => app.show(entry.id) }, picture, caption);
  const plan = entry.plan;
  const parent = entry.parent;
  const again = plan && parent && h("button", { type: "button", className: "again", title: text("again"), "aria-label": `${text("again")}: ${name}`, onclick: () => app.show(parent, plan) }, icon("again"));
  return h("div", { className: "shot" }, look, again || null);
}
