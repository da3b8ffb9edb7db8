// Faces by landmarks: found by the server's small network, read from a file, or taken from another picture; pulled by hand.

import type { App } from "./app";
import { distance, type Point, toScreen } from "./geometry";
import { changing, type Gesture, NEAR, within } from "./gesture";
import * as net from "./net";
import { other } from "./opening";
import type { Face as Posed } from "./schema";
import type { Pull } from "./sheet";
import type { Stage } from "./stage";
import type { Face, Picture } from "./state";
import { say, text } from "./texts";

type Size = Pick<Picture, "width" | "height">;

/** Those of the 68 that guide where 17 are asked for: `FACE_17` of src/dragkit/edits.py, which a test compares. */
export const SEVENTEEN = [0, 4, 8, 12, 16, 19, 24, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57] as const;
const SOFT = 0.07; // of the face's width: how far neighbours go along with a landmark that is pulled

/** The lines that the 68 landmarks are corners of (iBUG order): first, last, whether it closes. */
export const LINES: readonly (readonly [number, number, boolean])[] = [
  [0, 16, false],
  [17, 21, false],
  [22, 26, false],
  [27, 30, false],
  [31, 35, false],
  [36, 41, true],
  [42, 47, true],
  [48, 59, true],
  [60, 67, true],
];

/** The numbers of the landmarks that guide. */
export const used = (face: Face): readonly number[] => (face.points === 17 && face.own.length === 68 ? SEVENTEEN : face.own.map((_, i) => i));

/** The landmarks that guide, and where each goes. */
export const landmarks = (face: Face): Pull[] => used(face).map((i) => ({ from: face.own[i]!, to: face.wanted[i]! }));

/** The points of a file of landmarks, as the command line takes it: a list, or one named "landmarks". */
export async function read(file: Blob): Promise<Point[]> {
  let found: unknown = null;
  try {
    found = JSON.parse(await file.text());
  } catch {
    // the sentence below will do
  }
  const list = Array.isArray(found) ? found : (found as { landmarks?: unknown } | null)?.landmarks;
  const right = Array.isArray(list) && [17, 68].includes(list.length) && list.every((p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite));
  if (!right) throw new net.Refused(400, text("landmarkFile"));
  return (list as [number, number][]).map(([x, y]) => ({ x, y }));
}

/** Landmarks that the server's network finds in a picture, in its pixels. */
async function found(app: App, picture: Picture): Promise<Point[]> {
  const { name, scale } = await app.decoded.proxy(picture);
  return (await detected(name)).map((p) => within({ x: p.x / scale, y: p.y / scale }, picture));
}

/** The face of an edit: what it leaves out is found in the two pictures. */
export async function landmarksOf(edit: Posed, picture: Picture, from: Picture | null): Promise<Face | null> {
  const given = (list: [number, number][] | null | undefined) => list?.map(([x, y]) => ({ x, y }));
  const own = given(edit.landmarks) ?? (await detected(picture.sha256));
  const other = given(edit.reference_landmarks) ?? (from && (await detected(from.sha256)));
  if (!other) return null;
  const wanted = from ? other.map((p) => framed(p, from, picture)) : other;
  return matched({ own, wanted: own, points: edit.points ?? 68 }, wanted);
}

/** Where a point of one picture lies in the frame of another. */
const framed = (p: Point, from: Size, to: Size): Point => ({ x: (p.x * to.width) / from.width, y: (p.y * to.height) / from.height });

const detected = async (sha256: string): Promise<Point[]> => (await net.landmarks({ sha256 })).points.map(([x, y]) => ({ x, y }));

/** Begin with the landmarks of the picture's own face: of a file, or found. */
export async function begin(app: App, file: Blob | null): Promise<void> {
  const picture = app.picture!;
  const own = await app.ask(() => (file ? read(file) : app.sent(() => found(app, picture))));
  if (!own) return;
  if (own.some((p) => p.x < 0 || p.y < 0 || p.x > picture.width || p.y > picture.height)) {
    say(text("landmarksOutside"), "bad");
    return;
  }
  app.wish({ face: { own, wanted: own, points: own.length === 17 ? 17 : 68 } });
  app.tool = "face";
}

/** Let the face become that of another picture, in whose frame it lies alike; or that of a file of landmarks. */
export async function become(app: App, file: File): Promise<void> {
  const { face } = app.plan;
  const picture = app.picture!;
  if (!face) return;
  const wanted = await app.ask(async () => {
    if (!file.type.startsWith("image/")) return read(file);
    const from = await other(app, file, file.name);
    const points = from && (await found(app, from));
    return points && points.map((p) => framed(p, from, picture));
  });
  if (wanted) app.wish({ face: matched(face, wanted) });
}

/** Both sets with as many points: of 68 and 17 the seventeen are compared. */
export function matched(face: Face, wanted: Point[]): Face {
  if (wanted.length === face.own.length) return { ...face, wanted };
  const few = (points: Point[]) => (points.length === 68 ? SEVENTEEN.map((i) => points[i]!) : points);
  return { own: few(face.own), wanted: few(wanted), points: 17 };
}

/** The landmarks with one moved, and those near it going along. */
export function pulledBy(face: Face, index: number, by: Point, alone: boolean): Face {
  const across = face.own.map((p) => p.x);
  const reach = SOFT * (Math.max(...across) - Math.min(...across));
  const centre = face.wanted[index]!;
  const wanted = face.wanted.map((p, i) => {
    const weight = i === index ? 1 : alone ? 0 : Math.exp(-((distance(p, centre) / Math.max(reach, 1e-6)) ** 2));
    return { x: p.x + weight * by.x, y: p.y + weight * by.y };
  });
  return { ...face, wanted };
}

/** The landmark near a point of the picture. */
export function landmarkAt(stage: Stage, face: Face, p: Point): number | null {
  let best: number | null = null;
  let least = NEAR;
  for (const i of used(face)) {
    const far = distance(toScreen(stage.view, face.wanted[i]!), toScreen(stage.view, p));
    if (far < least) [best, least] = [i, far];
  }
  return best;
}

export function posing(app: App, stage: Stage, p: Point): Gesture | null {
  const { face } = app.plan;
  const index = face && landmarkAt(stage, face, p);
  if (!face || index === null) return null;
  stage.landmark = index;
  return changing(app, (q, keys) => ({ face: pulledBy(face, index, { x: q.x - p.x, y: q.y - p.y }, keys.shiftKey) }));
}
