"""The benchmarks' own arithmetic, on a tiny model: what they count, compare and fit is what they say."""

import json
import sys
import xml.etree.ElementTree as ET
from argparse import Namespace
from pathlib import Path
from subprocess import CalledProcessError

import numpy as np
import pytest
import torch

from dragkit.bench.cost import peaked, shares
from dragkit.editor import Editor
from dragkit.jobs import REFINE
from dragkit.methods import METHODS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIZE = (64, 48)
STEPS = 5
GUIDED = 3  # of 5 steps: 0.6 of the denoising
TO_BLOCK_2 = slice(0, 8)  # of the shares: four down, the middle, three up


@pytest.fixture
def loaded(monkeypatch):
    """A benchmark's module by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return __import__


@pytest.fixture
def editor(calm, monkeypatch):
    monkeypatch.setattr(calm, "area", SIZE[0] * SIZE[1])
    monkeypatch.setattr(Editor, "from_pretrained", lambda *_, **__: Editor(calm))
    return Editor(calm)


@pytest.fixture
def flat():
    return np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)


def test_bare_inverts_and_samples_back(loaded, calm, flat):
    common = loaded("common")
    assert common.bare(calm, flat, STEPS, 4.0).shape == flat.shape
    assert common.forwards(calm, SIZE, lambda: common.bare(calm, flat, STEPS, 4.0)) == pytest.approx(3 * STEPS)
    assert common.forwards(calm, SIZE, lambda: common.bare(calm, flat, STEPS, 1.0)) == pytest.approx(2 * STEPS)


def test_an_edits_work_is_what_its_algorithm_says(loaded, editor, flat):
    speed = loaded("speed")
    known, of = loaded("cases").cases(SIZE, "other"), shares(editor.model, SIZE)
    names = ("dragondiffusion: move", "dragondiffusion: move, branch")
    bank, branch = (speed.measured(editor, known[name], flat, SIZE, STEPS, 1) for name in names)
    stop, back = sum(of.forward[TO_BLOCK_2]), sum(of.backward[TO_BLOCK_2])
    assert bank.bare_forwards == pytest.approx(3 * STEPS)
    assert 2 * STEPS < bank.second_forwards <= 2 * STEPS + GUIDED * (stop + 2 * back) + 1e-6  # two gradients of a pass
    assert bank.forwards == pytest.approx(REFINE * STEPS + 2 + bank.second_forwards)  # two levels cannot extrapolate
    assert branch.second_forwards == pytest.approx(STEPS + bank.second_forwards)  # the reference beside the edit
    assert all(min(r.seconds, r.second_seconds, r.ratio, r.second_ratio) > 0 for r in (bank, branch))


def test_every_method_and_kind_of_edit_is_a_case(loaded):
    found = loaded("cases").cases(SIZE, "toy", rounds=2, training=3)
    assert {name.split(":")[0] for name in found} == set(METHODS)
    kinds = {edit.kind for case in found.values() for edit in case.edits}
    assert kinds == {"move", "remove", "replace", "paste", "drag", "face", "reprompt"}
    ways = {name: case.method for name, case in found.items()}
    assert ways["dragondiffusion: move"].start != ways["dragondiffusion: move, start=source"].start
    assert ways["dragondiffusion: move, branch"].reference == "branch"
    assert ways["dragdiffusion: drag"].lora is None
    assert ways["dragdiffusion: drag, LoRA"].lora.steps == 3
    assert {ways[f"{name}: drag"].rounds for name in ("dragdiffusion", "gooddrag", "attention-drag")} == {2}
    assert ways["warp: move"].steps == 10


def test_what_a_lora_takes_is_measured_apart(loaded, editor, flat):
    speed = loaded("speed")
    case = loaded("cases").cases(SIZE, "toy", rounds=1, training=2)["dragdiffusion: drag, LoRA"]
    row = speed.trained(editor, case, flat, SIZE, 2)
    batch = case.method.lora.batch
    assert row.name.endswith(f"training 2 x {batch}")
    assert 2 * batch < row.forwards < 2 * batch * (1 + sum(shares(editor.model, SIZE).backward)) + 1e-6


def test_drags_of_many_points_and_many_drags_are_the_same(loaded):
    cases = loaded("cases")
    for count in (1, 5, 64):
        whole, apart = cases.dragged(SIZE, count), cases.several(SIZE, count)
        assert len(set(whole.handles)) == len(apart) == count
        assert [edit.handles[0] for edit in apart] == list(whole.handles)
        assert all(0 < x < SIZE[0] and 0 < y < SIZE[1] for x, y in (*whole.handles, *whole.targets))


def test_a_speed_run_prints_a_table_and_writes_json(loaded, editor, monkeypatch, tmp_path, capsys):
    speed = loaded("speed")
    monkeypatch.setattr(speed, "peaks", lambda names, given: {name: [60.0, 100.0] for name in ("bare", *names)})
    out = tmp_path / "new" / "speed.json"
    given = ["--steps", "1", "--repeats", "1", "--size", "64x48", "--cases", "warp: drag", "--out", str(out)]
    speed.main(given)
    found = json.loads(out.read_text())
    assert [row["name"] for row in found["cases"]] == ["warp: drag"]
    assert found["before_and_peak_mib"]["warp: drag"] == [60, 100]
    assert found["threads"] == torch.get_num_threads()
    assert {"date", "device", "processor", "commit", "weights"} <= found.keys()
    assert "| warp: drag | 1 | " in capsys.readouterr().out


def test_a_published_table_is_replaced(loaded, tmp_path, capsys):
    common, doc = loaded("common"), tmp_path / "speed.md"
    doc.write_text("before\n<!-- bench speed toy cpu: begin -->\nold\n<!-- bench speed toy cpu: end -->\nafter\n")
    asked = Namespace(publish=doc, sd15=False, model="toy", device="cpu")
    common.report(
        asked, "speed", {"day": 1}, common.table(("a", "b"), [(0.12345, None)]), {"b": 2}, tmp_path / "o.json"
    )
    lines = doc.read_text().splitlines()
    assert lines[2:7] == ["day 1", "", "| a | b |", "| --- | --- |", "| 0.123 |  |"]
    assert (lines[0], lines[-1]) == ("before", "after")
    assert json.loads((tmp_path / "o.json").read_text()) == {"day": 1, "b": 2}
    with pytest.raises(ValueError, match="memory toy cpu"):
        common.report(asked, "memory", {}, "", {}, tmp_path / "o.json")


def test_sizes_and_cases_that_do_not_exist_are_refused(loaded, editor):
    speed = loaded("speed")
    with pytest.raises(SystemExit, match="multiples of 8"):
        speed.main(["--size", "61x48", "--no-memory"])
    with pytest.raises(SystemExit, match="no case juggle"):
        speed.main(["--cases", "juggle"])


def test_all_time_is_some_parts_and_all_is_put_back(loaded, editor, flat):
    parts, cases = loaded("parts"), loaded("cases")
    before = [vars(owner)[name] for _, owner, name in parts.SPOTS]
    gradient, known = torch.autograd.grad, cases.cases(SIZE, "toy", rounds=2)
    for name, wanted in (
        ("dragondiffusion: move", {"inversion", "forward", "backward", "attending", "rules", "energies", "pixels"}),
        ("dragdiffusion: drag", {"forward", "backward", "energies", "tracking", "text", "encode", "decode"}),
        ("warp: drag", {"inversion", "forward", "attending", "rules", "pixels"}),
    ):
        work = cases.ready(editor, known[name], flat, 3)
        taken = []
        with parts.clocked(editor.model) as seconds:
            taken.append(loaded("common").timed(editor.model, work))
        assert wanted <= seconds.keys() <= set(parts.PARTS)
        assert sum(seconds.values()) == pytest.approx(taken[0], rel=0.05, abs=0.01)
    assert [vars(owner)[name] for _, owner, name in parts.SPOTS] == before
    assert torch.autograd.grad is gradient
    assert not any(module._forward_hooks for module in editor.model.unet.modules())


def test_a_clock_counts_for_the_innermost_part(loaded, monkeypatch):
    parts = loaded("parts")
    now = iter(range(100))
    monkeypatch.setattr(parts.time, "perf_counter", lambda: float(next(now)))
    clock = parts.Clock(torch.device("cpu"))
    with clock.running():  # 0
        with clock.part("energies"):  # 1
            clock.turn("backward")  # 2
        with clock.part("inversion"), clock.part("forward"):  # 3, 4, 5 and out 6, 7
            pass
    assert clock.seconds == {"rest": 3, "energies": 1, "backward": 1, "inversion": 3}


def test_every_benchmark_of_memory_asks_processes_of_their_own(loaded, editor, monkeypatch, tmp_path, capsys):
    memory = loaded("memory")
    asked = []

    def alone(script, given, question):
        asked.append(question)
        if question[1] == "warp: move" and question[3] == "128x96":
            raise CalledProcessError(1, script)
        return [10.0, 10.0 + int(question[3].split("x")[0]) + int(question[5])]

    monkeypatch.setattr(memory, "alone", alone)
    out = tmp_path / "memory.json"
    given = ["--cases", "warp: drag", "warp: move", "--size", "64x48", "--sizes", "64x48", "128x96"]
    memory.main([*given, "--out", str(out)])
    found = json.loads(out.read_text())
    assert found["by_size_mib"] == {"bare": [64, 128], "warp: move": [64, None], "warp: drag": [64, 128]}
    assert found["by_points_mib"] == {"warp: drag": [129, 132, 144, 192]}
    assert len(asked) == 3 * 2 + 4
    said = capsys.readouterr().out
    assert "| bare | 64 (" in said
    assert ") | failed |" in said


@pytest.mark.skipif(sys.platform != "linux", reason="no system that tells the peak of a while")
def test_a_process_of_memorys_tells_what_an_edit_takes(loaded, editor):
    memory = loaded("memory")
    asked = Namespace(rounds=1, steps=2)
    with peaked(editor.model.device) as found:
        pass
    if "peak_mib" not in found:
        pytest.skip("no system that tells the peak of a while")
    for name, points in (("bare", 0), ("warp: drag", 16)):
        before, most = memory.peak_of(editor, name, SIZE, points, asked)
        assert 0 < before <= most


def test_exponents_are_slopes_of_logarithms(loaded):
    growth = loaded("growth")
    places = (1, 2, 4, 8)
    assert growth.exponent(places, [3 * p**1.5 for p in places]) == pytest.approx(1.5)
    found = growth.line("a", "points", places, [(7.0, s) for s in (2.0, 2.0, 2.0, 4.0)])
    assert found.work == pytest.approx(0)
    assert found.last == pytest.approx(1)
    assert found.time == pytest.approx(0.3)


def test_what_grows_more_than_it_must_is_marked(loaded):
    growth = loaded("growth")
    squared = [(1.0, p**2.0) for p in (1, 2, 4)]
    linear = [(1.0, p * 1.0) for p in (1, 2, 4)]

    def marks(axis, *lines):
        return [line.too_fast for line in growth.judged([growth.line(n, axis, (1, 2, 4), f) for n, f in lines])]

    assert marks("steps", ("bare", linear), ("a", linear), ("b", squared)) == [False, False, True]
    assert marks("pixels", ("bare", squared), ("a", squared)) == [False, False]
    assert marks("points", ("a", linear)) == [True]
    assert marks("edits on one Source", ("a", linear)) == [False]


def test_growth_is_measured_plotted_and_written(loaded, editor, monkeypatch, tmp_path, capsys):
    growth = loaded("growth")
    monkeypatch.setattr(growth, "AXES", {name: (p[:2], most) for name, (p, most) in growth.AXES.items()})
    given = ["--cases", "warp: drag", "--steps", "2", "--repeats", "1", "--size", "64x48", "--out", str(tmp_path)]
    growth.main(given)
    lines = {(line["axis"], line["case"]): line for line in json.loads((tmp_path / "growth.json").read_text())["lines"]}
    assert len(lines) == 7  # five axes, bare along two of them
    assert lines["steps", "bare"]["forwards"] == pytest.approx([2 * 5, 2 * 10])
    assert lines["pixels", "bare"]["places"] == [32 * 24, 64 * 48]
    once, twice = lines["edits on one Source", "warp: drag"]["forwards"]
    assert twice == pytest.approx(2 * once)  # warp reads no inversion of the picture
    for file in ("steps", "pixels", "points", "edits-in-one-pass", "edits-on-one-Source"):
        names = [
            text.text for text in ET.parse(tmp_path / f"growth-{file}.svg").iter("{http://www.w3.org/2000/svg}text")
        ]
        assert "warp: drag" in names
    assert "| points | warp: drag | " in capsys.readouterr().out


def test_a_long_run_compares_what_follows_the_third_turn(loaded):
    long = loaded("long")
    seconds = [9.0, 9.0, 9.0, 1.0, 1.0, 2.0, 2.0]
    found = [long.Turn({"a": s}, 100.0 + 10 * k, 50.0) for k, s in enumerate(seconds)]
    text = long.shown(found)
    assert "| resident MiB | 120 | 160 | 1.33 |" in text
    assert "| living tensors MiB | 50 | 50 | 1 |" in text
    assert "| a, s | 1 | 2 | 2 |" in text


def test_tensors_that_nothing_holds_are_not_alive(loaded):
    long = loaded("long")
    before = long.alive()
    kept = torch.zeros(2**18)
    assert long.alive() == pytest.approx(before + 1)
    del kept
    assert long.alive() == pytest.approx(before)
