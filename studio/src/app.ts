// The studio's state in one place: what is open, what is planned, what runs. Views listen and draw.

import type { View } from "./geometry";
import { type Mask, resized } from "./masks";
import * as net from "./net";
import { canvas, drawn, type Canvas, file, maskOf, pen, unbase64 } from "./pixels";
import { planOf } from "./requests";
import type { About, Opened, Request, Status } from "./schema";
import { type Change, type Choices, type Entry, NOTHING, type Picture, type Plan, plain, Undo } from "./state";
import * as store from "./store";
import { say, text } from "./texts";

const SAVED = 48 * 2 ** 20; // bytes of masks that a reload finds again: more takes long to write
const PROXY = 1024; // px of the picture that previews and picks are made of: more is not seen on a screen

/** A picture no larger than a screen, which the server has too. */
export interface Proxy {
  of: string; // SHA-256
  scale: number;
  name: string; // SHA-256 of the proxy
  canvas: Canvas;
}

export type Tool = "grab" | "brush" | "eraser" | "lasso" | "box" | "points" | "hand";

export interface Running {
  id: string;
  parent: string;
  plan: Plan;
  status: Status | null;
  preview: string | null;
  label: string;
}

export class App {
  about: About | null = null;
  undo = new Undo();
  entries = new Map<string, Entry>();
  choices: Choices = { ...plain };
  tool: Tool = "grab";
  radius = 12; // px of the picture
  snap = true; // a box takes the object in it, not all of it
  active: number | null = null; // the change whose handles are shown
  view: View | null = null; // null: fit the picture
  running: Running | null = null;
  compare: number | null = null; // where the slider is, 0..1
  busy = 0; // short questions to the server under way
  clip: { picture: Picture; mask: Mask } | null = null; // the object copied for paste and for looks
  session = store.own();
  private canvases = new Map<string, Canvas>(); // by SHA-256; the shown picture and the one it is compared with
  private listeners = new Set<() => void>();
  private drawing = 0;
  private saving = 0;

  // ------------------------------------------------------------------------------------------------ what is shown

  get entry(): Entry | null {
    return this.entries.get(this.undo.now?.entry ?? "") ?? null;
  }

  get picture(): Picture | null {
    return this.entry?.picture ?? null;
  }

  get plan(): Plan {
    return this.undo.now?.plan ?? NOTHING;
  }

  /** The pixels of a picture, where they are decoded already; else they will be, and views hear of it. */
  pixels(picture: Picture | null): Canvas | null {
    if (!picture) return null;
    const found = this.canvases.get(picture.sha256);
    if (found) return found;
    void drawn(picture.file).then((on) => {
      if (this.canvases.size >= 4) this.canvases.delete(this.canvases.keys().next().value!);
      this.canvases.set(picture.sha256, on);
      this.changed();
    });
    return null;
  }

  private proxies = new Map<string, Promise<Proxy>>();

  proxy(picture: Picture): Promise<Proxy> {
    const found = this.proxies.get(picture.sha256) ?? this.shrunk(picture);
    this.proxies.clear(); // of the shown picture alone
    this.proxies.set(picture.sha256, found);
    return found;
  }

  private async shrunk(picture: Picture): Promise<Proxy> {
    const whole = this.canvases.get(picture.sha256) ?? (await drawn(picture.file));
    const scale = Math.min(1, PROXY / Math.max(whole.width, whole.height));
    if (scale === 1) return { of: picture.sha256, scale, name: picture.sha256, canvas: whole };
    const on = canvas(whole.width * scale, whole.height * scale);
    const to = pen(on, true);
    to.imageSmoothingQuality = "high";
    to.drawImage(whole, 0, 0, on.width, on.height);
    return { of: picture.sha256, scale, name: (await net.send(await file(on), picture.name)).sha256, canvas: on };
  }

  listen(view: () => void): void {
    this.listeners.add(view);
  }

  /** Let all views draw once, with the next frame; and keep what a reload must not lose. */
  changed(keep = true): void {
    if (keep) {
      clearTimeout(this.saving);
      this.saving = window.setTimeout(() => void this.save(), 250);
    }
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      for (const view of this.listeners) view();
    });
  }

  // ----------------------------------------------------------------------------------------------------- changes

  /** A new moment of the plan, that undo goes back from. */
  wish(plan: Partial<Plan>): void {
    if (!this.entry) return;
    this.undo.push({ entry: this.entry.id, plan: { ...this.plan, ...plan } });
    this.changed();
  }

  /** The same moment, further along a gesture. */
  rewish(plan: Partial<Plan>): void {
    if (!this.entry) return;
    this.undo.replace({ entry: this.entry.id, plan: { ...this.plan, ...plan } });
    this.changed();
  }

  change(id: number, how: Partial<Change>): Change[] {
    return this.plan.changes.map((c) => (c.id === id ? ({ ...c, ...how } as Change) : c));
  }

  get next(): number {
    return Math.max(0, ...this.plan.changes.map((c) => c.id)) + 1;
  }

  go(by: 1 | -1): void {
    if (!this.undo.go(by)) return;
    this.active = this.plan.changes.at(-1)?.id ?? null;
    this.changed();
  }

  /** Show an entry of the history, with nothing planned. */
  show(id: string, plan: Plan = NOTHING): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    const same = entry.picture.width === this.picture?.width && entry.picture.height === this.picture?.height;
    this.undo.push({ entry: id, plan });
    this.active = plan.changes.at(-1)?.id ?? null;
    if (!same) this.view = null;
    this.changed();
  }

  // ---------------------------------------------------------------------------------------------------- pictures

  /** Ask the server something short; what goes wrong is said, and nothing else changes. */
  async ask<T>(work: () => Promise<T>): Promise<T | null> {
    this.busy++;
    this.changed(false);
    try {
      return await work();
    } catch (error) {
      say(error instanceof net.Refused && error.message ? error.message : text("unreachable"), "bad");
      return null;
    } finally {
      this.busy--;
      this.changed(false);
    }
  }

  /** The picture that the server keeps under an answer, with its file. */
  async fetched(opened: Opened): Promise<Picture> {
    const file = await net.picture(opened.sha256);
    const { sha256, name, width, height, prompt } = opened;
    return { sha256, name, width, height, prompt, file };
  }

  async open(file: Blob, name: string): Promise<void> {
    await this.ask(async () => {
      const opened = await net.send(file, name);
      if (opened.scaled) say(text("scaled", `${opened.width} × ${opened.height}`));
      if (!(await this.restored(opened, file))) this.begin(await this.fetched(opened));
    });
  }

  async openScene(number: number): Promise<void> {
    await this.ask(async () => this.begin(await this.fetched(await net.scene(number))));
  }

  /** A new piece of work: a picture with an empty history. */
  begin(picture: Picture): Entry {
    this.entries.clear();
    this.undo = new Undo();
    this.active = this.compare = this.view = null;
    this.session = store.named(store.secret());
    const entry = this.enter(picture, null, picture.name);
    this.show(entry.id);
    return entry;
  }

  enter(picture: Picture, parent: string | null, label: string, more: Partial<Entry> = {}): Entry {
    const entry: Entry = { id: store.secret(), parent, picture, label, seed: null, whole: true, plan: null, result: false, ...more };
    this.entries.set(entry.id, entry);
    return entry;
  }

  /** A PNG that dragkit made: its own picture, its request as plan, and itself as the result. */
  private async restored(opened: Opened, file: Blob): Promise<boolean> {
    const request = opened.record?.["request"] as Request | undefined;
    const image = request?.image as { png?: string } | null | undefined;
    if (!request || !image?.png) return false;
    const other = async (given: unknown): Promise<Picture | null> => {
      const png = (given as { png?: string }).png;
      return png ? this.fetched(await net.send(unbase64(png), "reference.png")) : null;
    };
    const source = await this.fetched(await net.send(unbase64(image.png), opened.name));
    const plan = await planOf(request, other);
    const first = this.begin(source);
    const known = this.about?.models.includes(request.model ?? "") ? request.model! : this.choices.model;
    const { steps = null, seed = 0, method, guidance = null, negative_prompt = "", preserve = true } = request;
    const settings = method ? { ...this.choices.settings, [method]: request.settings ?? {} } : this.choices.settings;
    this.choices = { ...this.choices, model: known, steps, seed, method: method ?? "", guidance, negative: negative_prompt, preserve, settings };
    this.show(first.id, plan);
    const made = { ...(await this.fetched(opened)), file };
    const entry = this.enter(made, first.id, opened.name, { seed, plan, result: true });
    this.show(entry.id);
    say(text("restored"));
    return true;
  }

  /** Let the server have the pictures of a plan again where it does not keep them any more, then try once more. */
  async sent<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof net.Refused) || error.status !== 404 || !this.picture) throw error;
      this.proxies.clear();
      const others = this.plan.changes.flatMap((c) => ("other" in c ? [c.other] : []));
      for (const picture of [this.picture, ...others]) {
        const opened = await net.send(picture.file, picture.name);
        const pixels = this.canvases.get(picture.sha256);
        picture.sha256 = opened.sha256;
        if (pixels) this.canvases.set(opened.sha256, pixels);
      }
      return work();
    }
  }

  async pick(wish: { point?: [number, number]; box?: [number, number, number, number] }): Promise<Mask | null> {
    const picture = this.picture!;
    const ask = async () => {
      const { name, scale } = await this.proxy(picture);
      const point = wish.point?.map((v) => v * scale) as [number, number] | undefined;
      const box = wish.box?.map((v) => v * scale) as [number, number, number, number] | undefined;
      return net.pick({ sha256: name, point: point ?? null, box: box ?? null });
    };
    const found = await this.ask(() => this.sent(ask));
    return found && resized(await maskOf(unbase64(found.png)), picture.width, picture.height);
  }

  // ------------------------------------------------------------------------------------------------------ reload

  async save(): Promise<void> {
    if (!this.entries.size) return;
    const job = this.running && { id: this.running.id, parent: this.running.parent, plan: this.running.plan, label: this.running.label };
    const moments = this.undo.kept(SAVED);
    const at = moments.length - 1;
    const session = { id: this.session, time: Date.now(), entries: [...this.entries.values()], moments, at, choices: this.choices, job };
    try {
      await store.write(session);
    } catch {
      say(text("unsaved"), "bad");
    }
  }

  /** Take up a session; the job that ran in it, if any, is given back. */
  async load(id: string): Promise<store.Session["job"]> {
    const found = await store.read(id).catch(() => undefined);
    if (!found?.entries.length) return null;
    this.session = store.named(id);
    this.entries = new Map(found.entries.map((entry) => [entry.id, entry]));
    this.undo = new Undo();
    Object.assign(this.undo, { moments: found.moments, at: found.at });
    this.choices = { ...plain, ...found.choices };
    this.view = null;
    this.changed();
    return found.job;
  }
}
