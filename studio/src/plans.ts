// A request as a plan: the way back, of a result that is opened again.

import { landmarksOf } from "./faces";
import { type Place, STILL } from "./geometry";
import { box, ellipse, type Mask, polygon } from "./masks";
import { maskOf, unbase64 } from "./pixels";
import type { Face as Posed, Move, Replace, Request } from "./schema";
import { type Change, type Face, NOTHING, type Picture, type Plan } from "./state";

type Edit = Request["edits"][number];
type Pair = [number, number];
/** Another picture that a request holds, once the server has it. */
type Other = (given: unknown) => Promise<Picture | null>;

/** The plan of a request on a picture. */
export async function planOf(asked: Request, picture: Picture, other: Other): Promise<Plan> {
  const plan: Plan = { ...NOTHING, told: asked.prompt ?? "", changes: [], arrows: [], regions: [] };
  for (const edit of asked.edits) {
    switch (edit.kind) {
      case "drag":
        plan.selection = (await maskIn(edit.mask, picture)) ?? plan.selection;
        plan.arrows.push(...(edit.handles ?? []).map((p, i) => ({ from: point(p), to: point(edit.targets?.[i] ?? p) })));
        plan.regions.push(...(edit.regions ?? []).map(([from, to]) => ({ from: from.map(point), to: to.map(point) })));
        break;
      case "reprompt":
        plan.words = edit.prompt;
        plan.told = edit.source_prompt || plan.told;
        plan.about = Object.entries(edit.words ?? {}).map(([word, weight]) => (weight === 1 ? word : `${word} ${weight}`)).join(", ");
        plan.selection = (await maskIn(edit.mask, picture)) ?? plan.selection;
        plan.target = await maskIn(edit.target_mask, picture);
        break;
      case "face":
        plan.face = await faced(edit, picture, other);
        break;
      default: {
        const change = await changeOf(edit, plan.changes.length + 1, picture, other);
        if (change) plan.changes.push(change);
      }
    }
  }
  return plan;
}

async function changeOf(edit: Edit, id: number, picture: Picture, other: Other): Promise<Change | null> {
  if (edit.kind === "move" || edit.kind === "remove") {
    const mask = await maskIn(edit.mask, picture);
    const like = await maskIn(edit.fill_like, picture);
    if (!mask) return null;
    return edit.kind === "move" ? { kind: "move", id, mask, place: placeOf(edit), like } : { kind: "remove", id, mask, like };
  }
  if (edit.kind !== "paste" && edit.kind !== "replace") return null;
  const from = await other(edit.reference);
  const otherMask = from && (await maskIn(edit.reference_mask, from));
  if (!from || !otherMask) return null;
  if (edit.kind === "paste") return { kind: "paste", id, mask: otherMask, other: from, place: placeOf(edit) };
  const mask = await maskIn((edit as Replace).mask, picture); // the schema leaves kinds optional
  return mask && { kind: "replace", id, mask, other: from, otherMask };
}

async function faced(edit: Posed, picture: Picture, other: Other): Promise<Face | null> {
  const from = edit.reference && (await other(edit.reference));
  return landmarksOf(edit, picture, from ?? null);
}

const point = ([x, y]: Pair) => ({ x, y });

const placeOf = (edit: Pick<Move, "offset" | "scale" | "angle">): Place => {
  const [dx, dy] = edit.offset ?? [0, 0];
  return { ...STILL, dx, dy, scale: edit.scale ?? 1, angle: edit.angle ?? 0 };
};

async function maskIn(form: unknown, { width, height }: Picture): Promise<Mask | null> {
  const given = form as { png?: string; box?: [number, number, number, number]; ellipse?: [number, number, number, number]; polygon?: Pair[] } | null;
  if (given?.png) return maskOf(unbase64(given.png));
  if (given?.polygon) return polygon(width, height, given.polygon.map(point));
  const corners = given?.box ?? given?.ellipse;
  if (!corners) return null;
  return (given!.box ? box : ellipse)(width, height, point([corners[0], corners[1]]), point([corners[2], corners[3]]));
}
