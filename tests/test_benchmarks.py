"""The benchmarks' own arithmetic, on a tiny model: what they count and compare is what they say."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dragkit.editor import REFINE, Editor
from dragkit.methods import DragonDiffusion

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIZE = (64, 48)
STEPS = 5
GUIDED = 3  # of 5 steps: 0.6 of the denoising


@pytest.fixture
def speed(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import speed

    return speed


@pytest.fixture
def editor(calm, monkeypatch):
    monkeypatch.setattr(calm, "area", SIZE[0] * SIZE[1])
    return Editor(calm)


def test_passes_are_counted_in_forwards(speed, calm):
    z, text = torch.zeros(1, 4, 12, 16), calm.embed(["", "a"])
    with torch.no_grad(), speed.counted(calm) as seen:
        calm.predict(z.expand(2, -1, -1, -1), 5, text)
    assert sum(seen) == 2
    with speed.counted(calm) as seen:
        live = z.clone().requires_grad_(True)
        out = calm.predict(live, 5, text[1:]).sum()
        torch.autograd.grad(out, live, retain_graph=True)
        torch.autograd.grad(out, live)
    assert sum(seen) == 1 + 2 + 2
    calm.predict(z, 5, text[1:])
    assert sum(seen) == 5  # not any more


def test_bare_inverts_and_samples_back(speed, calm):
    flat = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    with speed.counted(calm) as seen:
        again = speed.bare(calm, flat, STEPS, 4.0)
    assert again.shape == flat.shape
    assert sum(seen) == STEPS + 2 * STEPS
    with speed.counted(calm) as seen:
        speed.bare(calm, flat, STEPS, 1.0)
    assert sum(seen) == 2 * STEPS


def test_an_edits_work_is_what_its_algorithm_says(speed, editor):
    wanted = [c for c in speed.cases(SIZE, "other") if c.name in ("move", "move, branch")]
    rows, base = speed.measure(editor, wanted, SIZE, STEPS, 1, None)
    bank, branch = rows
    assert base["passes"] == 3 * STEPS
    assert bank.second_passes == 2 * STEPS + GUIDED * (1 + 2 * speed.BACKWARD)  # two gradients of one pass
    assert bank.passes == REFINE * STEPS + 2 + bank.second_passes  # two levels have nothing to extrapolate from
    assert branch.second_passes == STEPS + bank.second_passes  # the reference denoised beside the edit
    assert all(min(r.seconds, r.second_seconds, r.ratio, r.second_ratio) > 0 for r in rows)


def test_every_case_is_another(speed):
    found = speed.cases(SIZE, "toy")
    assert {e.kind for c in found for e in c.edits} == {"move", "remove", "replace", "paste", "drag", "face"}
    assert len({c.name for c in found}) == len(found)
    ways = {c.name: c.method for c in found}
    assert ways["move, branch"].reference == "branch"
    assert isinstance(ways["move, diffeditor"], DragonDiffusion)
    assert ways["move, diffeditor"].repeats > ways["move"].repeats


def test_a_run_prints_a_table_and_writes_json(speed, editor, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(speed.Editor, "from_pretrained", lambda *_, **__: editor)
    monkeypatch.setattr(speed, "peaks", lambda names, options: dict.fromkeys(("loading", "bare", *names), 100.0))
    out = tmp_path / "new" / "speed.json"
    speed.main(["--steps", "1", "--repeats", "1", "--size", "64x48", "--edits", "drag", "--out", str(out)])
    found = json.loads(out.read_text())
    assert found["steps"] == 1
    assert found["threads"] == torch.get_num_threads()
    assert found["size"] == [64, 48]
    assert [e["name"] for e in found["edits"]] == ["drag"]
    assert found["edits"][0]["peak_mib"] == 100.0
    assert {"date", "device", "commit", "weights"} <= found.keys()
    assert "| drag | " in capsys.readouterr().out


def test_sizes_and_edits_that_do_not_exist_are_refused(speed, editor, monkeypatch):
    monkeypatch.setattr(speed.Editor, "from_pretrained", lambda *_, **__: editor)
    with pytest.raises(SystemExit, match="multiples of 8"):
        speed.main(["--size", "61x48", "--no-memory"])
    with pytest.raises(SystemExit, match="no edit juggle"):
        speed.main(["--edits", "juggle"])
