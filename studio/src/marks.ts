// What is drawn over the picture: outlines, frames, arrows, landmarks, the cross. In pixels of the screen.

import { type Point, toScreen, type View } from "./geometry";
import { handles } from "./handles";
import { type Mask, outline } from "./masks";
import { tinted } from "./pixels";
import type { Arrow } from "./state";

export type Pen = CanvasRenderingContext2D;

export const ACCENT = "#6d6df5";
export const AMBER = "#ffb224";
const RED = "#ff5c5c";
const GREEN = "#3dd68c";
const outlines = new WeakMap<Mask, Path2D>();

function rim(mask: Mask): Path2D {
  const known = outlines.get(mask);
  if (known) return known;
  const path = new Path2D();
  const lines = outline(mask);
  for (let i = 0; i < lines.length; i += 4) {
    path.moveTo(lines[i]!, lines[i + 1]!);
    path.lineTo(lines[i + 2]!, lines[i + 3]!);
  }
  outlines.set(mask, path);
  return path;
}

/** The rim of a mask in dashes, that begin so far along. */
function edge(to: Pen, { scale, x, y }: View, mask: Mask, colour: string, dash: number[], shift = 0): void {
  to.save();
  to.translate(x, y);
  to.scale(scale, scale);
  to.strokeStyle = colour;
  to.lineWidth = 1.5 / scale;
  to.setLineDash(dash.map((v) => v / scale));
  to.lineDashOffset = shift / scale;
  to.stroke(rim(mask));
  to.restore();
}

export function selection(to: Pen, view: View, mask: Mask, ants: number): void {
  edge(to, view, mask, "#000", []);
  edge(to, view, mask, "#fff", [4, 4], ants);
}

/** What goes away, or gets another look. */
export const doomed = (to: Pen, view: View, mask: Mask): void => edge(to, view, mask, RED, [4, 4]);

/** What a hole is filled like, or where something is to be. */
export function likeness(to: Pen, view: View, mask: Mask): void {
  edge(to, view, mask, "#000", []);
  edge(to, view, mask, GREEN, [6, 3]);
}

/** A stroke under way, which is changed in place. */
export function stroke(to: Pen, { scale, x, y }: View, mask: Mask): void {
  const made = tinted(mask, [109, 109, 245], 130);
  to.save();
  to.imageSmoothingEnabled = false;
  to.translate(x, y);
  to.scale(scale, scale);
  to.drawImage(made.canvas, made.x, made.y);
  to.restore();
}

export function frame(to: Pen, view: View, corners: Point[]): void {
  const { frame: sides, knobs, stem } = handles(corners.map((p) => toScreen(view, p)));
  to.lineWidth = 1.5;
  for (const [colour, width] of [["rgba(0,0,0,.45)", 3.5], [ACCENT, 1.5]] as const) {
    to.strokeStyle = colour;
    to.lineWidth = width;
    to.beginPath();
    sides.forEach((p, i) => (i ? to.lineTo(p.x, p.y) : to.moveTo(p.x, p.y)));
    to.closePath();
    to.moveTo(stem[0].x, stem[0].y);
    to.lineTo(stem[1].x, stem[1].y);
    to.stroke();
  }
  for (const knob of knobs) {
    to.beginPath();
    if (knob.kind === "turn") to.arc(knob.x, knob.y, 6, 0, 7);
    else to.roundRect(knob.x - 5, knob.y - 5, 10, 10, 2.5);
    to.fillStyle = "#fff";
    to.strokeStyle = ACCENT;
    to.lineWidth = 2;
    to.fill();
    to.stroke();
  }
}

export function arrow(to: Pen, view: View, { from, to: end }: Arrow, chosen: boolean): void {
  const [p, q] = [toScreen(view, from), toScreen(view, end)];
  const length = Math.hypot(q.x - p.x, q.y - p.y);
  if (length < 1) {
    pin(to, p, chosen);
    return;
  }
  const [ux, uy] = [(q.x - p.x) / length, (q.y - p.y) / length];
  const head = Math.min(13, length);
  const neck = { x: q.x - ux * head * 0.8, y: q.y - uy * head * 0.8 };
  for (const [colour, extra] of [["rgba(0,0,0,.6)", 2.5], [chosen ? AMBER : "#fff", 0]] as const) {
    to.strokeStyle = to.fillStyle = colour;
    to.lineWidth = 2.5 + extra;
    to.lineJoin = "round";
    to.beginPath();
    to.moveTo(p.x, p.y);
    to.lineTo(neck.x, neck.y);
    to.stroke();
    to.beginPath();
    to.moveTo(q.x, q.y);
    to.lineTo(q.x - ux * head - uy * head * 0.5, q.y - uy * head + ux * head * 0.5);
    to.lineTo(q.x - ux * head + uy * head * 0.5, q.y - uy * head - ux * head * 0.5);
    to.closePath();
    to.fill();
    if (extra) to.stroke();
  }
  spot(to, p, RED);
}

function pin(to: Pen, p: Point, chosen: boolean): void {
  to.beginPath();
  to.roundRect(p.x - 6, p.y - 6, 12, 12, 3);
  to.fillStyle = chosen ? AMBER : "#fff";
  to.strokeStyle = "rgba(0,0,0,.7)";
  to.lineWidth = 2;
  to.fill();
  to.stroke();
  to.beginPath();
  to.arc(p.x, p.y, 2.2, 0, 7);
  to.fillStyle = "#111";
  to.fill();
}

export const dot = (to: Pen, view: View, p: Point, colour: string): void => spot(to, toScreen(view, p), colour);

function spot(to: Pen, s: Point, colour: string): void {
  to.beginPath();
  to.arc(s.x, s.y, 5.5, 0, 7);
  to.fillStyle = colour;
  to.strokeStyle = "#fff";
  to.lineWidth = 2;
  to.fill();
  to.stroke();
}

export function lasso(to: Pen, view: View, line: Point[]): void {
  for (const [colour, dash] of [["#000", []], ["#fff", [4, 4]]] as const) {
    to.strokeStyle = colour;
    to.lineWidth = 1.5;
    to.setLineDash([...dash]);
    to.beginPath();
    for (const p of line) {
      const s = toScreen(view, p);
      to.lineTo(s.x, s.y);
    }
    to.stroke();
  }
  to.setLineDash([]);
}

export function rubber(to: Pen, view: View, [a, b]: [Point, Point]): void {
  const [p, q] = [toScreen(view, a), toScreen(view, b)];
  to.fillStyle = "rgba(109,109,245,.16)";
  to.fillRect(p.x, p.y, q.x - p.x, q.y - p.y);
  to.strokeStyle = ACCENT;
  to.lineWidth = 1.5;
  to.strokeRect(p.x, p.y, q.x - p.x, q.y - p.y);
}

export function cross(to: Pen, view: View, at: Point, radius: number, lines: boolean): void {
  const s = toScreen(view, at);
  for (const [colour, width] of [["rgba(0,0,0,.7)", 3], ["#fff", 1.25]] as const) {
    to.strokeStyle = colour;
    to.lineWidth = width;
    to.beginPath();
    if (radius) to.arc(s.x, s.y, Math.max(2, radius * view.scale), 0, 7);
    if (lines) {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
        to.moveTo(s.x + 4 * dx, s.y + 4 * dy);
        to.lineTo(s.x + 13 * dx, s.y + 13 * dy);
      }
    }
    to.stroke();
  }
}

export function slider(to: Pen, view: View, picture: { width: number; height: number }, share: number, names: readonly [string, string]): void {
  const x = toScreen(view, { x: picture.width * share, y: 0 }).x;
  const middle = toScreen(view, { x: 0, y: picture.height / 2 }).y;
  const [top, bottom] = [view.y, view.y + picture.height * view.scale];
  for (const [colour, width] of [["rgba(0,0,0,.5)", 4], ["#fff", 2]] as const) {
    to.strokeStyle = colour;
    to.lineWidth = width;
    to.beginPath();
    to.moveTo(x, top);
    to.lineTo(x, bottom);
    to.stroke();
  }
  to.beginPath();
  to.arc(x, middle, 15, 0, 7);
  to.fillStyle = "#fff";
  to.shadowColor = "rgba(0,0,0,.4)";
  to.shadowBlur = 8;
  to.fill();
  to.shadowBlur = 0;
  to.strokeStyle = "#222";
  to.lineWidth = 2;
  to.beginPath();
  for (const side of [-1, 1]) {
    to.moveTo(x + side * 4, middle - 4);
    to.lineTo(x + side * 8, middle);
    to.lineTo(x + side * 4, middle + 4);
  }
  to.stroke();
  const right = toScreen(view, { x: picture.width, y: 0 }).x;
  label(to, names[0], view.x + 10, top + 10, Math.min(x, right) - view.x - 20);
  label(to, names[1], right - 10, top + 10, right - Math.max(x, view.x) - 20, true);
}

/** What a part of the picture is, in a corner of it; nothing where there is no room. */
function label(to: Pen, words: string, x: number, y: number, room: number, ends = false): void {
  to.font = "600 12px system-ui, sans-serif";
  const wide = to.measureText(words).width + 18;
  if (wide > room) return;
  const left = ends ? x - wide : x;
  to.beginPath();
  to.roundRect(left, y, wide, 24, 12);
  to.fillStyle = "rgba(14,15,18,.72)";
  to.fill();
  to.fillStyle = "#fff";
  to.textBaseline = "middle";
  to.fillText(words, left + 9, y + 12.5);
}
