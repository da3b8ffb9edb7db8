// The studio's state in one place: what is open, what is planned, what runs. Views listen and draw.

import { Decoded } from "./decoded";
import type { View } from "./geometry";
import { enlarged, type Mask } from "./masks";
import * as net from "./net";
import { type Canvas, maskOf, unbase64 } from "./pixels";
import type { About, Status } from "./schema";
import { type Change, type Choices, type Entry, NOTHING, type Picture, type Plan, plain, Undo } from "./state";
import * as store from "./store";
import { say, text } from "./texts";

const SAVED = 128 * 2 ** 20; // pixels of masks that a reload finds again; an eighth as many bytes, each written once

export type Tool = "grab" | "brush" | "eraser" | "lasso" | "box" | "points" | "regions" | "face" | "hand";

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
  against: string | null = null; // the entry that the shown one is compared with; null: the one it was made of
  variants = false; // the results of several seeds are shown side by side
  readonly decoded = new Decoded(() => this.changed());
  private listeners = new Set<() => void>();
  private drawing = 0;
  private saving = 0;
  private changes = 0; // so far, and how many of them are kept
  private kept = 0;

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
    return picture && this.decoded.get(picture);
  }

  listen(view: () => void): void {
    this.listeners.add(view);
  }

  /** Let all views draw once, with the next frame; and keep what a reload must not lose. */
  changed(keep = true): void {
    if (keep) {
      this.changes++;
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
    this.variants = false;
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
    this.against = null;
    this.variants = false;
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
    const entry: Entry = { id: store.secret(), parent, picture, label, seed: null, batch: null, whole: true, plan: null, result: false, ...more };
    this.entries.set(entry.id, entry);
    return entry;
  }

  /** Let the server have the pictures of a plan again where it does not keep them any more, then try once more. */
  async sent<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof net.Refused) || error.status !== 404 || !this.picture) throw error;
      this.decoded.forget();
      const others = this.plan.changes.flatMap((c) => ("other" in c ? [c.other] : []));
      for (const picture of [this.picture, ...others]) {
        picture.sha256 = (await net.send(picture.file, picture.name)).sha256;
      }
      return work();
    }
  }

  async pick(wish: { point?: [number, number]; box?: [number, number, number, number] }): Promise<Mask | null> {
    const picture = this.picture!;
    const ask = async () => {
      const { name, scale } = await this.decoded.proxy(picture);
      const point = wish.point?.map((v) => v * scale) as [number, number] | undefined;
      const box = wish.box?.map((v) => v * scale) as [number, number, number, number] | undefined;
      return net.pick({ sha256: name, point: point ?? null, box: box ?? null });
    };
    const found = await this.ask(() => this.sent(ask));
    return found && enlarged(await maskOf(unbase64(found.png)), picture.width, picture.height);
  }

  // ------------------------------------------------------------------------------------------------------ reload

  /** Whether a reload would lose something. */
  get unsaved(): boolean {
    return this.kept < this.changes;
  }

  async save(): Promise<void> {
    const now = this.changes;
    if (!this.entries.size) return;
    const job = this.running && { id: this.running.id, parent: this.running.parent, plan: this.running.plan, label: this.running.label };
    const moments = this.undo.kept(SAVED);
    const at = moments.length - 1;
    const session = { id: this.session, time: Date.now(), entries: [...this.entries.values()], moments, at, choices: this.choices, job };
    try {
      await store.write(session);
      this.kept = Math.max(this.kept, now);
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
    const moments = found.moments.map(({ entry, plan }) => ({ entry, plan: { ...NOTHING, ...plan } })); // of earlier versions
    Object.assign(this.undo, { moments, at: found.at });
    this.choices = { ...plain, ...found.choices };
    this.view = null;
    this.changed();
    return found.job;
  }
}
