// Elements in one expression, and the icons.

type Part = Node | string | null | false | undefined;
type Props = Record<string, unknown>;

/** An element with properties (`on...` are listeners, `data-`/`aria-` and others with a dash attributes) and parts. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...parts: Part[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value as EventListener);
    else if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, String(value));
    else (made as unknown as Props)[name] = value;
  }
  made.append(...parts.filter((p): p is Node | string => p !== null && p !== false && p !== undefined));
  return made;
}

const PATHS = {
  grab: "M5 3v15l4-3.6 2.6 5.9 2.5-1.1-2.6-5.8H17z",
  brush: "M20 4 10.5 13.5M9 14c-2 0-3.4 1.4-3.4 3.2 0 1.5-1 2.3-2.1 2.5C4.700 20.600 6 21 7.400 21 9.800 21 11.600 19.500 11.600 17.200 11.600 15.600 10.400 14 9 14z",
  eraser: "m14.500 4.500 5 5L11 18H6.500l-3-3zM9 10l5 5M11 18h9.500",
  lasso: "M12 4.500c-5 0-8.500 2.500-8.500 5.800S7 16 12 16s8.500-2.400 8.500-5.700S17 4.500 12 4.500zM6.500 15c-1.500 1-1.500 3 .300 3.300 1.700.300 1.700 2.200.200 3",
  box: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4",
  points: "M6.500 17.500 17 7M11 6.500h6.500V13M6.500 20.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  regions: "M4 8.500 9.500 4l4 4.500-2 6-5.500.500zM14.500 13l5-3 1.500 5.500-3.500 4.500-4.500-2",
  face: "M12 3.500c4 0 7 3 7 7.500 0 5-3.300 9.500-7 9.500S5 16 5 11c0-4.500 3-7.500 7-7.500zM9.300 10.300h.010M14.700 10.300h.010M9 15c1.800 1.500 4.200 1.500 6 0",
  variants: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  hand: "M7 12V7a1.500 1.500 0 0 1 3 0v4-6.500a1.500 1.500 0 0 1 3 0V11 6a1.500 1.500 0 0 1 3 0v5.500V9a1.500 1.500 0 0 1 3 0v6c0 3.500-2.500 6-6 6-3 0-4.300-1.300-5.500-3.500L4.600 13.800c-.800-1.500 1-2.600 2.400-1.800",
  open: "M3.500 18.500v-13h6l2 2.500h9v10.500z",
  undo: "M8.500 5 4 9.500 8.500 14M4 9.500h10a5.500 5.500 0 0 1 0 11h-3",
  redo: "m15.500 5 4.500 4.500-4.500 4.500M20 9.500H10a5.500 5.500 0 0 0 0 11h3",
  compare: "M12 3v18M4 6h5v12H4zM15 6h5v12h-5",
  download: "M12 4v11m-4.500-4 4.500 4.500 4.500-4.500M4.500 19.500h15",
  json: "M9 4c-3 0-2 3-2.500 5C6 11 5 12 4 12c1 0 2 1 2.500 3 .500 2-.500 5 2.500 5M15 4c3 0 2 3 2.500 5 .500 2 1.500 3 2.500 3-1 0-2 1-2.500 3-.500 2 .500 5-2.500 5",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  close: "m6 6 12 12M18 6 6 18",
  run: "M7 4.500v15l12-7.500z",
  stop: "M6.500 6.500h11v11h-11z",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  keys: "M3.500 7h17v10h-17zM7 10.500h.010M10.300 10.500h.010M13.700 10.500h.010M17 10.500h.010M8 14h8",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  paste: "M9 5H5.500v15.500h13V5H15M9 3.500h6v3.500H9z",
  look: "M12 4c-5 0-8.500 3.500-8.500 8s3.500 8 8 8c1.500 0 2-1 1.500-2.200-.600-1.300.200-2.600 1.700-2.600H17c2 0 3.500-1.400 3.500-3.400C20.500 7.400 17 4 12 4zM7.500 12h.010M9.500 8h.010M14 7.500h.010",
  again: "M4.500 12a7.500 7.500 0 1 1 2.300 5.400M4.500 20v-4.500H9",
} as const;

export type Icon = keyof typeof PATHS;

export function icon(name: Icon, filled = false): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  if (filled) svg.classList.add("filled");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon; its name is its tooltip too. */
export function iconButton(name: Icon, label: string, onclick: () => void, keys = ""): HTMLButtonElement {
  const title = keys ? `${label} (${keys})` : label;
  return h("button", { type: "button", className: "icon", title, "aria-label": label, onclick }, icon(name));
}

/** Put new parts into an element only where what they show has changed: focus and half-typed words stay. */
export function kept(place: HTMLElement, key: string, make: () => Part[]): void {
  if (place.dataset["key"] === key) return;
  place.dataset["key"] = key;
  place.replaceChildren(...make().filter((p): p is Node | string => p !== null && p !== false && p !== undefined));
}

/** Let a person choose a file. */
export function file(accept: string, taken: (file: File) => unknown): void {
  const input = h("input", { type: "file", accept });
  input.onchange = () => input.files?.[0] && void taken(input.files[0]);
  input.click();
}
