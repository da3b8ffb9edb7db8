import pytest
import torch

from dragkit import machine
from dragkit.footprint import check, estimate
from dragkit.model import StableDiffusion
from tiny import SIZE
from tiny import tiny as build


def test_memory_grows_with_the_work(tiny: StableDiffusion) -> None:
    small = estimate(tiny, (64, 48))
    assert estimate(tiny, (128, 96)) == pytest.approx(4 * small, rel=0.01)
    assert estimate(tiny, (64, 48), batch=3) == pytest.approx(3 * small, rel=0.01)
    assert estimate(tiny, (64, 48), grad=False) < small < estimate(tiny, (64, 48), levels=50)
    assert estimate(tiny, (1 << 16, 1 << 16)) > 1 << 37
    with tiny.keeping("small"):  # no records, and gradients by checkpoints
        assert estimate(tiny, (64, 48), levels=50) == estimate(tiny, (64, 48), grad=False)


def test_what_does_not_fit_is_refused_before_the_work(tiny: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    check(tiny, (64, 48))
    monkeypatch.setattr(machine, "free", lambda device: estimate(tiny, (64, 48)) - 1)
    with pytest.raises(
        machine.Shortage, match=r"editing 64x48 px with tiny needs about .* GiB but .* free on cpu; give"
    ):
        check(tiny, (64, 48))
    monkeypatch.setattr(machine, "free", lambda device: None)
    check(tiny, (1 << 16, 1 << 16))  # nobody can tell: go on


@pytest.mark.parametrize("memory", ["fast", "small"])
def test_kept_activations_are_as_estimated(memory: str) -> None:
    """The estimate against what autograd keeps indeed: not less, not many times more."""
    model, kept = build(memory=memory), dict[int, int]()
    weights = {p.untyped_storage().data_ptr() for p in model.unet.parameters()}

    def pack(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return x

    z, held = torch.randn(1, 4, 12, 16, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        held.append(model.predict(z, 41, model.embed(["a"])))
    measured = sum(size for where, size in kept.items() if where not in weights)
    assert measured < estimate(model, SIZE) < 4 * measured
