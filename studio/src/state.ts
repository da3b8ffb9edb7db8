// What is being edited: pictures in a history, and the plan of changes to the one that is shown.

import { type Place, type Point, STILL } from "./geometry";
import type { Mask } from "./masks";

export interface Picture {
  sha256: string; // by which the server knows it
  name: string;
  width: number;
  height: number;
  prompt: string; // what it shows, as far as known
  file: Blob;
}

export interface Arrow {
  from: Point;
  to: Point; // the same point for a pin
}

/** What is in one outline goes into the other, corner by corner. */
export interface Region {
  from: Point[];
  to: Point[];
}

/** The landmarks of a face (iBUG order), where they are and where they are to be; the first 68 or 17 of those guide. */
export interface Face {
  own: Point[];
  wanted: Point[];
  points: 17 | 68;
}

export interface Moving {
  kind: "move";
  id: number;
  mask: Mask;
  place: Place;
  like?: Mask | null; // what fills the hole is to look like this part
}
export interface Removing {
  kind: "remove";
  id: number;
  mask: Mask;
  like?: Mask | null;
}
export interface Pasting {
  kind: "paste";
  id: number;
  mask: Mask; // in the other picture
  other: Picture;
  place: Place;
}
export interface Replacing {
  kind: "replace";
  id: number;
  mask: Mask;
  other: Picture;
  otherMask: Mask;
}
export type Change = Moving | Removing | Pasting | Replacing;

/** All that is wished of one picture. Never changed, only replaced, so that undo is a list of them. */
export interface Plan {
  selection: Mask | null;
  changes: Change[];
  arrows: Arrow[];
  regions: Region[];
  face: Face | null;
  words: string; // what the result is to show; empty: no words
  told: string; // what the picture shows
  about: string; // which of the words the change is about, with weights: "blue, apple 1.5"
  target: Mask | null; // where what the words are about will be
}

export interface Entry {
  id: string;
  parent: string | null;
  picture: Picture;
  label: string;
  seed: number | null;
  batch: string | null; // of results that were asked for together
  whole: boolean;
  plan: Plan | null; // that made it, to be taken up again
  result: boolean;
}

/** One state that undo and redo go between. */
export interface Moment {
  entry: string;
  plan: Plan;
}

export type Quality = "fast" | "balanced" | "best"; // a method's steps and settings by a name

export interface Choices {
  quality: Quality;
  steps: number | null; // null: by the quality
  count: number;
  seed: number;
  model: string;
  method: string;
  guidance: number | null;
  negative: string;
  other: string; // what the picture shows that looks are taken from, or that is pasted
  preserve: boolean;
  window: boolean; // of a large picture only a window round the edit goes through the model
  settings: Record<string, Record<string, unknown>>; // by method
}

export const NOTHING: Plan = {
  selection: null,
  changes: [],
  arrows: [],
  regions: [],
  face: null,
  words: "",
  told: "",
  about: "",
  target: null,
};

export const plain: Choices = {
  quality: "balanced",
  steps: null,
  count: 1,
  seed: 0,
  model: "",
  method: "",
  guidance: null,
  negative: "",
  other: "",
  preserve: true,
  window: true,
  settings: {},
};

/** Whether a plan asks for anything. */
export const asks = (plan: Plan): boolean =>
  plan.changes.some(acts) || plan.arrows.length > 0 || plan.regions.length > 0 || poses(plan) || plan.words.trim() !== "";

/** Whether geometry alone shows something of it. */
export const moves = (plan: Plan): boolean => plan.changes.some((c) => acts(c) && c.kind !== "replace") || bends(plan) || plan.regions.some(goes);

/** Whether it bends the picture as a sheet. */
export const bends = (plan: Plan): boolean => pulls(plan) || poses(plan);

export const pulls = (plan: Plan): boolean => plan.arrows.some((a) => a.from.x !== a.to.x || a.from.y !== a.to.y);

export const poses = (plan: Plan): boolean => !!plan.face?.own.some((p, i) => p.x !== plan.face!.wanted[i]!.x || p.y !== plan.face!.wanted[i]!.y);

export const goes = (region: Region): boolean => region.from.some((p, i) => p.x !== region.to[i]!.x || p.y !== region.to[i]!.y);

/** A move that has gone nowhere yet asks for nothing. */
export const acts = (change: Change): boolean => change.kind !== "move" || !still(change.place);

const still = (p: Place): boolean => p.dx === STILL.dx && p.dy === STILL.dy && p.scale === 1 && p.angle === 0;

const MOST = 200; // moments
const BYTES = 256 * 2 ** 20; // of masks in them: older moments are forgotten

/** The last moments whose masks take no more than so many bytes; the very last in any case. */
function latest(moments: Moment[], most: number): Moment[] {
  const masks = new Set<Uint8Array>();
  let bytes = 0;
  let first = moments.length;
  while (first > 0 && moments.length - first < MOST) {
    for (const mask of masksOf(moments[first - 1]!.plan)) {
      if (!masks.has(mask.data)) bytes += mask.data.length;
      masks.add(mask.data);
    }
    if (bytes > most && first < moments.length) break;
    first--;
  }
  return moments.slice(first);
}

/** The moments in order, and which is shown. */
export class Undo {
  moments: Moment[] = [];
  at = -1;

  get now(): Moment | null {
    return this.moments[this.at] ?? null;
  }

  push(moment: Moment): void {
    this.moments = latest([...this.moments.slice(0, this.at + 1), moment], BYTES);
    this.at = this.moments.length - 1;
  }

  /** The moments up to the shown one that take no more than so many bytes: what a reload is to find. */
  kept(bytes: number): Moment[] {
    return latest(this.moments.slice(0, this.at + 1), bytes);
  }

  /** Put another moment in place of the shown one: the rest of a gesture that began with a push. */
  replace(moment: Moment): void {
    this.moments[this.at] = moment;
  }

  go(by: 1 | -1): boolean {
    if (!this.moments[this.at + by]) return false;
    this.at += by;
    return true;
  }
}

export function masksOf(plan: Plan): Mask[] {
  const found = [plan.selection, plan.target].filter((mask) => mask !== null);
  for (const change of plan.changes) {
    found.push(change.mask);
    if ("like" in change && change.like) found.push(change.like);
    if (change.kind === "replace") found.push(change.otherMask);
  }
  return found;
}
