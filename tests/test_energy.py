import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from dragkit.energy import ALPHA, BETA, Match, Table, sample

H, W, C = 6, 9, 5


def energy(now, references, rows):
    return Table(rows, (H, W)).energy(now, references)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(C, H, W, generator=generator) for _ in range(2)]


def row(cells, weight=1.0, **how):
    cells = torch.tensor(cells)
    points = torch.stack([cells % W, cells // W], 1).float()
    return Match(cells, points, weight, **how)


def test_samples_at_cell_centres_are_the_cells(maps):
    points = torch.tensor([[0.0, 0.0], [8.0, 5.0], [3.0, 2.0]])
    expected = torch.stack([maps[0][:, 0, 0], maps[0][:, 5, 8], maps[0][:, 2, 3]])
    assert torch.allclose(sample(maps[0], points), expected, atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"raw": True}, {"pooled": True}])
def test_identical_features_give_a_fifth_of_the_weight(maps, how):
    """phi(1) = 1 / (1 + 4) per row."""
    assert energy(maps, [maps], [row([3, 20, 40], 2.0, **how)]).item() == pytest.approx(0.4, abs=1e-5)


def test_contrast_adds_its_weight_at_identical_features(maps):
    assert energy(maps, [maps], [row([7], 0.3, repel=True)]).item() == pytest.approx(0.3, abs=1e-5)


def test_attraction_falls_and_contrast_rises_with_similarity(maps):
    other = [torch.randn(C, H, W, generator=torch.Generator().manual_seed(5)) for _ in maps]
    cells = [0, 10, 30]
    assert energy(maps, [maps], [row(cells)]) < energy(maps, [other], [row(cells)])
    assert energy(maps, [maps], [row(cells, repel=True)]) > energy(maps, [other], [row(cells, repel=True)])


def test_empty_rows_add_nothing_and_stay_finite(maps):
    nothing = Match(torch.zeros(0, dtype=torch.long), torch.zeros(0, 2), 5.0)
    assert energy(maps, [maps], [nothing]).item() == 0
    assert energy(maps, [maps], []).item() == 0


def test_the_gradient_moves_features_towards_the_reference(maps):
    live = [m.clone().requires_grad_(True) for m in maps]
    other = [torch.randn(C, H, W, generator=torch.Generator().manual_seed(9)) for _ in maps]
    rows = [row([4, 13])]
    before = energy(live, [other], rows)
    before.backward()
    nearer = [m.detach() - 0.5 * m.grad for m in live]
    assert energy(nearer, [other], rows) < before
    assert all((m.grad.flatten(1)[:, [0, 1, 2]] == 0).all() for m in live)


def test_opposite_features_are_finite_under_the_raw_cosine(maps):
    """Unclamped, phi has a pole at cosine -1/4."""
    opposite = [-m for m in maps]
    assert energy(opposite, [maps], [row([5], raw=True)]).item() == pytest.approx(1.0)


def test_rows_choose_their_reference(maps):
    zero = [torch.ones_like(m) for m in maps]
    assert energy(maps, [zero, maps], [row([5], reference=1)]).item() == pytest.approx(0.2, abs=1e-5)


def plain(now, references, rows, shape):
    """The formula word by word: maps enlarged to the grid, row after row."""

    def enlarged(m):
        return F.interpolate(m[None], size=shape, mode="nearest")[0]

    total = torch.zeros(())
    for row in rows:
        for current, then in zip(now, references[row.reference], strict=True):
            here, there = enlarged(current).flatten(1).T[row.cells], sample(enlarged(then), row.points)
            if row.pooled:
                here, there = here.mean(0, keepdim=True), there.mean(0, keepdim=True)
            cosine = F.cosine_similarity(here, there, dim=1).mean()
            s = cosine.clamp(min=0) if row.raw else (cosine + 1) / 2
            total = total + row.weight * (s if row.repel else 1 / (ALPHA + BETA * s)) / len(now)
    return total


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_maps_that_are_never_enlarged_give_the_energy_and_gradient_of_those_that_are(data):
    """Also where sides are no multiples, points lie between cells or off the grid, and references differ in shape."""
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 999)))
    shape, sides = (12, 16), st.sampled_from([(3, 4), (6, 8), (12, 16), (5, 7)])
    now = [torch.randn(C, *data.draw(sides), generator=generator).requires_grad_(True) for _ in range(2)]
    references = [[torch.randn(C, *data.draw(sides), generator=generator) for _ in range(2)] for _ in range(2)]
    rows = []
    for _ in range(data.draw(st.integers(1, 4))):
        pooled, n = data.draw(st.booleans()), data.draw(st.integers(1, 40))
        points = torch.rand(n + 3 if pooled else n, 2, generator=generator) * 20 - 2
        cells = torch.randint(0, shape[0] * shape[1], (n,), generator=generator)
        if data.draw(st.booleans()):
            points = points.round()
        how = {name: data.draw(st.booleans()) for name in ("repel", "raw")}
        rows.append(Match(cells, points, 1.5, data.draw(st.integers(0, 1)), pooled=pooled, **how))
    expected, found = plain(now, references, rows, shape), Table(rows, shape).energy(now, references)
    assert torch.allclose(found, expected, atol=1e-5)
    wanted, got = (torch.autograd.grad(e, now, materialize_grads=True) for e in (expected, found))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(wanted, got, strict=True))


def test_a_table_asked_twice_looks_at_what_it_is_given(maps):
    table = Table([row([3, 20])], (H, W))
    assert table.energy(maps, [maps]).item() == pytest.approx(0.2, abs=1e-5)
    assert table.energy(maps, [[-m for m in maps]]).item() == pytest.approx(1.0, abs=1e-5)
