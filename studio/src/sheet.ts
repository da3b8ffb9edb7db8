// The elastic sheet that pulled points bend, at the pace of the pointer: `elastic` of src/dragkit/displacement.py on a
// coarse grid. What settles comes from the server; a test compares the two.

import { clamp, distance, type Point } from "./geometry";
import type { Mask } from "./masks";
import type { Lattice } from "./schema";

const CORNERS = 33; // of the lattice, each way
const CELLS = 96; // of the room, along the longer side
const STILL = 0.1; // this and the rest as in displacement.py and regions.py
const WINNER = 6;
const BEND = 10;
const STEPS = [4, 64] as const;
const WORK = 1024;
const NODES = 128;
const NEAR = 1e-3;
const BAND = 0.12;
const REACH = 1.0;

export interface Pull {
  from: Point;
  to: Point;
}

interface Size {
  width: number;
  height: number;
}

/** How far it is, in pixels of the picture, from the middle of a cell to where nothing moves. */
interface Room {
  columns: number;
  rows: number;
  side: number; // px of a cell
  data: Float32Array;
}

/** The field of pulls on a picture: within a mask, all over it, or (null) in a band round the pulls' paths. */
export function sheet(pulls: Pull[], size: Size, within: Mask | "all" | null): Lattice {
  const offsets = new Array<number>(CORNERS * CORNERS * 2);
  const room = roomOf(pulls, size, within);
  const count = stepsOf(pulls, room);
  const spacing = Math.max(1, Math.min(size.width, size.height) / NODES);
  for (let r = 0; r < CORNERS; r++) {
    for (let c = 0; c < CORNERS; c++) {
      const at = { x: (c / (CORNERS - 1)) * size.width, y: (r / (CORNERS - 1)) * size.height };
      const free = clamp(look(room, at.x, at.y) / spacing, 0, 1);
      const there = free > 0 ? walked(at, pulls, room, count) : at;
      offsets[2 * (r * CORNERS + c)] = free * (there.x - at.x);
      offsets[2 * (r * CORNERS + c) + 1] = free * (there.y - at.y);
    }
  }
  return { rows: CORNERS, columns: CORNERS, offsets };
}

/** Two fields on the same lattice, one after the other's sum. */
export const added = (a: Lattice, b: Lattice | null): Lattice => (b ? { ...a, offsets: a.offsets.map((v, i) => v + b.offsets[i]!) } : a);

/** Where the content of a place began, followed back from the targets to the handles. */
function walked(from: Point, pulls: Pull[], room: Room, count: number): Point {
  let { x, y } = from;
  const share = new Float64Array(pulls.length);
  for (let step = 0; step < count; step++) {
    const back = 1 - step / count;
    let least = Infinity;
    for (let i = 0; i < pulls.length; i++) {
      const { from: p, to: q } = pulls[i]!;
      const [dx, dy] = [x - (p.x + back * (q.x - p.x)), y - (p.y + back * (q.y - p.y))];
      share[i] = Math.max(dx * dx + dy * dy, NEAR * NEAR);
      least = Math.min(least, share[i]!);
    }
    let total = 0;
    for (let i = 0; i < pulls.length; i++) total += (least / share[i]!) ** (WINNER / 2);
    const free = look(room, x, y) ** 2;
    let [mx, my] = [0, 0];
    for (let i = 0; i < pulls.length; i++) {
      const weight = ((least / share[i]!) ** (WINNER / 2) / total) * (free / (free + STILL * share[i]!) || 0);
      mx += weight * (pulls[i]!.to.x - pulls[i]!.from.x);
      my += weight * (pulls[i]!.to.y - pulls[i]!.from.y);
    }
    x -= mx / count;
    y -= my / count;
  }
  return { x, y };
}

/** In how many steps the points go: by the longest way for the room round its end, and by how ways differ. */
function stepsOf(pulls: Pull[], room: Room): number {
  let most = 0;
  const way = (p: Pull): Point => ({ x: p.to.x - p.from.x, y: p.to.y - p.from.y });
  for (const a of pulls) {
    most = Math.max(most, distance(a.from, a.to) / Math.max(look(room, a.to.x, a.to.y), 1));
    for (const b of pulls) most = Math.max(most, distance(way(a), way(b)) / Math.max(distance(a.to, b.to), 1));
  }
  return Math.round(clamp(Math.ceil(BEND * most), STEPS[0], clamp(Math.floor(WORK / pulls.length), ...STEPS)));
}

function look(room: Room, x: number, y: number): number {
  const u = clamp(x / room.side - 0.5, 0, room.columns - 1);
  const v = clamp(y / room.side - 0.5, 0, room.rows - 1);
  const [c, r] = [Math.min(Math.floor(u), room.columns - 2), Math.min(Math.floor(v), room.rows - 2)];
  const [s, t] = [u - c, v - r];
  const at = r * room.columns + c;
  const top = room.data[at]! * (1 - s) + room.data[at + 1]! * s;
  const low = room.data[at + room.columns]! * (1 - s) + room.data[at + room.columns + 1]! * s;
  return top * (1 - t) + low * t;
}

const rooms = new WeakMap<Mask, Room>();

function roomOf(pulls: Pull[], size: Size, within: Mask | "all" | null): Room {
  if (within === "all") return measured(size, Infinity, () => 0);
  if (within) {
    const found = rooms.get(within) ?? inside(within);
    rooms.set(within, found);
    return found;
  }
  const longest = Math.max(...pulls.map((p) => distance(p.from, p.to)));
  const reach = Math.max(BAND * Math.min(size.width, size.height), REACH * longest);
  return measured(size, reach, (p) => Math.min(...pulls.map((pull) => off(p, pull))));
}

/** How far a point is from the straight path of a pull. */
function off(p: Point, { from, to }: Pull): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const along = clamp(((p.x - from.x) * dx + (p.y - from.y) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(p.x - from.x - along * dx, p.y - from.y - along * dy);
}

function grid({ width, height }: Size): Room {
  const side = Math.max(width, height) / CELLS;
  const [columns, rows] = [Math.max(2, Math.round(width / side)), Math.max(2, Math.round(height / side))];
  return { columns, rows, side, data: new Float32Array(columns * rows) };
}

/** The room within a reach of something, and within the picture. */
function measured(size: Size, reach: number, far: (p: Point) => number): Room {
  const room = grid(size);
  for (let r = 0; r < room.rows; r++) {
    for (let c = 0; c < room.columns; c++) {
      const p = { x: (c + 0.5) * room.side, y: (r + 0.5) * room.side };
      const edge = Math.min(p.x, p.y, size.width - p.x, size.height - p.y);
      room.data[r * room.columns + c] = Math.max(0, Math.min(edge, reach - far(p)));
    }
  }
  return room;
}

/** The room within a mask: distances to the nearest cell outside it, in two passes (Borgefors 1986, 5x5). */
function inside(mask: Mask): Room {
  const room = grid(mask);
  const { columns, rows, data, side } = room;
  const at = (c: number, r: number) => (c < 0 || r < 0 || c >= columns || r >= rows ? 0 : data[r * columns + c]!);
  const steps = [[-1, 0, 1], [0, -1, 1], [-1, -1, 1.4], [1, -1, 1.4], [-2, -1, 2.1969], [2, -1, 2.1969], [-1, -2, 2.1969], [1, -2, 2.1969]] as const;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const x = Math.min(mask.width - 1, Math.floor((c + 0.5) * side));
      const y = Math.min(mask.height - 1, Math.floor((r + 0.5) * side));
      const held = mask.data[y * mask.width + x];
      data[r * columns + c] = held ? Math.min(...steps.map(([dx, dy, far]) => at(c + dx, r + dy) + far)) : 0;
    }
  }
  for (let r = rows - 1; r >= 0; r--) {
    for (let c = columns - 1; c >= 0; c--) {
      const own = at(c, r);
      if (own) data[r * columns + c] = Math.min(own, ...steps.map(([dx, dy, far]) => at(c - dx, r - dy) + far));
    }
  }
  for (let i = 0; i < data.length; i++) data[i] = Math.max(0, data[i]! - 0.5) * side; // to the rim, not to the next cell's middle
  return room;
}
