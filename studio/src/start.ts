// The page before a picture is open: drop, choose, a drawn scene, words, or what was open last.

import type { App } from "./app";
import { h, icon } from "./dom";
import { draw } from "./run";
import { told } from "./panel";
import * as net from "./net";
import { open, openScene } from "./opening";
import * as store from "./store";
import { text } from "./texts";

export function start(app: App, place: HTMLElement, choose: () => void, resume: (id: string) => void): () => void {
  const scenes = h("div", { className: "scenes" });
  const latest = h("div", { className: "scenes" });
  const latestBox = h("section", { hidden: true }, h("h2", {}, text("recent")), latest);
  const folder = h("div", { className: "scenes" });
  const folderBox = h("section", { hidden: true }, h("h2", {}, text("workspace")), folder);
  const prompt = h("input", { type: "text", placeholder: text("imagineHint"), "aria-label": text("imagine") });
  const button = h("button", { type: "submit", className: "plain" }, text("draw"));
  const state = h("p", { className: "quiet", "aria-live": "polite" });
  const form = h("form", { className: "imagine" }, prompt, button);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (prompt.value.trim()) void draw(app, { prompt: prompt.value.trim(), model: app.choices.model, steps: app.choices.steps, seed: app.choices.seed });
  });
  place.replaceChildren(
    h(
      "div",
      { className: "welcome" },
      h("h1", {}, text("welcome")),
      h("p", {}, text("welcomeText")),
      h("button", { type: "button", className: "run", onclick: choose }, icon("open"), text("choose")),
      h("h2", {}, text("scenes")),
      scenes,
      h("h2", {}, text("imagine")),
      form,
      state,
      latestBox,
      folderBox,
    ),
  );
  void store
    .recent()
    .then((sessions) => {
      const others = sessions.filter((s) => s.id !== app.session);
      latestBox.hidden = !others.length;
      latest.replaceChildren(...others.slice(0, 6).map((s) => tile(URL.createObjectURL(s.file), s.name, () => resume(s.id))));
    })
    .catch(() => undefined);
  let filled = 0;
  return () => {
    place.hidden = !!app.entry;
    state.textContent = app.running?.status && !app.entry ? told(app.running.status) : "";
    const count = app.about?.scenes ?? 0;
    if (count && filled !== count) {
      filled = count;
      const tiles = Array.from({ length: count }, (_, n) => tile(`api/scenes/${n}.png`, text("scene", n + 1), () => void openScene(app, n)));
      scenes.replaceChildren(...tiles);
      const names = app.about?.workspace ?? [];
      folderBox.hidden = !names.length;
      const take = (name: string) => void app.ask(() => net.kept(name)).then((file) => file && open(app, file, name));
      folder.replaceChildren(...names.map((name) => tile(`api/workspace/${encodeURIComponent(name)}`, name, () => take(name))));
    }
  };
}

function tile(src: string, name: string, onclick: () => void): HTMLElement {
  return h("button", { type: "button", className: "tile", title: name, "aria-label": name, onclick }, h("img", { src, alt: "", loading: "lazy" }));
}
