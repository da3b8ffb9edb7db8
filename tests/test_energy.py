import pytest
import torch

from dragkit.energy import Match, energy, sample

H, W, C = 6, 9, 5


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
