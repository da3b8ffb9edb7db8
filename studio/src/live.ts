// What a plan will look like, before any diffusion: at once by the browser, and properly when the pointer rests.

import type { App } from "./app";
import { placement, warp } from "./geometry";
import { centroid, type Mask } from "./masks";
import * as net from "./net";
import { canvas, type Canvas, type Cut, drawn, pen, sprite } from "./pixels";
import { edits } from "./requests";
import type { Lattice, Request } from "./schema";
import { moves, type Picture, type Plan, pulls } from "./state";

const FIELD = 256; // px at which displacements are asked for: they are coarse anyway
const BENT = 512; // px at which the browser bends: 10 ms there
const REST = 110; // ms without a change after which the server is asked

export class Live {
  settled: { plan: Plan; canvas: Canvas } | null = null; // the server's answer
  delay = 0; // ms the last bending took
  private plate: { key: Mask[]; canvas: Canvas } | null = null; // what is behind the objects
  private wanted: Mask[] = [];
  private lattice: Lattice | null = null;
  private latticePlan: Plan | null = null;
  private asking = false;
  private bent: { of: Lattice; canvas: Canvas } | null = null;
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
    this.app.proxy(picture).catch(() => undefined); // ready before it is needed
    void this.behind(picture, plan);
    if (pulls(plan)) void this.field(picture);
    clearTimeout(this.timer);
    this.stop?.abort();
    if (this.shows) this.timer = window.setTimeout(() => void this.settle(picture, plan), REST);
  }

  /** The server's preview of edits on the proxy; sent again where it is not kept any more. */
  private async asked(picture: Picture, make: Request["edits"], signal?: AbortSignal): Promise<Canvas> {
    const ask = async (): Promise<Blob> => {
      const proxy = await this.app.proxy(picture);
      const image = { name: picture.name, sha256: proxy.name };
      return net.preview({ image, edits: make, model: this.app.choices.model }, signal);
    };
    return drawn(await this.app.sent(ask));
  }

  /** The picture with all objects that move, or may be about to, taken away. */
  private async behind(picture: Picture, plan: Plan): Promise<void> {
    const key = plan.changes.flatMap((c) => (c.kind === "move" || c.kind === "remove" ? [c.mask] : []));
    if (plan.selection && this.app.tool === "grab" && !plan.arrows.length) key.push(plan.selection);
    if (same(key, this.wanted)) return;
    this.wanted = key;
    if (!key.length) return;
    try {
      const proxy = await this.app.proxy(picture);
      const taken = { ...plan, selection: null, words: "", arrows: [] };
      const changes = key.map((mask, id) => ({ kind: "remove" as const, id, mask }));
      const made = await edits({ ...taken, changes }, proxy.scale, proxy.canvas);
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
      const proxy = await this.app.proxy(picture);
      const wanted = { ...plan, words: "", changes: plan.changes.filter((c) => c.kind !== "replace") };
      const found = await this.asked(picture, await edits(wanted, proxy.scale, proxy.canvas), this.stop.signal);
      if (this.app.plan === plan) this.settled = { plan, canvas: found };
      this.app.changed(false);
    } catch {
      // what the browser shows by itself stays
    }
  }

  private async field(picture: Picture): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      const { plan } = this.app;
      const scale = Math.min(1, FIELD / Math.max(picture.width, picture.height));
      const size = { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) };
      const pulled = { ...plan, words: "", changes: [] };
      const found = await net.field({ size: [size.width, size.height], edits: await edits(pulled, scale, size) });
      found.offsets = found.offsets.map((v) => v / scale);
      this.lattice = found;
      this.latticePlan = plan;
      this.app.changed(false);
    } catch {
      // the last one stays until the next change
    } finally {
      this.asking = false;
    }
    if (this.app.picture === picture && this.latticePlan !== this.app.plan && pulls(this.app.plan)) await this.field(picture);
  }

  /** Draw the plan's outcome as far as it is known now, in pixels of the picture. `dragging`: the pointer is down. */
  draw(to: CanvasRenderingContext2D, picture: Picture, pixels: Canvas, light: Canvas, dragging: boolean): void {
    const { plan } = this.app;
    if (!this.shows) {
      to.drawImage(light, 0, 0, picture.width, picture.height);
      return;
    }
    if (this.settled?.plan === plan && !dragging) {
      to.drawImage(this.settled.canvas, 0, 0, picture.width, picture.height);
      return;
    }
    const holes = plan.changes.flatMap((c) => (c.kind === "move" || c.kind === "remove" ? [c.mask] : []));
    const ground = holes.length && this.plate && holes.every((mask) => this.plate!.key.includes(mask)) ? this.plate.canvas : light;
    const base = pulls(plan) && this.lattice ? this.bend(ground, this.lattice) : ground;
    to.drawImage(base, 0, 0, picture.width, picture.height);
    for (const change of plan.changes) {
      if (change.kind !== "move" && change.kind !== "paste") continue;
      const from = change.kind === "move" ? pixels : this.app.pixels(change.other);
      if (!from) continue;
      const { canvas: object, x, y } = this.cut(change.mask, from);
      to.save();
      to.transform(...placement(this.centre(change.mask), change.place));
      to.drawImage(object, x, y);
      to.restore();
    }
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

  private bend(ground: Canvas, lattice: Lattice): Canvas {
    if (this.bent?.of === lattice) return this.bent.canvas;
    const scale = Math.min(1, BENT / Math.max(ground.width, ground.height));
    const small = canvas(ground.width * scale, ground.height * scale);
    pen(small, true).drawImage(ground, 0, 0, small.width, small.height);
    const began = performance.now();
    const source = pen(small, true).getImageData(0, 0, small.width, small.height);
    const out = new ImageData(small.width, small.height);
    warp(source.data, out.data, small.width, small.height, lattice, (this.app.picture?.width ?? small.width) / small.width);
    pen(small).putImageData(out, 0, 0);
    this.delay = performance.now() - began;
    this.bent = { of: lattice, canvas: small };
    return small;
  }
}

const same = (a: Mask[], b: Mask[]): boolean => a.length === b.length && a.every((mask, i) => mask === b[i]);

