// Regions: outlines drawn by hand or round a mask, and what is in one seen in the other before the server says it well.

import { distance, type Affine, type Point } from "./geometry";
import { bounds, type Mask } from "./masks";
import type { Canvas } from "./pixels";
import type { Region } from "./state";

const MOST = 24; // corners that can still be moved by hand
const FINE = 0.004; // of the longer side: what a hand-drawn line may lose to become corners

type Triangle = [number, number, number]; // numbers of corners

const cross = (a: Point, b: Point, c: Point): number => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);

/** Twice the area that an outline holds, positive clockwise on the screen. */
export const area = (corners: Point[]): number =>
  corners.reduce((sum, p, i) => {
    const q = corners[(i + 1) % corners.length]!;
    return sum + p.x * q.y - p.y * q.x;
  }, 0);

/** Whether two sides of an outline cross. */
export function crosses(corners: Point[]): boolean {
  const n = corners.length;
  const side = (i: number) => [corners[i]!, corners[(i + 1) % n]!] as const;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const [[a, b], [c, d]] = [side(i), side(j)];
      if (cross(a, b, c) * cross(a, b, d) < 0 && cross(c, d, a) * cross(c, d, b) < 0) return true;
    }
  }
  return false;
}

/** A closed line with few corners (Douglas and Peucker), null where it crosses itself or holds nothing. */
export function outlined(line: Point[], size: { width: number; height: number }): Point[] | null {
  for (let most = FINE * Math.max(size.width, size.height); ; most *= 1.4) {
    const corners = simple(line, most);
    if (corners.length > MOST) continue;
    return corners.length < 3 || Math.abs(area(corners)) < 8 || crosses(corners) ? null : corners;
  }
}

function simple(line: Point[], most: number): Point[] {
  if (line.length < 3) return line;
  const far = line.reduce((best, p, i) => (distance(p, line[0]!) > distance(line[best]!, line[0]!) ? i : best), 0);
  return [...part(line.slice(0, far + 1), most), ...part([...line.slice(far), line[0]!], most)];
}

/** The corners of an open line, without its last point. */
function part(line: Point[], most: number): Point[] {
  const [a, b] = [line[0]!, line.at(-1)!];
  const length = distance(a, b);
  const off = (p: Point) => (length ? Math.abs(cross(a, b, p)) / length : distance(a, p));
  let far = 0;
  for (let i = 1; i < line.length - 1; i++) if (off(line[i]!) > (far ? off(line[far]!) : most)) far = i;
  return far ? [...part(line.slice(0, far + 1), most), ...part(line.slice(far), most)] : [a];
}

/** The line round a mask's part that begins highest: its rim followed with the inside on the right hand. */
export function traced(mask: Mask): Point[] {
  const { y: top, height } = bounds(mask);
  if (!height) return [];
  const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.data[y * mask.width + x] === 1;
  let x = mask.data.indexOf(1, top * mask.width) - top * mask.width;
  let y = top;
  const start = { x, y };
  const line: Point[] = [];
  let [dx, dy] = [1, 0];
  do {
    line.push({ x, y });
    x += dx;
    y += dy;
    const right = inside(x + (dx - dy - 1) / 2, y + (dy + dx - 1) / 2);
    const left = inside(x + (dx + dy - 1) / 2, y + (dy - dx - 1) / 2);
    if (left) [dx, dy] = [dy, -dx];
    else if (!right) [dx, dy] = [-dy, dx];
  } while (x !== start.x || y !== start.y);
  return line;
}

/** The triangles that fill an outline, by cutting off its ears. */
export function triangles(corners: Point[]): Triangle[] {
  const left = corners.map((_, i) => i);
  if (area(corners) < 0) left.reverse();
  const found: Triangle[] = [];
  const holds = ([a, b, c]: [Point, Point, Point], p: Point) => cross(a, b, p) >= 0 && cross(b, c, p) >= 0 && cross(c, a, p) >= 0;
  while (left.length > 3) {
    const at = left.findIndex((_, i) => {
      const ear = [left.at(i - 1)!, left[i]!, left[(i + 1) % left.length]!] as Triangle;
      const shape = ear.map((k) => corners[k]!) as [Point, Point, Point];
      return cross(...shape) > 0 && left.every((k) => ear.includes(k) || !holds(shape, corners[k]!));
    });
    if (at < 0) break; // it crosses itself
    found.push([left.at(at - 1)!, left[at]!, left[(at + 1) % left.length]!]);
    left.splice(at, 1);
  }
  return left.length === 3 ? [...found, left as Triangle] : found;
}

/** The affine map of one triangle onto another. */
export function onto([a, b, c]: [Point, Point, Point], [p, q, r]: [Point, Point, Point]): Affine {
  const det = cross(a, b, c);
  const part = (u: number, v: number, w: number): [number, number, number] => {
    const x = ((v - u) * (c.y - a.y) - (w - u) * (b.y - a.y)) / det;
    const y = ((w - u) * (b.x - a.x) - (v - u) * (c.x - a.x)) / det;
    return [x, y, u - x * a.x - y * a.y];
  };
  const [[xx, xy, x], [yx, yy, y]] = [part(p.x, q.x, r.x), part(p.y, q.y, r.y)];
  return [xx, yx, xy, yy, x, y];
}

/** Draw what is in a region's first outline into its second, triangle by triangle. */
export function filled(to: CanvasRenderingContext2D, pixels: Canvas, size: { width: number; height: number }, region: Region): void {
  for (const numbers of triangles(region.from)) {
    const from = numbers.map((i) => region.from[i]!) as [Point, Point, Point];
    const end = numbers.map((i) => region.to[i]!) as [Point, Point, Point];
    to.save();
    to.beginPath();
    for (const p of wider(end)) to.lineTo(p.x, p.y);
    to.clip();
    to.transform(...onto(from, end));
    to.drawImage(pixels, 0, 0, size.width, size.height);
    to.restore();
  }
}

/** A triangle half a pixel larger, so that no seam shows between two. */
function wider(corners: [Point, Point, Point]): Point[] {
  const [a, b, c] = corners;
  const middle = { x: (a.x + b.x + c.x) / 3, y: (a.y + b.y + c.y) / 3 };
  return corners.map((p) => {
    const k = 1 + 0.5 / Math.max(distance(p, middle), 0.5);
    return { x: middle.x + k * (p.x - middle.x), y: middle.y + k * (p.y - middle.y) };
  });
}
