// What the page asks the server. Whatever goes wrong arrives as a Trouble with one sentence.

import type { About, Drawing, Faced, Landmarks, Opened, Picked, Picking, Request, Status } from "./schema";

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function asked(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, "");
  }
  if (answer.ok) return answer;
  let detail = "";
  try {
    detail = ((await answer.json()) as { detail?: string }).detail ?? "";
  } catch {
    // the sentence below will do
  }
  throw new Refused(answer.status, detail || `${answer.status} ${answer.statusText}`);
}

const post = (path: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
  asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });

const json = async <T>(answer: Promise<Response>): Promise<T> => (await (await answer).json()) as T;
const blob = async (answer: Promise<Response>): Promise<Blob> => (await answer).blob();

export const about = (): Promise<About> => json(asked("api/about"));
export const scene = (number: number): Promise<Opened> => json(asked(`api/scenes/${number}`));
export const send = (file: Blob, name: string): Promise<Opened> =>
  json(asked(`api/pictures?name=${encodeURIComponent(name)}`, { method: "POST", body: file }));
export const picture = (sha256: string): Promise<Blob> => blob(asked(`api/pictures/${sha256}.png`));
export const kept = (name: string): Promise<Blob> => blob(asked(`api/workspace/${encodeURIComponent(name)}`));
export const result = (url: string): Promise<Blob> => blob(asked(url.replace(/^\//, "")));
export const pick = (wish: Picking): Promise<Picked> => json(post("api/pick", wish));
export const landmarks = (wish: Faced): Promise<Landmarks> => json(post("api/landmarks", wish));
export const preview = (request: Request, signal?: AbortSignal): Promise<Blob> => blob(post("api/preview", request, signal));
export const edit = (request: Request): Promise<Status> => json(post("api/jobs", request));
export const draw = (drawing: Drawing): Promise<Status> => json(post("api/drawings", drawing));
export const stop = (id: string): Promise<Status> => json(asked(`api/jobs/${id}`, { method: "DELETE" }));

/** The states of a job as they come, to its end. A line that breaks is taken up again a few times. */
export async function watch(id: string, tell: (status: Status) => void): Promise<Status> {
  for (let tries = 0; ; tries++) {
    try {
      const last = await stream(id, (status) => {
        tries = 0;
        tell(status);
      });
      if (last) return last;
    } catch (error) {
      if (tries >= 4 || (error instanceof Refused && error.status >= 400)) throw error;
    }
    await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
  }
}

async function stream(id: string, tell: (status: Status) => void): Promise<Status | null> {
  const answer = await asked(`api/jobs/${id}/events`);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return null;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const status = JSON.parse(part.replace(/^data: /, "")) as Status;
      tell(status);
      if (["done", "stopped", "failed"].includes(status.state)) return status;
    }
  }
}
