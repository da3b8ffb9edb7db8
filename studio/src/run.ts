// Jobs: asked for, watched, stopped; their results entered into the history.

import type { App } from "./app";
import * as net from "./net";
import { kept } from "./opening";
import { request } from "./requests";
import type { Drawing, Status } from "./schema";
import { type Plan, poses } from "./state";
import { say, text } from "./texts";

export async function run(app: App): Promise<void> {
  if (app.running || !app.entry) return;
  const { plan, entry } = app;
  const status = await app.ask(() => app.sent(async () => net.edit(await request(plan, entry.picture, app.choices, app.about))));
  if (status) await follow(app, status.id, entry.id, plan, label(plan));
}

export async function draw(app: App, drawing: Drawing): Promise<void> {
  if (app.running) return;
  const status = await app.ask(() => net.draw(drawing));
  if (status) await follow(app, status.id, "", app.plan, drawing.prompt);
}

export async function stop(app: App): Promise<void> {
  if (app.running) await app.ask(() => net.stop(app.running!.id));
}

/** Watch a job to its end; also one that ran when the page was loaded again. */
export async function follow(app: App, id: string, parent: string, plan: Plan, name: string): Promise<void> {
  app.running = { id, parent, plan, label: name, status: null, preview: null };
  app.compare = app.against = null;
  app.variants = false;
  app.changed();
  try {
    const last = await net.watch(id, (status) => {
      if (!app.running) return;
      app.running.status = status;
      app.running.preview = status.preview ?? app.running.preview;
      app.changed(false);
    });
    await finish(app, last, parent, plan, name);
  } catch (error) {
    say(error instanceof net.Refused && error.message ? error.message : text("unreachable"), "bad");
  } finally {
    app.running = null;
    app.changed();
  }
}

async function finish(app: App, status: Status, parent: string, plan: Plan, name: string): Promise<void> {
  for (const note of status.notes) say(note);
  if (status.state === "failed") say(status.detail, "bad");
  if (status.state === "stopped") say(text(status.results.length ? "stoppedKept" : "stopped"));
  let first = "";
  for (const made of status.results) {
    const file = await net.result(made.url);
    const opened = await net.send(file, `${base(app, parent)}-${name.split(" ")[0]}.png`);
    const picture = { ...(await kept(opened, file)), prompt: plan.words.trim() || opened.prompt || (app.entries.get(parent)?.picture.prompt ?? "") };
    if (!parent) {
      app.begin(picture);
      return;
    }
    const more = { seed: made.seed, batch: status.results.length > 1 ? status.id : null, whole: made.whole, plan, result: true };
    const { id } = app.enter(picture, parent, name, more);
    first ||= id;
  }
  if (first) app.show(first);
  app.variants = status.results.length > 1;
  if (status.state === "done") announce(app.variants ? text("variantsReady", status.results.length) : text("ready"));
}

const base = (app: App, parent: string): string => (app.entries.get(parent)?.picture.name ?? "picture").replace(/\.\w+$/, "").slice(0, 60);

/** For screen readers alone: those who see the result need no sentence. */
function announce(sentence: string): void {
  document.querySelector("#heard")!.textContent = sentence;
}

/** What a plan does, in a few words. */
export function label(plan: Plan): string {
  const kinds = plan.changes.map((c) => text(c.kind));
  if (plan.arrows.length) kinds.push(text("drag"));
  if (plan.regions.length) kinds.push(text("regions"));
  if (poses(plan)) kinds.push(text("face"));
  if (plan.words.trim()) kinds.push(text("reword"));
  return [...new Set(kinds)].join(" + ");
}
