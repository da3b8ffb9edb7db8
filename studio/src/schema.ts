// Written by `python -m dragkit.studio.typescript`; a test compares. Do not edit.

export type About = {
  version: string;
  models: (string)[];
  methods: Record<string, (Way)[]>;
  defaults: Record<string, string>;
  scenes: number;
  max_side: number;
  count: number;
  workspace: (string)[];
};

export type BoxMask = {
  box: [number, number, number, number];
};

export type Drag = {
  kind?: "drag";
  handles?: ([number, number])[];
  targets?: ([number, number])[];
  mask?: BoxMask | EllipseMask | PolygonMask | PngMask | null;
  regions?: ([([number, number])[], ([number, number])[]])[];
};

export type Drawing = {
  prompt: string;
  negative_prompt?: string;
  seed?: number;
  size?: [number, number] | null;
  steps?: number | null;
  guidance?: number | null;
  model?: string;
};

export type EllipseMask = {
  ellipse: [number, number, number, number];
};

export type Face = {
  kind?: "face";
  reference?: PngPicture | PathPicture | NamedPicture | null;
  points?: 17 | 68;
  landmarks?: ([number, number])[] | null;
  reference_landmarks?: ([number, number])[] | null;
};

export type Faced = {
  sha256: string;
};

export type Landmarks = {
  points: ([number, number])[];
};

export type Lattice = {
  rows: number;
  columns: number;
  offsets: (number)[];
};

export type Made = {
  url: string;
  seed: number;
  whole: boolean;
};

export type Move = {
  kind?: "move";
  mask: BoxMask | EllipseMask | PolygonMask | PngMask;
  offset?: [number, number];
  scale?: number;
  angle?: number;
  fill_like?: BoxMask | EllipseMask | PolygonMask | PngMask | null;
};

export type Moved = {
  size: [number, number];
  edits: (Move | Remove | Replace | Paste | Drag | Face | Reprompt)[];
};

export type NamedPicture = {
  name: string;
  sha256: string;
};

export type Opened = {
  name: string;
  sha256: string;
  width: number;
  height: number;
  prompt: string;
  scaled: boolean;
  record: Record<string, unknown> | null;
};

export type Paste = {
  kind?: "paste";
  reference: PngPicture | PathPicture | NamedPicture;
  reference_mask: BoxMask | EllipseMask | PolygonMask | PngMask;
  offset?: [number, number];
  scale?: number;
  angle?: number;
};

export type PathPicture = {
  path: string;
};

export type Picked = {
  png: string;
};

export type Picking = {
  sha256: string;
  point?: [number, number] | null;
  box?: [number, number, number, number] | null;
};

export type PngMask = {
  png: string;
};

export type PngPicture = {
  png: string;
};

export type PolygonMask = {
  polygon: ([number, number])[];
};

export type Remove = {
  kind?: "remove";
  mask: BoxMask | EllipseMask | PolygonMask | PngMask;
  fill_like?: BoxMask | EllipseMask | PolygonMask | PngMask | null;
};

export type Replace = {
  kind?: "replace";
  mask: BoxMask | EllipseMask | PolygonMask | PngMask;
  reference: PngPicture | PathPicture | NamedPicture;
  reference_mask: BoxMask | EllipseMask | PolygonMask | PngMask;
};

export type Reprompt = {
  kind?: "reprompt";
  prompt: string;
  source_prompt?: string;
  words?: Record<string, number>;
  mask?: BoxMask | EllipseMask | PolygonMask | PngMask | null;
  target_mask?: BoxMask | EllipseMask | PolygonMask | PngMask | null;
};

export type Request = {
  image?: PngPicture | PathPicture | NamedPicture | null;
  edits: (Move | Remove | Replace | Paste | Drag | Face | Reprompt)[];
  prompt?: string;
  reference_prompt?: string;
  negative_prompt?: string;
  guidance?: number | null;
  model?: string;
  method?: string | null;
  settings?: Record<string, unknown>;
  steps?: number | null;
  speed?: "fast" | "balanced" | "best" | null;
  seed?: number;
  count?: number;
  preserve?: boolean;
  window?: "auto" | "off";
};

export type Setting = {
  name: string;
  kind: "number" | "integer" | "switch" | "window" | "text";
  default: unknown;
  help: string;
  source: string;
};

export type Status = {
  id: string;
  state: "queued" | "running" | "done" | "stopped" | "failed";
  phase: string;
  ahead: number;
  done: number;
  total: number;
  left: number | null;
  points: ([number, number])[];
  preview: string | null;
  results: (Made)[];
  notes: (string)[];
  detail: string;
};

export type Trouble = {
  detail: string;
};

export type Way = {
  name: string;
  about: string;
  kinds: (string)[];
  settings: (Setting)[];
  steps: number;
  speeds: (string)[];
};
