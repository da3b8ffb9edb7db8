import { describe, expect, it } from "vitest";
import { matched, pulledBy, SEVENTEEN, used } from "../src/faces";
import { weights } from "../src/requests";
import { asks, moves, NOTHING } from "../src/state";
import { arranged } from "../src/variants";

const points = (n: number, x = 0) => Array.from({ length: n }, (_, i) => ({ x: i + x, y: 10 }));

describe("plans", () => {
  it("with a face ask for something only where it moves", () => {
    const still = { ...NOTHING, face: { own: points(68), wanted: points(68), points: 68 as const } };
    expect(asks(still)).toBe(false);
    const moved = { ...still, face: { ...still.face, wanted: points(68, 3) } };
    expect([asks(moved), moves(moved)]).toEqual([true, true]);
  });

  it("with a region that goes nowhere ask, as pins do, and show nothing", () => {
    const region = { ...NOTHING, regions: [{ from: points(3), to: points(3) }] };
    expect([asks(region), moves(region)]).toEqual([true, false]);
  });
});

it("words are weighed by the number after them", () => {
  expect(weights("blue 1.5, apple ,, old house 0, no 7up")).toEqual({ blue: 1.5, apple: 1, "old house": 0, "no 7up": 1 });
});

describe("landmarks", () => {
  const face = { own: points(68), wanted: points(68), points: 68 as const };

  it("of 68 and 17 are compared by the seventeen", () => {
    const found = matched(face, points(17, 2));
    expect(found.own).toEqual(SEVENTEEN.map((i) => ({ x: i, y: 10 })));
    expect([found.points, found.wanted.length, used(found).length]).toEqual([17, 17, 17]);
    expect(used({ ...face, points: 17 })).toEqual(SEVENTEEN);
  });

  it("take their neighbours along unless told not to", () => {
    const soft = pulledBy(face, 30, { x: 0, y: 6 }, false).wanted.map((p) => p.y - 10);
    expect(soft[30]).toBe(6);
    expect(soft[31]).toBeGreaterThan(3);
    expect(soft[60]).toBeLessThan(0.1);
    expect(pulledBy(face, 30, { x: 0, y: 6 }, true).wanted.map((p) => p.y - 10).filter(Boolean)).toEqual([6]);
  });
});

it("pictures side by side stand so that they are large, and fit", () => {
  expect(arranged(4, 1000, 700, 1).across).toBe(2);
  expect(arranged(3, 1000, 400, 1).across).toBe(3);
  expect(arranged(3, 360, 700, 1.5).across).toBe(1);
  for (const [count, width, height, aspect] of [[4, 1000, 700, 1], [9, 390, 300, 0.6], [5, 800, 800, 2.2]] as const) {
    const { across, wide } = arranged(count, width, height, aspect);
    expect(across * (wide + 16) + 16).toBeLessThanOrEqual(width);
    expect(Math.ceil(count / across) * (wide / aspect + 34 + 16) + 16).toBeLessThanOrEqual(height + 1);
  }
});
