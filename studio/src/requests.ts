// A plan as the request that the server, the command line and the files know.

import type { Point } from "./geometry";
import { bounds, type Mask } from "./masks";
import { png } from "./pixels";
import type { About, NamedPicture, Reprompt, Request } from "./schema";
import { acts, type Change, type Choices, type Picture, type Plan, poses, type Quality } from "./state";

type Edit = Request["edits"][number];

const named = (picture: Picture): NamedPicture => ({ name: picture.name, sha256: picture.sha256 });

type Masked = (mask: Mask) => Promise<{ png: string }>;
type Pair = [number, number];

/** scale: of the picture's proxy that is edited instead, with `size` for it; 1 for the picture itself. */
export async function edits(plan: Plan, scale = 1, size?: { width: number; height: number }, shows = ""): Promise<Edit[]> {
  const masked: Masked = async (mask) => ({ png: await png(mask, size?.width, size?.height) });
  const point = (p: Point): Pair => [p.x * scale, p.y * scale];
  const found: Edit[] = [];
  if (plan.words.trim()) found.push(await reworded(plan, shows, masked));
  for (const change of plan.changes.filter(acts)) found.push(await changed(change, scale, masked));
  if (plan.arrows.length || plan.regions.length) {
    const handles = plan.arrows.map((a) => point(a.from));
    const targets = plan.arrows.map((a) => point(a.to));
    const regions = plan.regions.map((r): [Pair[], Pair[]] => [r.from.map(point), r.to.map(point)]);
    found.push({ kind: "drag", handles, targets, regions, mask: plan.selection ? await masked(plan.selection) : null });
  }
  if (poses(plan)) {
    const { own, wanted, points } = plan.face!;
    found.push({ kind: "face", points, landmarks: own.map(point), reference_landmarks: wanted.map(point) });
  }
  return found;
}

async function reworded(plan: Plan, shows: string, masked: Masked): Promise<Reprompt> {
  const words: Reprompt = { kind: "reprompt", prompt: plan.words.trim(), source_prompt: plan.told.trim() || shows, words: weights(plan.about) };
  if (plan.selection) words.mask = await masked(plan.selection);
  if (plan.selection && plan.target) words.target_mask = await masked(plan.target);
  return words;
}

/** {"apple": 1.5, "blue": 1} of "apple 1.5, blue". */
export function weights(about: string): Record<string, number> {
  const parts = about.split(",").map((part) => part.trim()).filter(Boolean);
  return Object.fromEntries(parts.map((part) => {
    const [, word, weight] = /^(.*?)(?:\s+(\d*\.?\d+))?$/.exec(part)!;
    return [word!, weight === undefined ? 1 : Number(weight)];
  }));
}

async function changed(change: Change, scale: number, masked: Masked): Promise<Edit> {
  if (change.kind === "replace") {
    const reference_mask = { png: await png(change.otherMask) };
    return { kind: "replace", mask: await masked(change.mask), reference: named(change.other), reference_mask };
  }
  const like = "like" in change && change.like ? { fill_like: await masked(change.like) } : {};
  if (change.kind === "remove") return { kind: "remove", mask: await masked(change.mask), ...like };
  const { dx, dy, scale: by, angle } = change.place;
  const place = { offset: [dx * scale, dy * scale] as Pair, scale: by, angle };
  if (change.kind === "move") return { kind: "move", mask: await masked(change.mask), ...place, ...like };
  return { kind: "paste", reference: named(change.other), reference_mask: { png: await png(change.mask) }, ...place };
}

const pulled = (plan: Plan): boolean => plan.arrows.length + plan.regions.length > 0;

/** The method that a plan is done with: the one chosen, else the server's for its kinds of edits. */
export function methodOf(plan: Plan, choices: Choices, about: About): string {
  if (choices.method) return choices.method;
  const words = plan.words.trim() !== "";
  const kind = words ? (pulled(plan) ? "reprompt+drag" : "reprompt") : plan.changes.some((c) => c.kind === "replace") ? "replace" : poses(plan) ? "face" : pulled(plan) ? "drag" : "move";
  return about.defaults[kind] ?? "";
}

/** The speed where the person has not said a number of steps: null where the method has none of that name. */
function speedOf(plan: Plan, choices: Choices, about: About | null): Quality | null {
  if (choices.steps !== null || !about) return null;
  const way = about.methods[choices.model]?.find((w) => w.name === methodOf(plan, choices, about));
  return way?.speeds.includes(choices.quality) ? choices.quality : null;
}

export async function request(plan: Plan, picture: Picture, choices: Choices, about: About | null): Promise<Request> {
  return {
    image: named(picture),
    edits: await edits(plan, 1, undefined, picture.prompt),
    prompt: plan.words.trim() ? "" : plan.told.trim(),
    reference_prompt: choices.other.trim(),
    negative_prompt: choices.negative.trim(),
    guidance: choices.guidance,
    model: choices.model,
    method: choices.method || null,
    settings: (choices.method && choices.settings[choices.method]) || {},
    steps: choices.steps,
    speed: speedOf(plan, choices, about),
    seed: choices.seed,
    count: choices.count,
    preserve: choices.preserve,
    window: choices.window ? "auto" : "off",
  };
}

/** What a change is called in a list, by its size. */
export const extent = (mask: Mask): string => {
  const { width, height } = bounds(mask);
  return `${width} × ${height}`;
};
