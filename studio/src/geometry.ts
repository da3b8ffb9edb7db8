// Points, affine maps and the lattice warp. Points are (x, y) in pixels of the picture; pixel i spans [i, i + 1).

import type { Lattice } from "./schema";

export interface Point {
  x: number;
  y: number;
}

/** How an object lands: moved by (dx, dy), scaled and turned (degrees, clockwise) about its own centroid. */
export interface Place {
  dx: number;
  dy: number;
  scale: number;
  angle: number;
}

/** (x, y) -> (a x + c y + e, b x + d y + f), as canvases take it. */
export type Affine = [a: number, b: number, c: number, d: number, e: number, f: number];

export const STILL: Place = { dx: 0, dy: 0, scale: 1, angle: 0 };

export function placement(centre: Point, place: Place): Affine {
  const turn = (place.angle * Math.PI) / 180;
  const cos = place.scale * Math.cos(turn);
  const sin = place.scale * Math.sin(turn);
  const e = centre.x + place.dx - (cos * centre.x - sin * centre.y);
  const f = centre.y + place.dy - (sin * centre.x + cos * centre.y);
  return [cos, sin, -sin, cos, e, f];
}

export function apply([a, b, c, d, e, f]: Affine, p: Point): Point {
  return { x: a * p.x + c * p.y + e, y: b * p.x + d * p.y + f };
}

export function inverse([a, b, c, d, e, f]: Affine): Affine {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

export const distance = (p: Point, q: Point): number => Math.hypot(p.x - q.x, p.y - q.y);

/** Degrees, clockwise, in (-180, 180]. */
export function degrees(turned: number): number {
  const rest = ((turned % 360) + 360) % 360;
  return rest > 180 ? rest - 360 : rest;
}

export const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);

/** Which part of the picture the canvas shows: screen = scale * point + (x, y), in CSS pixels. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

/** The view in which a picture fills a canvas but for a margin, and for a strip below where the options are. */
export function fitted(picture: { width: number; height: number }, width: number, height: number, margin = 24, below = 48): View {
  const room = { w: Math.max(width - 2 * margin, 1), h: Math.max(height - 2 * margin - below, 1) };
  const scale = Math.min(room.w / picture.width, room.h / picture.height);
  return { scale, x: (width - scale * picture.width) / 2, y: (height - below - scale * picture.height) / 2 };
}

/** The view zoomed by a factor about a point of the screen. */
export function zoomed(view: View, factor: number, at: Point): View {
  const scale = clamp(view.scale * factor, 0.02, 64);
  const k = scale / view.scale;
  return { scale, x: at.x - k * (at.x - view.x), y: at.y - k * (at.y - view.y) };
}

export const toPicture = (view: View, p: Point): Point => ({ x: (p.x - view.x) / view.scale, y: (p.y - view.y) / view.scale });
export const toScreen = (view: View, p: Point): Point => ({ x: p.x * view.scale + view.x, y: p.y * view.scale + view.y });

/**
 * A picture bent by a coarse field: every pixel of `out` is looked up at its own place plus the offset, both bilinear.
 * source, out: RGBA of width x height; offsets: px of a picture of `ratio` times that size.
 */
export function warp(
  source: Uint8ClampedArray,
  out: Uint8ClampedArray,
  width: number,
  height: number,
  lattice: Lattice,
  ratio = 1,
): void {
  const { rows, columns, offsets } = lattice;
  const line = new Float32Array(columns * 2);
  for (let y = 0; y < height; y++) {
    const v = Math.min(((y + 0.5) / height) * (rows - 1), rows - 1.000001);
    const r = Math.floor(v);
    const t = v - r;
    for (let k = 0; k < columns * 2; k++) {
      const top = offsets[r * columns * 2 + k] ?? 0;
      line[k] = (top + t * ((offsets[(r + 1) * columns * 2 + k] ?? 0) - top)) / ratio;
    }
    for (let x = 0; x < width; x++) {
      const u = Math.min(((x + 0.5) / width) * (columns - 1), columns - 1.000001);
      const c = Math.floor(u);
      const s = u - c;
      const dx = line[2 * c]! + s * (line[2 * c + 2]! - line[2 * c]!);
      const dy = line[2 * c + 1]! + s * (line[2 * c + 3]! - line[2 * c + 1]!);
      sample(source, width, height, x + dx, y + dy, out, 4 * (y * width + x));
    }
  }
}

function sample(from: Uint8ClampedArray, w: number, h: number, x: number, y: number, to: Uint8ClampedArray, at: number) {
  x = x < 0 ? 0 : x > w - 1 ? w - 1 : x;
  y = y < 0 ? 0 : y > h - 1 ? h - 1 : y;
  const x0 = x | 0;
  const y0 = y | 0;
  const s = x - x0;
  const t = y - y0;
  const a = 4 * (y0 * w + x0);
  const b = x0 + 1 < w ? a + 4 : a;
  const down = y0 + 1 < h ? 4 * w : 0;
  for (let k = 0; k < 3; k++) {
    const top = from[a + k]! + s * (from[b + k]! - from[a + k]!);
    const low = from[a + down + k]! + s * (from[b + down + k]! - from[a + down + k]!);
    to[at + k] = top + t * (low - top); // the array rounds
  }
  to[at + 3] = 255;
}
