// Between files, canvases and masks.

import { bounds, type Mask, resized } from "./masks";

export type Canvas = HTMLCanvasElement;

export function canvas(width: number, height: number): Canvas {
  const made = document.createElement("canvas");
  made.width = Math.max(1, Math.round(width));
  made.height = Math.max(1, Math.round(height));
  return made;
}

export const pen = (on: Canvas, often = false): CanvasRenderingContext2D =>
  on.getContext("2d", { willReadFrequently: often })!;

/** A picture file drawn on a canvas of its own, or of another, size. */
export async function drawn(file: Blob, width?: number, height?: number): Promise<Canvas> {
  const bitmap = await createImageBitmap(file);
  const on = canvas(width ?? bitmap.width, height ?? bitmap.height);
  const to = pen(on, true);
  to.imageSmoothingQuality = "high";
  to.drawImage(bitmap, 0, 0, on.width, on.height);
  bitmap.close();
  return on;
}

export const file = (of: Canvas): Promise<Blob> =>
  new Promise((done, failed) => of.toBlob((made) => (made ? done(made) : failed(new Error("no PNG"))), "image/png"));

export async function base64(of: Blob): Promise<string> {
  const bytes = new Uint8Array(await of.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

export function unbase64(text: string, type = "image/png"): Blob {
  return new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type });
}

/** The mask in a picture that is light on dark. */
export async function maskOf(of: Blob): Promise<Mask> {
  const on = await drawn(of);
  const { data } = pen(on, true).getImageData(0, 0, on.width, on.height);
  const mask = new Uint8Array(on.width * on.height);
  for (let i = 0; i < mask.length; i++) mask[i] = data[4 * i]! > 127 ? 1 : 0;
  return { width: on.width, height: on.height, data: mask };
}

/** A mask in one colour on nothing, cut to its bounds: drawn at (x, y). */
export interface Cut {
  canvas: Canvas;
  x: number;
  y: number;
}

export function tinted(mask: Mask, rgb: [number, number, number], alpha: number): Cut {
  return cut(mask, (image, from, to) => {
    if (!mask.data[from]) return;
    image[to] = rgb[0];
    image[to + 1] = rgb[1];
    image[to + 2] = rgb[2];
    image[to + 3] = alpha;
  });
}

/** What of a picture is in a mask. */
export function sprite(picture: Canvas, mask: Mask): Cut {
  const b = bounds(mask);
  const { data } = pen(picture, true).getImageData(b.x, b.y, Math.max(1, b.width), Math.max(1, b.height));
  return cut(mask, (image, from, to) => {
    if (!mask.data[from]) return;
    for (let k = 0; k < 3; k++) image[to + k] = data[to + k]!;
    image[to + 3] = 255;
  });
}

function cut(mask: Mask, paint: (image: Uint8ClampedArray, from: number, to: number) => void): Cut {
  const b = bounds(mask);
  const on = canvas(b.width, b.height);
  const to = pen(on);
  const image = to.createImageData(on.width, on.height);
  for (let y = 0; y < b.height; y++) {
    for (let x = 0; x < b.width; x++) paint(image.data, (y + b.y) * mask.width + x + b.x, 4 * (y * b.width + x));
  }
  to.putImageData(image, 0, 0);
  return { canvas: on, x: b.x, y: b.y };
}

const known = new WeakMap<Mask, Map<string, Promise<string>>>();

/** A mask as base64 of a PNG at the size asked for; remembered, since requests repeat masks. */
export function png(mask: Mask, width = mask.width, height = mask.height): Promise<string> {
  const sizes = known.get(mask) ?? new Map<string, Promise<string>>();
  known.set(mask, sizes);
  const key = `${width}x${height}`;
  const found = sizes.get(key) ?? encoded(resized(mask, width, height));
  sizes.set(key, found);
  return found;
}

async function encoded(mask: Mask): Promise<string> {
  const on = canvas(mask.width, mask.height);
  const to = pen(on);
  const image = to.createImageData(mask.width, mask.height);
  for (let i = 0; i < mask.data.length; i++) {
    image.data.fill(mask.data[i] ? 255 : 0, 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  to.putImageData(image, 0, 0);
  return base64(await file(on));
}
