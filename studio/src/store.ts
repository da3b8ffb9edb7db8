// What a reload must not lose, kept in the browser: one small record for every tab's session, the latest ten, and beside
// them the pictures and masks, each written once under a key of its own.

import type { Choices, Entry, Moment } from "./state";

export interface Session {
  id: string;
  time: number;
  entries: Entry[];
  moments: Moment[];
  at: number;
  choices: Choices;
  job: { id: string; parent: string; plan: Moment["plan"]; label: string } | null;
}

/** What a page that starts shows of a session. */
export interface Recent {
  id: string;
  name: string;
  file: Blob; // of its last picture
}

/** A session as it is written; sessions of earlier versions hold their parts themselves. */
type Written = Session & { parts?: string[] };
type Part = Blob | { length: number; bits: Uint8Array };

const NAME = "dragkit-studio";
const KEPT = 10;

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const asked = indexedDB.open(NAME, 2);
    asked.onupgradeneeded = (change) => {
      if (change.oldVersion < 1) asked.result.createObjectStore("sessions", { keyPath: "id" });
      asked.result.createObjectStore("parts");
    };
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

interface Stores {
  sessions: IDBObjectStore;
  parts: IDBObjectStore;
}

/** Do something in one transaction; all of it is written, or nothing. */
async function within<T>(mode: IDBTransactionMode, work: (stores: Stores) => Promise<T>): Promise<T> {
  const base = await opened();
  try {
    const change = base.transaction(["sessions", "parts"], mode);
    const ended = new Promise<void>((done, failed) => {
      change.oncomplete = () => done();
      change.onerror = change.onabort = () => failed(change.error);
    });
    ended.catch(() => undefined); // told below, where the work itself has not failed
    const found = await work({ sessions: change.objectStore("sessions"), parts: change.objectStore("parts") });
    await ended;
    return found;
  } finally {
    base.close();
  }
}

const result = <T>(asked: IDBRequest<T>): Promise<T> =>
  new Promise((done, failed) => {
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });

// ------------------------------------------------------------------------------------- parts, and values without them

const keys = new WeakMap<object, string>();

/** A value in which files and the pixels of masks are replaced by keys; they are put into `parts`. */
function apart(value: unknown, parts: Map<string, Blob | Uint8Array>): unknown {
  if (value instanceof Blob || value instanceof Uint8Array) {
    const key = keys.get(value) ?? secret();
    keys.set(value, key);
    parts.set(key, value);
    return { part: key };
  }
  if (Array.isArray(value)) return value.map((item) => apart(item, parts));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, apart(item, parts)]));
}

/** A value with its parts again; equal keys give the same object, also of the mask round it. */
function together(value: unknown, parts: Map<string, Blob | Uint8Array>, masks = new Map<string, unknown>()): unknown {
  if (Array.isArray(value)) return value.map((item) => together(item, parts, masks));
  if (value === null || typeof value !== "object" || value instanceof Blob || value instanceof Uint8Array) return value;
  if ("part" in value) return parts.get(value.part as string);
  const key = (value as { data?: { part?: string } }).data?.part;
  if (key && masks.has(key)) return masks.get(key);
  const whole = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, together(item, parts, masks)]));
  if (key) masks.set(key, whole);
  return whole;
}

/** Eight pixels of a mask in a byte: a mask of 12 megapixels takes 1.5 MB. */
function packed(part: Blob | Uint8Array): Part {
  if (part instanceof Blob) return part;
  const bits = new Uint8Array(Math.ceil(part.length / 8));
  for (let i = 0; i < part.length; i++) if (part[i]) bits[i >> 3]! |= 1 << (i & 7);
  return { length: part.length, bits };
}

function unpacked(part: Part): Blob | Uint8Array {
  if (part instanceof Blob) return part;
  const data = new Uint8Array(part.length);
  for (let i = 0; i < data.length; i++) data[i] = (part.bits[i >> 3]! >> (i & 7)) & 1;
  return data;
}

async function taken(store: IDBObjectStore, names: string[]): Promise<Map<string, Blob | Uint8Array>> {
  const found = new Map<string, Blob | Uint8Array>();
  for (const name of names) {
    const part = (await result(store.get(name))) as Part | undefined;
    if (!part) continue;
    const whole = unpacked(part);
    keys.set(whole, name);
    found.set(name, whole);
  }
  return found;
}

// ----------------------------------------------------------------------------------------------------------- sessions

export const read = (id: string): Promise<Session | undefined> =>
  within("readonly", async ({ sessions, parts }) => {
    const found = (await result(sessions.get(id))) as Written | undefined;
    return found && (together(found, await taken(parts, found.parts ?? [])) as Session);
  });

/** Keep a session: of its pictures and masks only those that are not kept yet are written. */
export async function write(session: Session): Promise<void> {
  const used = new Map<string, Blob | Uint8Array>();
  const small = apart(session, used) as Session;
  await within("readwrite", async ({ sessions, parts }) => {
    const known = new Set(await result(parts.getAllKeys()));
    const before = (await result(sessions.get(session.id))) as Written | undefined;
    for (const [key, part] of used) if (!known.has(key)) parts.put(packed(part), key);
    await result(sessions.put({ ...small, parts: [...used.keys()] }));
    if (before?.parts?.some((key) => !used.has(key))) await sweep(sessions, parts);
  });
}

/** The latest sessions, newest first; older ones are forgotten. */
export const recent = (): Promise<Recent[]> =>
  within("readwrite", async ({ sessions, parts }) => {
    const all = ((await result(sessions.getAll())) as Written[]).sort((a, b) => b.time - a.time);
    for (const old of all.slice(KEPT)) await result(sessions.delete(old.id));
    await sweep(sessions, parts);
    const found: Recent[] = [];
    for (const { id, entries } of all.slice(0, KEPT).filter((session) => session.entries.length)) {
      const file = entries.at(-1)!.picture.file as Blob | { part: string };
      const whole = file instanceof Blob ? file : ((await result(parts.get(file.part))) as Blob | undefined);
      if (whole) found.push({ id, name: entries[0]!.picture.name, file: whole });
    }
    return found;
  });

/** Forget the pictures and masks that no session has any more. */
async function sweep(sessions: IDBObjectStore, parts: IDBObjectStore): Promise<void> {
  const all = (await result(sessions.getAll())) as Written[];
  const used = new Set(all.flatMap((session) => session.parts ?? []));
  for (const key of await result(parts.getAllKeys())) if (!used.has(String(key))) await result(parts.delete(key));
}

/** A name that nobody else has; also where the page comes over plain HTTP from another machine. */
export const secret = (): string => Array.from(crypto.getRandomValues(new Uint8Array(9)), (b) => b.toString(36)).join("");

/** The session of this tab: it outlives a reload, and another tab has another. */
export function own(): string {
  const found = sessionStorage.getItem("session");
  if (found) return found;
  return named(secret());
}

export function named(id: string): string {
  sessionStorage.setItem("session", id);
  return id;
}
