import { describe, expect, it } from "vitest";
import { box } from "../src/masks";
import { added, sheet } from "../src/sheet";

const size = { width: 320, height: 192 };

/** The offset of the corner of the lattice nearest to a point. */
const at = (of: { columns: number; rows: number; offsets: number[] }, x: number, y: number) => {
  const i = Math.round((y / size.height) * (of.rows - 1)) * of.columns + Math.round((x / size.width) * (of.columns - 1));
  return [of.offsets[2 * i]!, of.offsets[2 * i + 1]!] as const;
};

describe("the sheet", () => {
  it("brings what is at the handle to the target, and nothing to where nothing is pulled", () => {
    const found = sheet([{ from: { x: 100, y: 96 }, to: { x: 140, y: 96 } }], size, null);
    expect(at(found, 140, 96)[0]).toBeCloseTo(-40, 0);
    expect(at(found, 140, 96)[1]).toBeCloseTo(0, 6);
    expect(at(found, 300, 96)).toEqual([0, 0]);
    expect(at(found, 0, 0)).toEqual([0, 0]);
  });

  it("stays as it is with pins alone", () => {
    const found = sheet([{ from: { x: 100, y: 96 }, to: { x: 100, y: 96 } }], size, "all");
    expect(Math.max(...found.offsets.map(Math.abs))).toBe(0);
  });

  it("is held outside a mask", () => {
    const mask = box(320, 192, { x: 60, y: 60 }, { x: 200, y: 140 });
    const found = sheet([{ from: { x: 100, y: 96 }, to: { x: 130, y: 100 } }], size, mask);
    expect(at(found, 130, 96)[0]).toBeLessThan(-15);
    for (const [x, y] of [[40, 96], [220, 96], [130, 40], [130, 160]] as const) expect(at(found, x, y)).toEqual([0, 0]);
  });

  it("adds up", () => {
    const one = sheet([{ from: { x: 100, y: 96 }, to: { x: 130, y: 100 } }], size, null);
    expect(added(one, one).offsets[0]).toBe(2 * one.offsets[0]!);
    expect(added(one, null)).toBe(one);
  });
});
