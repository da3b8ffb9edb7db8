// Regions and faces as they are drawn over the picture, in pixels of the screen.

import { LINES, used } from "./faces";
import { type Point, toScreen, type View } from "./geometry";
import { ACCENT, AMBER, type Pen } from "./marks";
import type { Face, Region } from "./state";

function closed(to: Pen, view: View, corners: Point[]): void {
  to.beginPath();
  for (const p of corners) {
    const s = toScreen(view, p);
    to.lineTo(s.x, s.y);
  }
  to.closePath();
}

/** A region: where it is in dashes, where it goes in one line, with its corners where it is chosen. */
export function region(to: Pen, view: View, { from, to: end }: Region, chosen: boolean): void {
  for (const [corners, colour, dash] of [[from, "#fff", [4, 4]], [end, chosen ? AMBER : "#fff", []]] as const) {
    closed(to, view, corners);
    to.strokeStyle = "rgba(0,0,0,.6)";
    to.lineWidth = 3.5;
    to.stroke();
    to.strokeStyle = colour;
    to.lineWidth = 1.75;
    to.setLineDash([...dash]);
    to.stroke();
    to.setLineDash([]);
  }
  if (!chosen) return;
  for (const p of end) {
    const s = toScreen(view, p);
    to.beginPath();
    to.roundRect(s.x - 4, s.y - 4, 8, 8, 2);
    to.fillStyle = "#fff";
    to.strokeStyle = "rgba(0,0,0,.7)";
    to.lineWidth = 1.5;
    to.fill();
    to.stroke();
  }
}

/** A face's lines, and the landmarks that guide; `chosen` is the one that is held. */
export function face(to: Pen, view: View, of: Face, chosen: number | null): void {
  const at = of.wanted.map((p) => toScreen(view, p));
  if (of.own.length === 68) {
    for (const [colour, width] of [["rgba(0,0,0,.45)", 3], ["rgba(255,255,255,.85)", 1.25]] as const) {
      to.strokeStyle = colour;
      to.lineWidth = width;
      for (const [first, last, closes] of LINES) {
        to.beginPath();
        for (let i = first; i <= last; i++) to.lineTo(at[i]!.x, at[i]!.y);
        if (closes) to.closePath();
        to.stroke();
      }
    }
  }
  for (const i of used(of)) {
    const moved = of.own[i]!.x !== of.wanted[i]!.x || of.own[i]!.y !== of.wanted[i]!.y;
    to.beginPath();
    to.arc(at[i]!.x, at[i]!.y, i === chosen ? 5.5 : 3.25, 0, 7);
    to.fillStyle = i === chosen ? AMBER : moved ? ACCENT : "#fff";
    to.strokeStyle = moved ? "#fff" : "rgba(0,0,0,.7)";
    to.lineWidth = 1.25;
    to.fill();
    to.stroke();
  }
}
