// What buttons and keys alike do.

import type { App, Tool } from "./app";
import type { Entry } from "./state";

export function choose(app: App, tool: Tool): void {
  app.tool = tool;
  app.compare = app.against = null;
  app.variants = false;
  app.changed(false);
}

export function fit(app: App): void {
  app.view = null;
  app.changed(false);
}

/** Compare the shown picture with the one it was made of, or with another result; or end that. */
export function toggleCompare(app: App, against: string | null = null): void {
  if (!app.entry?.parent) return;
  app.compare = app.compare === null || against ? 0.5 : null;
  app.against = app.compare === null ? null : against;
  app.variants = false;
  app.changed(false);
}

/** The results of the seeds that were asked for together with the shown one; none where it came alone. */
export function siblings(app: App): Entry[] {
  const { entry } = app;
  const found = [...app.entries.values()].filter((e) => entry?.batch && e.batch === entry.batch);
  return found.length > 1 ? found : [];
}

export function toggleVariants(app: App): void {
  app.variants = !app.variants && siblings(app).length > 0;
  app.compare = app.against = null;
  app.changed(false);
}

export function erase(app: App): void {
  const { selection, changes } = app.plan;
  if (selection) app.wish({ changes: [...changes, { kind: "remove", id: app.next, mask: selection }], selection: null });
}

/** Copy the selected object, for another picture or for this one. */
export function copy(app: App): void {
  if (!app.plan.selection || !app.picture) return;
  app.clip = { picture: app.picture, mask: app.plan.selection };
  app.changed(false);
}

/** Paste the copied object where it stood, or in the middle where that is outside. */
export function paste(app: App): void {
  const { clip, picture } = app;
  if (!clip || !picture) return;
  const id = app.next;
  const by = Math.round(picture.width / 16);
  const same = clip.picture.sha256 === picture.sha256;
  const place = { dx: same ? by : 0, dy: same ? by : 0, scale: 1, angle: 0 };
  if (clip.picture.width > picture.width * 1.5) place.scale = picture.width / clip.picture.width;
  app.wish({ changes: [...app.plan.changes, { kind: "paste", id, mask: clip.mask, other: clip.picture, place }] });
  app.active = id;
  app.tool = "grab";
}

/** Give the selection the look of the copied object. */
export function take(app: App): void {
  const { clip } = app;
  const { selection, changes } = app.plan;
  if (!clip || !selection) return;
  const change = { kind: "replace" as const, id: app.next, mask: selection, other: clip.picture, otherMask: clip.mask };
  app.wish({ changes: [...changes, change], selection: null });
}
