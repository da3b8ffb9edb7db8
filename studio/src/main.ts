// Puts the page together.

import { App } from "./app";
import { toolBar, topBar } from "./bars";
import { file, h } from "./dom";
import { toPicture, toScreen } from "./geometry";
import { handles, type Knob, landed } from "./handles";
import { keyboard } from "./keyboard";
import * as net from "./net";
import { open, openScene } from "./opening";
import { options } from "./options";
import { panel } from "./panel";
import { follow } from "./run";
import { Stage } from "./stage";
import { start } from "./start";
import type { Moving, Picture } from "./state";
import { strip } from "./strip";
import { say, speak, speaks, text } from "./texts";
import { Tools } from "./tools";
import { variants } from "./variants";
import "./style.css";

const $ = <T extends HTMLElement>(selector: string): T => document.querySelector<T>(selector)!;

const app = new App();
const stage = new Stage(app, $("#canvas"));
const tools = new Tools(app, stage);
let views: (() => void)[] = [];
app.listen(() => views.forEach((view) => view()));

try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset["theme"] = theme;
} catch {
  // a browser that keeps nothing
}

const choose = (): void => file("image/*", (given) => open(app, given, given.name));

function save(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

const doings = {
  open: choose,
  download: () => app.picture && save(app.picture.file, nameOf(app.picture)),
  json: () => void request(),
  keys: () => $<HTMLDialogElement>("#keys").showModal(),
  relabel: build,
};

/** A file's name with the ending of what it holds: JPEGs that were opened stay what they are. */
const nameOf = ({ name, file }: Picture): string => `${name.replace(/\.\w+$/, "")}.${file.type === "image/jpeg" ? "jpg" : "png"}`;

/** The request of the shown result, as its PNG carries it: with the pictures, so that it stands alone. */
async function request(): Promise<void> {
  const { picture } = app;
  const opened = picture && (await app.ask(() => net.send(picture.file, picture.name)));
  const asked = opened?.record?.["request"];
  if (asked) save(new Blob([JSON.stringify(asked, null, 2)], { type: "application/json" }), `${picture!.name.replace(/\.\w+$/, "")}.json`);
}

async function resume(id: string): Promise<void> {
  const job = await app.load(id);
  if (job) void follow(app, job.id, job.parent, job.plan, job.label);
}

/** Make all views, in the language of the page. */
function build(): void {
  speak(speaks());
  for (const place of document.querySelectorAll<HTMLElement>("[data-key]")) delete place.dataset["key"];
  $("#canvas").setAttribute("aria-label", text("canvas"));
  keysDialog();
  views = [
    topBar(app, $("#top"), stage, doings),
    toolBar(app, $("#tools")),
    options(app, $("#options"), stage),
    panel(app, $("#panel")),
    strip(app, $("#strip")),
    variants(app, $("#variants")),
    start(app, $("#start"), choose, (id) => void resume(id)),
    () => document.body.classList.toggle("open", !!app.entry),
    () => document.body.classList.toggle("asking", app.busy > 0),
  ];
  app.changed(false);
}

function keysDialog(): void {
  const rows: [string, string][] = [
    ["V B E L M D R F H", text("tools")],
    ["← ↑ ↓ →", text("move")],
    ["Space", text("grab")],
    ["< >", text("scale")],
    [", .", text("angle")],
    ["[ ]", text("size")],
    ["Del", text("remove")],
    ["Esc", `${text("deselect")} / ${text("stop")}`],
    ["Ctrl+Z  Ctrl+Y", `${text("undo")}, ${text("redo")}`],
    ["Ctrl+C  Ctrl+V", `${text("copy")}, ${text("pasteHere")}`],
    ["C", text("compare")],
    ["G", text("variants")],
    ["+ − 0", `${text("zoomIn")}, ${text("zoomOut")}, ${text("fit")}`],
    ["Ctrl+Enter", text("run")],
  ];
  const table = h("table", {}, ...rows.map(([keys, what]) => h("tr", {}, h("td", {}, h("kbd", {}, keys)), h("td", {}, what))));
  const close = h("button", { type: "button", className: "plain", onclick: () => $<HTMLDialogElement>("#keys").close() }, text("close"));
  $("#keys").replaceChildren(h("h2", {}, text("keys")), table, close);
}

addEventListener("dragover", (e) => {
  e.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (e) => e.relatedTarget === null && document.body.classList.remove("dropping"));
addEventListener("drop", (e) => {
  e.preventDefault();
  document.body.classList.remove("dropping");
  const given = e.dataTransfer?.files[0];
  if (given) void open(app, given, given.name);
});
addEventListener("pagehide", () => void app.save());

// The page is made once it is known what the server offers: a button made anew under a finger loses its click.
void net
  .about()
  .then((about) => {
    app.about = about;
    if (!about.models.includes(app.choices.model)) app.choices = { ...app.choices, model: about.models[0]! };
  })
  .catch(() => say(text("unreachable"), "bad"))
  .finally(() => {
    build();
    keyboard(app, stage, tools, doings.keys);
    void resume(app.session);
  });

// For tests: what is on the page, in its own words.
declare global {
  interface Window {
    studio: { app: App; stage: Stage; openScene: (number: number) => void; handles: (change: Moving) => Knob[] };
  }
}
window.studio = {
  app,
  stage,
  openScene: (number) => void openScene(app, number),
  handles: (change) => handles(landed(change, stage.live).map((p) => toScreen(stage.view, p))).knobs.map((k) => ({ ...k, ...toPicture(stage.view, k) })),
};
