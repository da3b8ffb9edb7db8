// Pictures come in: as files, as drawn scenes, and as results that bring their plan along.

import type { App } from "./app";
import * as net from "./net";
import { unbase64 } from "./pixels";
import { planOf } from "./plans";
import type { Opened, Request } from "./schema";
import type { Picture } from "./state";
import { say, text } from "./texts";

/** The picture that the server keeps under an answer. file: what was sent, where the page can show that itself. */
export async function kept(opened: Opened, file: Blob | null = null): Promise<Picture> {
  const { sha256, name, width, height, prompt } = opened;
  return { sha256, name, width, height, prompt, file: file ?? (await net.picture(sha256)) };
}

/** JPEGs are shown as they are: what the server makes of them is the same, and several times as large. */
const JPEG = "image/jpeg";
const own = (file: Blob, opened: Opened): Blob | null => (file.type === JPEG && !opened.scaled ? file : null);

export async function open(app: App, file: Blob, name: string): Promise<void> {
  await app.ask(async () => {
    if (file.type === JPEG) app.decoded.prepare(file);
    const opened = await net.send(file, name);
    if (opened.scaled) say(text("scaled", `${opened.width} × ${opened.height}`));
    if (!(await restored(app, opened, file))) app.begin(await kept(opened, own(file, opened)));
  });
}

export async function openScene(app: App, number: number): Promise<void> {
  await app.ask(async () => app.begin(await kept(await net.scene(number))));
}

/** Another picture than the one that is edited: to take something from. */
export const other = (app: App, file: Blob, name: string): Promise<Picture | null> =>
  app.ask(async () => {
    const opened = await net.send(file, name);
    return kept(opened, own(file, opened));
  });

/** A PNG that dragkit made: its own picture, its request as plan, and itself as the result. */
async function restored(app: App, opened: Opened, file: Blob): Promise<boolean> {
  const request = opened.record?.["request"] as Request | undefined;
  const image = request?.image as { png?: string } | null | undefined;
  if (!request || !image?.png) return false;
  const reference = async (given: unknown): Promise<Picture | null> => {
    const png = (given as { png?: string }).png;
    return png ? kept(await net.send(unbase64(png), "reference.png")) : null;
  };
  const source = await kept(await net.send(unbase64(image.png), opened.name));
  const plan = await planOf(request, source, reference);
  const first = app.begin(source);
  app.choices = chosen(app, request);
  app.show(first.id, plan);
  const entry = app.enter(await kept(opened, file), first.id, opened.name, { seed: request.seed ?? 0, plan, result: true });
  app.show(entry.id);
  say(text("restored"));
  return true;
}

function chosen(app: App, request: Request): App["choices"] {
  const { steps = null, seed = 0, method, guidance = null, preserve = true } = request;
  const model = app.about?.models.includes(request.model ?? "") ? request.model! : app.choices.model;
  const settings = method ? { ...app.choices.settings, [method]: request.settings ?? {} } : app.choices.settings;
  const told = { negative: request.negative_prompt ?? "", other: request.reference_prompt ?? "", window: request.window !== "off" };
  return { ...app.choices, ...told, model, steps, seed, method: method ?? "", guidance, preserve, settings };
}
