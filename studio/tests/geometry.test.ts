import { describe, expect, it } from "vitest";
import { apply, degrees, fitted, inverse, placement, toPicture, toScreen, warp, zoomed } from "../src/geometry";
import { caught, handles } from "../src/handles";

const near = (p: { x: number; y: number }, q: { x: number; y: number }) => {
  expect(p.x).toBeCloseTo(q.x, 9);
  expect(p.y).toBeCloseTo(q.y, 9);
};

describe("placement", () => {
  const centre = { x: 10, y: 20 };

  it("does nothing where nothing is asked for", () => {
    near(apply(placement(centre, { dx: 0, dy: 0, scale: 1, angle: 0 }), { x: 3, y: 4 }), { x: 3, y: 4 });
  });

  it("lands the centroid on the tip of the arrow, however it is scaled and turned", () => {
    near(apply(placement(centre, { dx: 5, dy: -7, scale: 1.7, angle: 33 }), centre), { x: 15, y: 13 });
  });

  it("turns clockwise on the screen", () => {
    near(apply(placement(centre, { dx: 0, dy: 0, scale: 2, angle: 90 }), { x: 11, y: 20 }), { x: 10, y: 22 });
  });

  it("is undone by its inverse", () => {
    const map = placement(centre, { dx: 5, dy: -7, scale: 0.3, angle: -120 });
    near(apply(inverse(map), apply(map, { x: 1, y: 2 })), { x: 1, y: 2 });
  });
});

describe("view", () => {
  it("fits wide and tall pictures with a margin", () => {
    for (const picture of [{ width: 160, height: 96 }, { width: 96, height: 160 }, { width: 4096, height: 10 }]) {
      const view = fitted(picture, 800, 600);
      const low = toScreen(view, { x: picture.width, y: picture.height });
      expect(Math.min(view.x, view.y)).toBeGreaterThanOrEqual(23.9);
      expect(low.x).toBeLessThanOrEqual(776.1);
      expect(low.y).toBeLessThanOrEqual(528.1);
    }
  });

  it("keeps the point under the pointer while zooming", () => {
    const view = { scale: 2, x: 30, y: 40 };
    const at = { x: 200, y: 100 };
    near(toPicture(zoomed(view, 1.5, at), at), toPicture(view, at));
  });

  it("stops zooming somewhere", () => {
    expect(zoomed({ scale: 60, x: 0, y: 0 }, 10, { x: 0, y: 0 }).scale).toBe(64);
  });
});

describe("warp", () => {
  const [width, height] = [7, 5];
  const source = new Uint8ClampedArray(width * height * 4).map((_, i) => (i % 4 === 3 ? 255 : (i * 37) % 251));

  it("of nothing is the picture itself", () => {
    const out = new Uint8ClampedArray(source.length);
    warp(source, out, width, height, { rows: 3, columns: 4, offsets: Array<number>(24).fill(0) });
    expect([...out]).toEqual([...source]);
  });

  it("looks pixels up where the field says, in pixels of the full picture", () => {
    const out = new Uint8ClampedArray(source.length);
    const offsets = Array.from({ length: 24 }, (_, i) => (i % 2 ? 0 : 4)); // 4 px of a picture twice as large
    warp(source, out, width, height, { rows: 3, columns: 4, offsets }, 2);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = Math.min(x + 2, width - 1);
        expect(out[4 * (y * width + x)]).toBe(source[4 * (y * width + from)]);
      }
    }
  });

  it("is quick enough to follow a pointer", () => {
    const side = 512;
    const large = new Uint8ClampedArray(side * side * 4).fill(90);
    const lattice = { rows: 33, columns: 33, offsets: Array.from({ length: 33 * 33 * 2 }, (_, i) => Math.sin(i) * 5) };
    const out = new Uint8ClampedArray(large.length);
    warp(large, out, side, side, lattice);
    const times = Array.from({ length: 5 }, () => {
      const began = performance.now();
      warp(large, out, side, side, lattice);
      return performance.now() - began;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });
});

it("angles stay within half a turn", () => {
  expect([190, -190, 360, 540, -180].map(degrees)).toEqual([-170, 170, 0, 180, 180]);
});

it("knobs are caught near them and nowhere else", () => {
  const of = handles([{ x: 0, y: 0 }, { x: 100, y: 0 }, { x: 100, y: 50 }, { x: 0, y: 50 }]);
  expect(caught(of, { x: 104, y: -6 })?.kind).toBe("size");
  expect(caught(of, { x: 50, y: -26 })?.kind).toBe("turn");
  expect(caught(of, { x: 50, y: 25 })).toBeNull();
});
