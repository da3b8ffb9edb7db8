// Masks: which pixels of a picture are meant. They are never changed, only made anew.

import { clamp, distance, type Point } from "./geometry";

export interface Mask {
  width: number;
  height: number;
  data: Uint8Array; // 1 inside, row by row
}

export interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const empty = (width: number, height: number): Mask => ({ width, height, data: new Uint8Array(width * height) });

export const isEmpty = (mask: Mask): boolean => !mask.data.includes(1);

export const holds = (mask: Mask, p: Point): boolean => {
  const x = Math.floor(p.x);
  const y = Math.floor(p.y);
  return x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.data[y * mask.width + x] === 1;
};

/** The smallest box round a mask; of an empty one a box of no size. */
export function bounds(mask: Mask): Bounds {
  let [x0, y0, x1, y1] = [mask.width, mask.height, -1, -1];
  for (let y = 0; y < mask.height; y++) {
    const row = mask.data.subarray(y * mask.width, (y + 1) * mask.width);
    const first = row.indexOf(1);
    if (first < 0) continue;
    x0 = Math.min(x0, first);
    x1 = Math.max(x1, row.lastIndexOf(1));
    y0 = Math.min(y0, y);
    y1 = y;
  }
  return x1 < 0 ? { x: 0, y: 0, width: 0, height: 0 } : { x: x0, y: y0, width: x1 - x0 + 1, height: y1 - y0 + 1 };
}

/** The mean of the centres of a mask's pixels, as dragkit places objects by. */
export function centroid(mask: Mask): Point {
  let [n, x, y] = [0, 0, 0];
  for (let i = 0; i < mask.data.length; i++) {
    if (!mask.data[i]) continue;
    n++;
    x += i % mask.width;
    y += Math.floor(i / mask.width);
  }
  return n ? { x: x / n + 0.5, y: y / n + 0.5 } : { x: mask.width / 2, y: mask.height / 2 };
}

export function joined(a: Mask | null, b: Mask): Mask {
  return a ? { ...a, data: a.data.map((v, i) => v | b.data[i]!) } : b;
}

export function without(a: Mask | null, b: Mask): Mask {
  return a ? { ...a, data: a.data.map((v, i) => v & (1 - b.data[i]!)) } : empty(b.width, b.height);
}

/** A mask with the round brush drawn from one point to another, in place: strokes are many and pictures large. */
export function brush(mask: Mask, from: Point, to: Point, radius: number, value: 0 | 1): void {
  const pad = radius + 1;
  const x0 = clamp(Math.floor(Math.min(from.x, to.x) - pad), 0, mask.width);
  const x1 = clamp(Math.ceil(Math.max(from.x, to.x) + pad), 0, mask.width);
  const y0 = clamp(Math.floor(Math.min(from.y, to.y) - pad), 0, mask.height);
  const y1 = clamp(Math.ceil(Math.max(from.y, to.y) + pad), 0, mask.height);
  const length = distance(from, to) || 1;
  const [ux, uy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const reach = Math.max(radius, 0.5) ** 2;
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y];
      const along = clamp(px * ux + py * uy, 0, length);
      if ((px - along * ux) ** 2 + (py - along * uy) ** 2 <= reach) mask.data[y * mask.width + x] = value;
    }
  }
}

/** The pixels whose centres a closed outline holds (even-odd). */
export function polygon(width: number, height: number, corners: Point[]): Mask {
  const mask = empty(width, height);
  for (let y = 0; y < height; y++) {
    const hits: number[] = [];
    corners.forEach((p, i) => {
      const q = corners[(i + 1) % corners.length]!;
      const v = y + 0.5;
      if (p.y <= v !== q.y <= v) hits.push(p.x + ((v - p.y) / (q.y - p.y)) * (q.x - p.x));
    });
    hits.sort((a, b) => a - b);
    for (let k = 0; k + 1 < hits.length; k += 2) {
      const from = clamp(Math.ceil(hits[k]! - 0.5), 0, width);
      const to = clamp(Math.ceil(hits[k + 1]! - 0.5), 0, width);
      mask.data.fill(1, y * width + from, y * width + Math.max(from, to));
    }
  }
  return mask;
}

export function box(width: number, height: number, p: Point, q: Point): Mask {
  const corners = [p, { x: q.x, y: p.y }, q, { x: p.x, y: q.y }];
  return polygon(width, height, corners);
}

/** The ellipse in a box. */
export function ellipse(width: number, height: number, p: Point, q: Point): Mask {
  const mask = empty(width, height);
  for (let y = 0; y < height; y++) {
    const v = (2 * y + 1 - p.y - q.y) / (q.y - p.y);
    for (let x = 0; x < width; x++) if (((2 * x + 1 - p.x - q.x) / (q.x - p.x)) ** 2 + v * v <= 1) mask.data[y * width + x] = 1;
  }
  return mask;
}

/** A mask grown by a number of pixels, or shrunk by a negative one; squares, in two passes. */
export function grown(mask: Mask, by: number): Mask {
  const { width, height } = mask;
  const reach = Math.abs(Math.round(by));
  const value = by > 0 ? 1 : 0;
  const pass = (from: Uint8Array, step: number, length: number, lines: number, next: number): Uint8Array => {
    const out = from.slice();
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < length; i++) {
        if (from[line * next + i * step] !== value) continue;
        for (let k = Math.max(0, i - reach); k <= Math.min(length - 1, i + reach); k++) out[line * next + k * step] = value;
      }
    }
    return out;
  };
  const across = pass(mask.data, 1, width, height, width);
  return { width, height, data: pass(across, width, height, width, 1) };
}

/** A mask at another size; a pixel is inside where the nearest of the old one is. */
export function resized(mask: Mask, width: number, height: number): Mask {
  if (width === mask.width && height === mask.height) return mask;
  const out = empty(width, height);
  for (let y = 0; y < height; y++) {
    const row = Math.min(mask.height - 1, Math.floor(((y + 0.5) * mask.height) / height)) * mask.width;
    for (let x = 0; x < width; x++) {
      out.data[y * width + x] = mask.data[row + Math.min(mask.width - 1, Math.floor(((x + 0.5) * mask.width) / width))]!;
    }
  }
  return out;
}

/** A mask at a larger size, its rim smooth: a pixel is inside where the old one, between its pixels' centres, is half. */
export function enlarged(mask: Mask, width: number, height: number): Mask {
  if (width <= mask.width || height <= mask.height) return resized(mask, width, height);
  const out = empty(width, height);
  const [across, down] = [mask.width / width, mask.height / height];
  const b = bounds(mask);
  const rows = [Math.floor((b.y - 1) / down), Math.ceil((b.y + b.height + 1) / down)].map((y) => clamp(y, 0, height)) as [number, number];
  const columns = [Math.floor((b.x - 1) / across), Math.ceil((b.x + b.width + 1) / across)].map((x) => clamp(x, 0, width)) as [number, number];
  for (let y = rows[0]; y < rows[1]; y++) {
    const v = clamp((y + 0.5) * down - 0.5, 0, mask.height - 1);
    const [r, t] = [Math.floor(v), v - Math.floor(v)];
    const [upper, lower] = [r * mask.width, Math.min(r + 1, mask.height - 1) * mask.width];
    for (let x = columns[0]; x < columns[1]; x++) {
      const u = clamp((x + 0.5) * across - 0.5, 0, mask.width - 1);
      const [c, s] = [Math.floor(u), u - Math.floor(u)];
      const d = Math.min(c + 1, mask.width - 1);
      const top = mask.data[upper + c]! * (1 - s) + mask.data[upper + d]! * s;
      const low = mask.data[lower + c]! * (1 - s) + mask.data[lower + d]! * s;
      if (top * (1 - t) + low * t >= 0.5) out.data[y * width + x] = 1;
    }
  }
  return out;
}

/** The edges between inside and outside as lines x0, y0, x1, y1, merged along rows and columns. */
export function outline(mask: Mask): number[] {
  const { width, height, data } = mask;
  const at = (x: number, y: number) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : data[y * width + x]!);
  const lines: number[] = [];
  const { x: bx, y: by, width: bw, height: bh } = bounds(mask);
  for (let y = by; y <= by + bh; y++) {
    for (let x = bx; x < bx + bw; x++) {
      if (at(x, y) === at(x, y - 1)) continue;
      const start = x;
      while (x + 1 < bx + bw && at(x + 1, y) !== at(x + 1, y - 1)) x++;
      lines.push(start, y, x + 1, y);
    }
  }
  for (let x = bx; x <= bx + bw; x++) {
    for (let y = by; y < by + bh; y++) {
      if (at(x, y) === at(x - 1, y)) continue;
      const start = y;
      while (y + 1 < by + bh && at(x, y + 1) !== at(x - 1, y + 1)) y++;
      lines.push(x, start, x, y + 1);
    }
  }
  return lines;
}
