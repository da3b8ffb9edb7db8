import math
import re
from xml.etree import ElementTree

from dragkit.bench.pareto import COLOURS, HEIGHT, WIDTH, Mark, curves, front, panels, plot

CHEAP, DEAR, WORSE, BEST = (
    Mark("cheap", 100, 0.2, 0.3, 0.4),
    Mark("dear & slow", 400, 0.5, 0.6, 0.7),
    Mark("worse", 300, 0.1, 0.2, 0.3),
    Mark("best", 900, 0.8, 0.9, 1.0),
)


def test_the_front_has_the_rows_that_none_beats_in_both():
    assert front([DEAR, WORSE, BEST, CHEAP]) == [CHEAP, DEAR, BEST]
    assert front([Mark("equal", 100, 0.2, 0.3, 0.4), CHEAP])[0].gap == CHEAP.gap
    assert len(front([Mark("equal", 100, 0.2, 0.3, 0.4), CHEAP])) == 1


def test_every_row_is_drawn_where_it_belongs():
    svg = plot([DEAR, WORSE, BEST, CHEAP])
    spots = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in spots)
    (dear, worse, best, cheap) = spots
    assert cheap[0] < worse[0] < dear[0] < best[0]
    assert best[1] < dear[1] < cheap[1] < worse[1]  # upwards is better
    assert "dear &amp; slow" in svg
    assert ">200<" in svg
    assert ">1<" in svg


def test_rows_that_lose_pixels_stay_in_the_picture():
    svg = plot([Mark("bad", 100, -0.9, -0.5, 0.1), BEST])
    assert all(float(y) < HEIGHT for y in re.findall(r'cy="([\d.]+)"', svg))


def test_one_row_is_no_plot():
    assert plot([CHEAP]) == ""
    assert plot([CHEAP, Mark("nothing", 0, 0, 0, 0)]) == ""


def test_families_are_lines_of_their_own():
    svg = curves({"one & all": [CHEAP, DEAR], "other": [WORSE, BEST]})
    lines = re.findall(r'<polyline points="([^"]+)" fill="none" stroke="([^"]+)"', svg)
    assert [colour for _, colour in lines] == list(COLOURS[:2])
    assert [len(points.split()) for points, _ in lines] == [2, 2]
    spots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert [",".join(spot) for spot in spots[:2]] == lines[0][0].split()
    assert "one &amp; all" in svg
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')  # a file of its own


def test_a_mark_of_too_few_scenes_has_no_interval():
    few = [Mark("few", 100, -math.inf, 0.3, math.inf), Mark("more", 200, -math.inf, 0.4, math.inf)]
    for svg in (plot(few), curves({"few": few})):
        assert "inf" not in svg
        assert svg.count("<circle") == 2


def test_plots_stand_one_below_the_other():
    svg = panels(
        {"faces & eyes": curves({"a": [CHEAP, DEAR]}), "none": curves({"a": []}), "last": curves({"b": [BEST]})}
    )
    root = ElementTree.fromstring(svg)
    assert float(root.attrib["height"]) > 2 * HEIGHT
    assert svg.count("<circle") == 3
    assert "faces &amp; eyes" in svg
    assert "none" not in re.findall(r">([a-z]+)</text>", svg)
