// The pixels of pictures as canvases: at full size, and as proxies that previews and picks are made of.

import * as net from "./net";
import { canvas, type Canvas, drawn, file, pen } from "./pixels";
import type { Picture } from "./state";

const KEPT = 4; // canvases: the shown picture, those it is compared with, one that is pasted
const PROXY = 1024; // px of the picture that previews and picks are made of: more is not seen on a screen

/** A picture no larger than a screen, which the server has too. */
export interface Proxy {
  scale: number;
  name: string; // SHA-256 of the proxy
  canvas: Canvas;
}

export class Decoded {
  private canvases = new Map<Blob, Promise<Canvas>>();
  private ready = new WeakMap<Blob, Canvas>();
  private proxies = new WeakMap<Blob, Promise<Proxy>>();
  private smalls = new WeakMap<Blob, Canvas>();

  /** ready: called when a picture that was asked for is there. */
  constructor(private changed: () => void) {}

  /** A picture's pixels, where they are decoded already; else they will be. */
  get({ file }: Picture): Canvas | null {
    const found = this.canvases.has(file) ? this.ready.get(file) : null;
    if (found) return found;
    this.prepare(file);
    return null;
  }

  /** Let a picture be decoded while the server is told of it; what is no picture does no harm. */
  prepare(file: Blob): void {
    this.decode(file).catch(() => undefined);
  }

  private decode(file: Blob): Promise<Canvas> {
    const known = this.canvases.get(file);
    if (known) return known;
    if (this.canvases.size >= KEPT) {
      const oldest = this.canvases.keys().next().value!;
      this.canvases.delete(oldest);
      this.ready.delete(oldest);
    }
    const found = drawn(file).then((on) => {
      this.ready.set(file, on);
      this.changed();
      return on;
    });
    this.canvases.set(file, found);
    found.catch(() => this.canvases.delete(file));
    return found;
  }

  /** A picture at the size of previews, in the browser and on the server, which is sent it once. */
  proxy(picture: Picture): Promise<Proxy> {
    const found = this.proxies.get(picture.file) ?? this.shrunk(picture);
    this.proxies.set(picture.file, found);
    found.catch(() => this.proxies.delete(picture.file)); // the next one asks again
    return found;
  }

  /** Let proxies be sent again: the server does not keep them any more. */
  forget(): void {
    this.proxies = new WeakMap();
  }

  private async shrunk(picture: Picture): Promise<Proxy> {
    const whole = await this.decode(picture.file);
    const scale = Math.min(1, PROXY / Math.max(whole.width, whole.height));
    if (scale === 1) return { scale, name: picture.sha256, canvas: whole };
    const on = this.smalls.get(picture.file) ?? smaller(whole, scale);
    this.smalls.set(picture.file, on);
    return { scale, name: (await net.send(await file(on), picture.name)).sha256, canvas: on };
  }
}

function smaller(whole: Canvas, scale: number): Canvas {
  const on = canvas(whole.width * scale, whole.height * scale);
  const to = pen(on, true);
  to.imageSmoothingQuality = "high";
  to.drawImage(whole, 0, 0, on.width, on.height);
  return on;
}
