// What a plan will look like, before any diffusion: at once by the browser, and properly when the pointer rests.

import type { App } from "./app";
import { landmarks } from "./faces";
import { placement, type Point, warp } from "./geometry";
import { centroid, type Mask, polygon } from "./masks";
import * as net from "./net";
import { canvas, type Canvas, type Cut, drawn, pen, sprite } from "./pixels";
import { filled } from "./regions";
import { edits } from "./requests";
import type { Lattice, Request } from "./schema";
import { added, sheet } from "./sheet";
import { bends, goes, moves, type Moving, NOTHING, type Pasting, type Picture, type Plan, poses, pulls } from "./state";

const BENT = 512; // px at which the browser bends: 10 ms there
const REST = 60; // ms without a change after which the server is asked: a hand at rest, not one that goes slowly

export class Live {
  settled: { plan: Plan; canvas: Canvas } | null = null; // the server's answer
  bent: { plan: Plan; of: Lattice; from: Canvas; canvas: Canvas } | null = null; // the last bending
  plate: { key: Mask[]; canvas: Canvas } | null = null; // what is behind the objects
  private wanted: Mask[] = [];
  private sprites = new WeakMap<Mask, Cut>();
  private seen: Plan | null = null;
  private timer = 0;
  private stop: AbortController | null = null;

  constructor(private app: App) {
    app.listen(() => this.look());
  }

  /** Whether anything of the plan can be shown. */
  get shows(): boolean {
    return moves(this.app.plan);
  }

  private look(): void {
    const { plan, picture } = this.app;
    if (!picture || plan === this.seen) return;
    this.seen = plan;
    this.app.decoded.proxy(picture).catch(() => undefined); // ready before it is needed
    void this.behind(picture, plan);
    clearTimeout(this.timer);
    this.stop?.abort();
    if (this.shows) this.timer = window.setTimeout(() => void this.settle(picture, plan), REST);
  }

  /** The server's preview of edits on the proxy; sent again where it is not kept any more. */
  private async asked(picture: Picture, make: Request["edits"], signal?: AbortSignal): Promise<Canvas> {
    const ask = async (): Promise<Blob> => {
      const proxy = await this.app.decoded.proxy(picture);
      const image = { name: picture.name, sha256: proxy.name };
      return net.preview({ image, edits: make, model: this.app.choices.model }, signal);
    };
    return drawn(await this.app.sent(ask));
  }

  /** The picture with all objects that move, or may be about to, taken away. */
  private async behind(picture: Picture, plan: Plan): Promise<void> {
    const key = holes(plan, picture);
    if (plan.selection && this.app.tool === "grab" && !plan.arrows.length) key.push(plan.selection);
    if (same(key, this.wanted)) return;
    this.wanted = key;
    if (!key.length) return;
    try {
      const proxy = await this.app.decoded.proxy(picture);
      const changes = key.map((mask, id) => ({ kind: "remove" as const, id, mask }));
      const made = await edits({ ...NOTHING, changes }, proxy.scale, proxy.canvas);
      const found = await this.asked(picture, made);
      if (same(key, this.wanted)) this.plate = { key, canvas: found };
      this.app.changed(false);
    } catch {
      this.wanted = []; // the next change asks again
    }
  }

  private async settle(picture: Picture, plan: Plan): Promise<void> {
    this.stop = new AbortController();
    try {
      const proxy = await this.app.decoded.proxy(picture);
      const wanted = { ...plan, words: "", changes: plan.changes.filter((c) => c.kind !== "replace") };
      const found = await this.asked(picture, await edits(wanted, proxy.scale, proxy.canvas), this.stop.signal);
      if (this.app.plan === plan) this.settled = { plan, canvas: found };
      this.app.changed(false);
    } catch {
      // what the browser shows by itself stays
    }
  }

  /** Draw the plan's outcome as far as it is known now, in pixels of the picture. */
  draw(to: CanvasRenderingContext2D, picture: Picture, pixels: Canvas, light: Canvas): void {
    const { plan } = this.app;
    if (!this.shows) {
      to.drawImage(light, 0, 0, picture.width, picture.height);
      return;
    }
    if (this.settled?.plan === plan) {
      to.drawImage(this.settled.canvas, 0, 0, picture.width, picture.height);
      return;
    }
    const left = holes(plan, picture);
    const ground = left.length && this.plate && left.every((mask) => this.plate!.key.includes(mask)) ? this.plate.canvas : light;
    const base = bends(plan) ? this.bend(ground, picture, plan) : ground;
    to.drawImage(base, 0, 0, picture.width, picture.height);
    for (const region of plan.regions.filter(goes)) filled(to, light, picture, region);
    for (const change of plan.changes) if (change.kind === "move" || change.kind === "paste") this.drawObject(to, pixels, change);
  }

  private drawObject(to: CanvasRenderingContext2D, pixels: Canvas, change: Moving | Pasting): void {
    const from = change.kind === "move" ? pixels : this.app.pixels(change.other);
    if (!from) return;
    const { canvas: object, x, y } = this.cut(change.mask, from);
    to.save();
    to.transform(...placement(this.centre(change.mask), change.place));
    to.drawImage(object, x, y);
    to.restore();
  }

  private centres = new WeakMap<Mask, { x: number; y: number }>();

  centre(mask: Mask): { x: number; y: number } {
    const found = this.centres.get(mask) ?? centroid(mask);
    this.centres.set(mask, found);
    return found;
  }

  cut(mask: Mask, from: Canvas): Cut {
    const found = this.sprites.get(mask) ?? sprite(from, mask);
    this.sprites.set(mask, found);
    return found;
  }

  private smalls = new WeakMap<Canvas, ImageData>();

  /** The ground at the size at which the browser bends it. */
  private small(ground: Canvas): ImageData {
    const known = this.smalls.get(ground);
    if (known) return known;
    const scale = Math.min(1, BENT / Math.max(ground.width, ground.height));
    const on = canvas(ground.width * scale, ground.height * scale);
    pen(on, true).drawImage(ground, 0, 0, on.width, on.height);
    const found = pen(on, true).getImageData(0, 0, on.width, on.height);
    this.smalls.set(ground, found);
    return found;
  }

  private bend(ground: Canvas, picture: Picture, plan: Plan): Canvas {
    const of = this.field(plan, picture);
    if (this.bent?.of === of && this.bent.from === ground) return this.bent.canvas;
    const source = this.small(ground);
    const out = new ImageData(source.width, source.height);
    warp(source.data, out.data, source.width, source.height, of, picture.width / source.width);
    const on = this.bent?.canvas.width === out.width && this.bent.canvas.height === out.height ? this.bent.canvas : canvas(out.width, out.height);
    pen(on).putImageData(out, 0, 0);
    this.bent = { plan, of, from: ground, canvas: on };
    return on;
  }

  private last: { key: unknown[]; of: Lattice } | null = null;

  /** What the arrows and the face's landmarks pull where; kept while they are the same. */
  private field(plan: Plan, picture: Picture): Lattice {
    const { arrows, face, selection } = plan;
    const key = [arrows, face, selection, picture];
    if (this.last && key.every((part, i) => part === this.last!.key[i])) return this.last.of;
    const pulled = pulls(plan) ? sheet(arrows, picture, selection) : null;
    const of = poses(plan) ? added(sheet(landmarks(face!), picture, "all"), pulled) : pulled!;
    this.last = { key, of };
    return of;
  }
}

const vacated = new WeakMap<Point[], Mask>();

/** What objects and regions leave, or is taken away. */
function holes({ changes, regions }: Plan, { width, height }: Picture): Mask[] {
  const found = changes.flatMap((c) => (c.kind === "move" || c.kind === "remove" ? [c.mask] : []));
  for (const { from } of regions.filter(goes)) {
    const mask = vacated.get(from) ?? polygon(width, height, from);
    vacated.set(from, mask);
    found.push(mask);
  }
  return found;
}

const same = (a: Mask[], b: Mask[]): boolean => a.length === b.length && a.every((mask, i) => mask === b[i]);
