import { describe, expect, it } from "vitest";
import { apply, type Point } from "../src/geometry";
import { box, joined } from "../src/masks";
import { area, crosses, onto, outlined, traced, triangles } from "../src/regions";

const square: Point[] = [{ x: 10, y: 10 }, { x: 30, y: 10 }, { x: 30, y: 24 }, { x: 10, y: 24 }];
const ell: Point[] = [...square.slice(0, 3), { x: 22, y: 24 }, { x: 22, y: 40 }, { x: 10, y: 40 }];
const size = { width: 80, height: 60 };

describe("outlines", () => {
  it("drawn by hand keep their corners and little else", () => {
    const line = Array.from({ length: 80 }, (_, i) => {
      const t = i % 20;
      return [{ x: 10 + t, y: 10 }, { x: 30, y: 10 + t }, { x: 30 - t, y: 30 }, { x: 10, y: 30 - t }][Math.floor(i / 20)]!;
    });
    expect(outlined(line, size)).toEqual([{ x: 10, y: 10 }, { x: 30, y: 10 }, { x: 30, y: 30 }, { x: 10, y: 30 }]);
  });

  it("that cross themselves or hold nothing are none", () => {
    const eight = [{ x: 0, y: 0 }, { x: 40, y: 30 }, { x: 40, y: 0 }, { x: 0, y: 30 }];
    expect(crosses(eight)).toBe(true);
    expect(crosses(ell)).toBe(false);
    expect(outlined(eight, size)).toBeNull();
    expect(outlined([{ x: 1, y: 1 }, { x: 9, y: 1 }], size)).toBeNull();
  });

  it("of a circle have at most as many corners as hands can move", () => {
    const line = Array.from({ length: 300 }, (_, i) => ({ x: 40 + 20 * Math.cos(i / 47.8), y: 30 + 20 * Math.sin(i / 47.8) }));
    const found = outlined(line, size)!;
    expect(found.length).toBeLessThanOrEqual(24);
    expect(Math.abs(area(found)) / 2).toBeGreaterThan(0.93 * Math.PI * 400);
  });

  it("are traced round a mask, along its pixels' edges", () => {
    const mask = joined(box(80, 60, { x: 10, y: 10 }, { x: 30, y: 24 }), box(80, 60, { x: 10, y: 20 }, { x: 22, y: 40 }));
    const line = traced(mask);
    expect(Math.abs(area(line)) / 2).toBe(20 * 14 + 12 * 16);
    expect(outlined(line, size)!.length).toBe(6);
    expect(traced(box(80, 60, { x: 0, y: 0 }, { x: 80, y: 60 })).length).toBe(280);
  });
});

describe("triangles", () => {
  it("fill an outline once, whichever way round it goes", () => {
    for (const corners of [ell, [...ell].reverse()]) {
      const found = triangles(corners);
      expect(found.length).toBe(4);
      const sum = found.reduce((all, t) => all + Math.abs(area(t.map((i) => corners[i]!))), 0);
      expect(sum).toBeCloseTo(Math.abs(area(ell)), 9);
    }
  });

  it("go onto others corner by corner", () => {
    const from: [Point, Point, Point] = [{ x: 1, y: 2 }, { x: 9, y: 3 }, { x: 4, y: 11 }];
    const to: [Point, Point, Point] = [{ x: 20, y: 5 }, { x: 3, y: 8 }, { x: 14, y: 30 }];
    const map = onto(from, to);
    from.forEach((p, i) => {
      const q = apply(map, p);
      expect(q.x).toBeCloseTo(to[i]!.x, 9);
      expect(q.y).toBeCloseTo(to[i]!.y, 9);
    });
  });
});
