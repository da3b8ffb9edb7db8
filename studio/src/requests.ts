// A plan as the request that the server, the command line and the files know; and the way back.

import { bounds, type Mask } from "./masks";
import { maskOf, png, unbase64 } from "./pixels";
import type { About, Move, NamedPicture, Reprompt, Request } from "./schema";
import { acts, type Arrow, type Change, type Choices, NOTHING, type Picture, type Plan } from "./state";

type Edit = Request["edits"][number];

const named = (picture: Picture): NamedPicture => ({ name: picture.name, sha256: picture.sha256 });

/** scale: of the picture's proxy that is edited instead, with `image` for it; 1 for the picture itself. */
export async function edits(plan: Plan, scale = 1, size?: { width: number; height: number }, shows = ""): Promise<Edit[]> {
  const found: Edit[] = [];
  const masked = async (mask: Mask) => ({ png: await png(mask, size?.width, size?.height) });
  if (plan.words.trim()) {
    const words: Reprompt = { kind: "reprompt", prompt: plan.words.trim(), source_prompt: plan.told.trim() || shows };
    if (plan.selection) words.mask = await masked(plan.selection);
    found.push(words);
  }
  for (const change of plan.changes.filter(acts)) {
    if (change.kind === "remove") {
      found.push({ kind: "remove", mask: await masked(change.mask) });
    } else if (change.kind === "replace") {
      const reference_mask = { png: await png(change.otherMask) };
      found.push({ kind: "replace", mask: await masked(change.mask), reference: named(change.other), reference_mask });
    } else {
      const { dx, dy, scale: by, angle } = change.place;
      const place = { offset: [dx * scale, dy * scale] as [number, number], scale: by, angle };
      if (change.kind === "move") found.push({ kind: "move", mask: await masked(change.mask), ...place });
      else found.push({ kind: "paste", reference: named(change.other), reference_mask: { png: await png(change.mask) }, ...place });
    }
  }
  if (plan.arrows.length) {
    const at = (arrow: Arrow, end: "from" | "to"): [number, number] => [arrow[end].x * scale, arrow[end].y * scale];
    const handles = plan.arrows.map((a) => at(a, "from"));
    const targets = plan.arrows.map((a) => at(a, "to"));
    found.push({ kind: "drag", handles, targets, mask: plan.selection ? await masked(plan.selection) : null });
  }
  return found;
}

/** The method that a plan is done with: the one chosen, else the server's for its kinds of edits. */
export function methodOf(plan: Plan, choices: Choices, about: About): string {
  if (choices.method) return choices.method;
  const words = plan.words.trim() !== "";
  const kind = words ? (plan.arrows.length ? "reprompt+drag" : "reprompt") : plan.changes.some((c) => c.kind === "replace") ? "replace" : "move";
  return about.defaults[kind] ?? "";
}

/** Steps where the person has not said a number: null where the method's own are wanted. */
function stepsOf(plan: Plan, choices: Choices, about: About | null): number | null {
  if (choices.steps !== null || choices.quality === 1 || !about) return choices.steps;
  const way = about.methods[choices.model]?.find((w) => w.name === methodOf(plan, choices, about));
  return way ? Math.max(2, Math.round(way.steps * choices.quality)) : null;
}

export async function request(plan: Plan, picture: Picture, choices: Choices, about: About | null): Promise<Request> {
  return {
    image: named(picture),
    edits: await edits(plan, 1, undefined, picture.prompt),
    prompt: plan.words.trim() ? "" : plan.told.trim(),
    negative_prompt: choices.negative.trim(),
    guidance: choices.guidance,
    model: choices.model,
    method: choices.method || null,
    settings: (choices.method && choices.settings[choices.method]) || {},
    steps: stepsOf(plan, choices, about),
    seed: choices.seed,
    count: choices.count,
    preserve: choices.preserve,
  };
}

/** The plan of a request whose masks are pictures of their own size; what the page has no tool for is left out. */
export async function planOf(asked: Request, other: (picture: unknown) => Promise<Picture | null>): Promise<Plan> {
  const plan: Plan = { ...NOTHING, told: asked.prompt ?? "", changes: [], arrows: [] };
  let id = 1;
  for (const edit of asked.edits) {
    if (edit.kind === "move" || edit.kind === "remove") {
      const mask = await maskIn(edit.mask);
      if (mask && edit.kind === "move") plan.changes.push({ kind: "move", id: id++, mask, place: placeOf(edit) });
      else if (mask) plan.changes.push({ kind: "remove", id: id++, mask });
    } else if (edit.kind === "drag") {
      plan.selection = edit.mask ? await maskIn(edit.mask) : plan.selection;
      const ends = (edit.handles ?? []).map((p, i) => ({ from: point(p), to: point(edit.targets?.[i] ?? p) }));
      plan.arrows.push(...ends);
    } else if (edit.kind === "reprompt") {
      plan.words = edit.prompt;
      plan.told = edit.source_prompt || plan.told;
      plan.selection = edit.mask ? await maskIn(edit.mask) : plan.selection;
    } else if (edit.kind === "paste" || edit.kind === "replace") {
      const change = await pasted(edit, id++, other);
      if (change) plan.changes.push(change);
    }
  }
  return plan;
}

async function pasted(
  edit: Extract<Edit, { kind?: "paste" | "replace" }>,
  id: number,
  other: (picture: unknown) => Promise<Picture | null>,
): Promise<Change | null> {
  const picture = await other(edit.reference);
  const otherMask = await maskIn(edit.reference_mask);
  if (!picture || !otherMask) return null;
  if (edit.kind === "paste") return { kind: "paste", id, mask: otherMask, other: picture, place: placeOf(edit) };
  const mask = await maskIn((edit as { mask: unknown }).mask);
  return mask && { kind: "replace", id, mask, other: picture, otherMask };
}

const point = ([x, y]: [number, number]) => ({ x, y });
const placeOf = (edit: Pick<Move, "offset" | "scale" | "angle">) => ({
  dx: edit.offset?.[0] ?? 0,
  dy: edit.offset?.[1] ?? 0,
  scale: edit.scale ?? 1,
  angle: edit.angle ?? 0,
});

async function maskIn(form: unknown): Promise<Mask | null> {
  const given = form as { png?: string };
  return given.png ? maskOf(unbase64(given.png)) : null;
}

/** What a change is called in a list, by its size. */
export const extent = (mask: Mask): string => {
  const { width, height } = bounds(mask);
  return `${width} × ${height}`;
};
