// What a reload must not lose, kept in the browser: one record for every tab's session, the latest ten.

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

const NAME = "dragkit-studio";
const KEPT = 10;

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("sessions", { keyPath: "id" });
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const base = await opened();
  try {
    return await new Promise<T>((done, failed) => {
      const change = base.transaction("sessions", mode);
      const asked = work(change.objectStore("sessions"));
      change.oncomplete = () => done(asked.result);
      change.onerror = () => failed(change.error);
      change.onabort = () => failed(change.error);
    });
  } finally {
    base.close();
  }
}

export const read = (id: string): Promise<Session | undefined> => within("readonly", (store) => store.get(id) as IDBRequest<Session | undefined>);

export async function write(session: Session): Promise<void> {
  await within("readwrite", (store) => store.put(session));
}

export const forget = (id: string): Promise<undefined> => within("readwrite", (store) => store.delete(id) as IDBRequest<undefined>);

/** The latest sessions, newest first; older ones are forgotten. */
export async function recent(): Promise<Session[]> {
  const all = (await within("readonly", (store) => store.getAll() as IDBRequest<Session[]>)).sort((a, b) => b.time - a.time);
  for (const old of all.slice(KEPT)) await forget(old.id);
  return all.slice(0, KEPT);
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
