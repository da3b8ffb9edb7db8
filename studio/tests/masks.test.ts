import { describe, expect, it } from "vitest";
import { bounds, box, brush, centroid, ellipse, empty, enlarged, grown, holds, isEmpty, joined, outline, polygon, resized, without } from "../src/masks";

const count = (mask: { data: Uint8Array }) => mask.data.reduce((a, b) => a + b, 0);

describe("masks", () => {
  it("hold the pixels whose centres an outline holds", () => {
    const mask = polygon(12, 9, [{ x: 2, y: 1 }, { x: 6, y: 1 }, { x: 6, y: 4 }, { x: 2, y: 4 }]);
    expect(count(mask)).toBe(12);
    expect(bounds(mask)).toEqual({ x: 2, y: 1, width: 4, height: 3 });
    expect(centroid(mask)).toEqual({ x: 4, y: 2.5 });
    expect(holds(mask, { x: 5.9, y: 3.9 })).toBe(true);
    expect(holds(mask, { x: 6, y: 3.9 })).toBe(false);
    expect(holds(mask, { x: -1, y: 100 })).toBe(false);
  });

  it("of a box are the same whichever corner it is drawn from, and cut off at the picture's edge", () => {
    const a = box(12, 9, { x: 9, y: 20 }, { x: -5, y: 6 });
    expect(a).toEqual(box(12, 9, { x: -5, y: 6 }, { x: 9, y: 20 }));
    expect(bounds(a)).toEqual({ x: 0, y: 6, width: 9, height: 3 });
  });

  it("are painted along a stroke, and erased", () => {
    const mask = empty(40, 20);
    brush(mask, { x: 5, y: 10 }, { x: 35, y: 10 }, 3, 1);
    expect(bounds(mask)).toEqual({ x: 2, y: 7, width: 36, height: 6 });
    brush(mask, { x: 5, y: 10 }, { x: 35, y: 10 }, 4, 0);
    expect(isEmpty(mask)).toBe(true);
  });

  it("of the smallest brush hold the pixel under it", () => {
    const mask = empty(8, 6);
    brush(mask, { x: 3.5, y: 2.5 }, { x: 3.5, y: 2.5 }, 0.4, 1);
    expect(count(mask)).toBe(1);
    expect(holds(mask, { x: 3, y: 2 })).toBe(true);
  });

  it("are joined and taken from one another", () => {
    const [a, b] = [box(12, 9, { x: 0, y: 0 }, { x: 4, y: 4 }), box(12, 9, { x: 2, y: 2 }, { x: 6, y: 6 })];
    expect(count(joined(a, b))).toBe(28);
    expect(count(without(a, b))).toBe(12);
    expect(joined(null, b)).toBe(b);
    expect(isEmpty(without(null, b))).toBe(true);
  });

  it("grow and shrink by whole pixels", () => {
    const a = box(12, 9, { x: 4, y: 3 }, { x: 8, y: 6 });
    expect(bounds(grown(a, 2))).toEqual({ x: 2, y: 1, width: 8, height: 7 });
    expect(bounds(grown(a, -1))).toEqual({ x: 5, y: 4, width: 2, height: 1 });
    expect(grown(grown(a, 1), -1)).toEqual(a);
  });

  it("keep their place at another size", () => {
    const a = box(12, 8, { x: 4, y: 2 }, { x: 8, y: 6 });
    expect(bounds(resized(a, 24, 16))).toEqual({ x: 8, y: 4, width: 8, height: 8 });
    expect(bounds(resized(a, 6, 4))).toEqual({ x: 2, y: 1, width: 2, height: 2 });
  });

  it("have outlines as long as their edges", () => {
    const lines = outline(box(12, 9, { x: 2, y: 1 }, { x: 6, y: 4 }));
    let length = 0;
    for (let i = 0; i < lines.length; i += 4) length += Math.hypot(lines[i + 2]! - lines[i]!, lines[i + 3]! - lines[i + 1]!);
    expect(lines.length).toBe(16);
    expect(length).toBe(14);
  });
});

describe("a mask that grows with its picture", () => {
  it("keeps its area, its place and a smooth rim", () => {
    const small = ellipse(60, 40, { x: 12, y: 8 }, { x: 44, y: 30 });
    const large = enlarged(small, 240, 160);
    const truth = ellipse(240, 160, { x: 48, y: 32 }, { x: 176, y: 120 });
    const off = (mask: { data: Uint8Array }) => mask.data.reduce((sum, v, i) => sum + Math.abs(v - truth.data[i]!), 0);
    expect(off(large)).toBeLessThan(0.85 * off(resized(small, 240, 160)));
    expect(centroid(large).x).toBeCloseTo(centroid(truth).x, 0);
  });

  it("reaches the picture's edge where it did, and is a plain copy where it does not grow", () => {
    const all = box(9, 6, { x: 0, y: 0 }, { x: 9, y: 6 });
    expect(count(enlarged(all, 31, 20))).toBe(620);
    expect(enlarged(all, 9, 6)).toBe(all);
  });
});
