import { expect, it } from "vitest";
import { asks, moves, NOTHING, type Plan, Undo } from "../src/state";
import { empty } from "../src/masks";

const plan = (more: Partial<Plan>): Plan => ({ ...NOTHING, ...more });
const still = { dx: 0, dy: 0, scale: 1, angle: 0 };

it("a plan asks for something only where something goes somewhere", () => {
  const mask = empty(4, 3);
  expect(asks(NOTHING)).toBe(false);
  expect(asks(plan({ selection: mask }))).toBe(false);
  expect(asks(plan({ changes: [{ kind: "move", id: 1, mask, place: still }] }))).toBe(false);
  expect(asks(plan({ changes: [{ kind: "move", id: 1, mask, place: { ...still, dx: 1 } }] }))).toBe(true);
  expect(asks(plan({ words: " \n" }))).toBe(false);
  expect(asks(plan({ words: "a blue house" }))).toBe(true);
  expect(moves(plan({ words: "a blue house" }))).toBe(false);
});

it("undo and redo go between moments, and a new one ends what could be redone", () => {
  const undo = new Undo();
  for (const words of ["a", "b", "c"]) undo.push({ entry: "x", plan: plan({ words }) });
  expect(undo.go(-1) && undo.go(-1) && undo.go(-1)).toBe(false);
  expect(undo.now?.plan.words).toBe("a");
  undo.go(1);
  undo.push({ entry: "x", plan: plan({ words: "d" }) });
  expect(undo.moments.map((m) => m.plan.words)).toEqual(["a", "b", "d"]);
  expect(undo.go(1)).toBe(false);
});

it("forgets old moments whose masks take too much", () => {
  const undo = new Undo();
  for (let i = 0; i < 40; i++) undo.push({ entry: "x", plan: plan({ selection: empty(4096, 4096) }) });
  expect(undo.moments.length).toBeLessThan(20);
  expect(undo.now).not.toBeNull();
  const shared = empty(4096, 4096);
  for (let i = 0; i < 100; i++) undo.push({ entry: "x", plan: plan({ selection: shared }) });
  expect(undo.moments.length).toBeGreaterThan(100);
});
