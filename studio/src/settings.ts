// The advanced choices: made of what the server says the methods have.

import type { App } from "./app";
import { h, kept } from "./dom";
import type { Setting, Way } from "./schema";
import type { Choices } from "./state";
import { speaks, text } from "./texts";

let names = 0;

/** A field with its label; help, if any, is read with it and shown below. */
export function labelled(label: string, field: HTMLElement, help = ""): HTMLElement {
  field.id ||= `field-${++names}`;
  const hint = help ? h("small", { id: `${field.id}-help` }, help) : null;
  if (hint) field.setAttribute("aria-describedby", hint.id);
  return h("div", { className: "field" }, h("label", { for: field.id }, label), field, hint);
}

export function advanced(app: App): { element: HTMLElement; update(): void } {
  const inner = h("div", { className: "inner" });
  const element = h("details", { className: "advanced" }, h("summary", {}, text("advanced")), inner);
  return {
    element,
    update() {
      const { model, method, settings } = app.choices;
      kept(inner, [app.about?.version, model, method, JSON.stringify(settings[method] ?? {}) === "{}", speaks()].join(), () => fields(app));
      put(inner, app.choices);
    },
  };
}

function set(app: App, choice: Partial<Choices>): void {
  app.choices = { ...app.choices, ...choice };
  app.changed();
}

function fields(app: App): HTMLElement[] {
  const { about, choices } = app;
  if (!about) return [];
  const ways = about.methods[choices.model] ?? [];
  const way = ways.find((w) => w.name === choices.method);
  const steps = number("steps", 1, 1, (value) => set(app, { steps: value }));
  const guidance = number("guidance", 0, 0.5, (value) => set(app, { guidance: value }));
  steps.placeholder = guidance.placeholder = text("auto");
  const negative = h("input", { type: "text", "data-choice": "negative" });
  negative.addEventListener("change", () => set(app, { negative: negative.value }));
  const keep = h("input", { type: "checkbox", "data-choice": "preserve" });
  keep.addEventListener("change", () => set(app, { preserve: keep.checked }));
  const other = h("input", { type: "text", "data-choice": "other" });
  other.addEventListener("change", () => set(app, { other: other.value }));
  const cut = h("input", { type: "checkbox", "data-choice": "window" });
  cut.addEventListener("change", () => set(app, { window: cut.checked }));
  return [
    ...(about.models.length > 1 ? [labelled(text("model"), choice("model", about.models.map((m) => [m, m]), (value) => set(app, { model: value })))] : []),
    labelled(text("method"), choice("method", [["", text("byEdit")], ...ways.map((w): [string, string] => [w.name, w.name])], (value) => set(app, { method: value })), way?.about ?? ""),
    h("div", { className: "row" }, labelled(text("steps"), steps), labelled(text("seed"), number("seed", 0, 1, (value) => set(app, { seed: value ?? 0 }))), labelled(text("guidance"), guidance)),
    labelled(text("negative"), negative),
    labelled(text("otherShows"), other),
    h("label", { className: "inline" }, keep, text("preserve")),
    h("label", { className: "inline" }, cut, text("window")),
    ...(way ? own(app, way) : []),
  ];
}

function choice(name: string, given: [string, string][], put: (value: string) => void): HTMLSelectElement {
  const made = h("select", { "data-choice": name }, ...given.map(([value, label]) => h("option", { value }, label)));
  made.addEventListener("change", () => put(made.value));
  return made;
}

function number(name: string, least: number, step: number, put: (value: number | null) => void): HTMLInputElement {
  const made = h("input", { type: "number", min: String(least), step: String(step), "data-choice": name });
  made.addEventListener("change", () => {
    const value = Number(made.value);
    put(made.value === "" || !Number.isFinite(value) || value < least ? null : value);
  });
  return made;
}

/** Show the choices in fields that are not being typed in. */
function put(place: HTMLElement, choices: Choices): void {
  for (const field of place.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-choice]")) {
    if (document.activeElement === field) continue;
    const value = choices[field.dataset["choice"] as keyof Choices];
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = Boolean(value);
    else field.value = value === null ? "" : String(value);
  }
}

// -------------------------------------------------------------------------------------------- a method's own fields

function own(app: App, way: Way): HTMLElement[] {
  const given = app.choices.settings[way.name] ?? {};
  const changed = Object.keys(given).length > 0;
  const put = (setting: Setting, value: unknown) => {
    const { [setting.name]: _, ...rest } = app.choices.settings[way.name] ?? {};
    const same = JSON.stringify(value) === JSON.stringify(setting.default);
    const mine = same ? rest : { ...rest, [setting.name]: value };
    set(app, { settings: { ...app.choices.settings, [way.name]: mine } });
  };
  const reset = h("button", { type: "button", className: "small", onclick: () => set(app, { settings: { ...app.choices.settings, [way.name]: {} } }) }, text("reset"));
  return [
    ...way.settings.map((setting) => labelled(setting.name, field(setting, given[setting.name] ?? setting.default, (value) => put(setting, value)), `${setting.help}${setting.source ? ` (${setting.source})` : ""}`)),
    ...(changed ? [reset] : []),
  ];
}

function field(setting: Setting, value: unknown, put: (value: unknown) => void): HTMLElement {
  if (setting.kind === "switch") {
    const tick = h("input", { type: "checkbox", checked: Boolean(value) });
    tick.addEventListener("change", () => put(tick.checked));
    return tick;
  }
  if (setting.kind === "window") return window_(value as [number, number], put);
  const typed = h("input", { type: setting.kind === "text" ? "text" : "number", value: String(value), step: setting.kind === "integer" ? "1" : "any" });
  typed.addEventListener("change", () => {
    if (setting.kind === "text") put(typed.value);
    else if (typed.value !== "" && Number.isFinite(Number(typed.value))) put(Number(typed.value));
  });
  return typed;
}

function window_(value: [number, number], put: (value: unknown) => void): HTMLElement {
  const ends = value.map((v, i) => h("input", { type: "number", min: "0", max: "1", step: "0.05", value: String(v), "aria-label": i ? "–" : "" }));
  for (const end of ends) end.addEventListener("change", () => put(ends.map((e) => Number(e.value))));
  return h("div", { className: "window", role: "group" }, ...ends);
}
