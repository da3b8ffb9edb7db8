import pytest
import torch

from dragkit.attention import (
    FEW,
    Hidden,
    Part,
    _attention,
    apart,
    attend,
    attend_words,
    decoder_layers,
    inject,
    mutual,
    record,
    token_masks,
    word_layers,
)

TEXT = 32


@pytest.fixture
def call(tiny):
    """One U-Net pass on a fixed latent [batch, 4, 12, 16]."""
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(2, 4, 12, 16, generator=generator)
    text = torch.randn(2, 7, TEXT, generator=generator)

    def run(items=slice(0, 1)):
        with torch.no_grad():
            return tiny.predict(z[items], 500, text[items])

    return run


def test_recording_changes_nothing_and_sees_the_whole_decoder(tiny, call):
    plain, store = call(), {}
    with attend(tiny.unet, record(store)):
        seen = call()
    assert torch.allclose(plain, seen, atol=1e-6)
    assert list(store) == decoder_layers(tiny.unet)
    assert all(k.shape[0] == 1 for k, _ in store.values())


def test_own_keys_and_values_change_nothing(tiny, call):
    store = {}
    with attend(tiny.unet, record(store)):
        plain = call()
    with attend(tiny.unet, inject([Part(store)])):
        assert torch.allclose(call(), plain, atol=1e-6)
    with attend(tiny.unet, inject([Part(store)], own=True)):  # every key twice: the same average
        assert torch.allclose(call(), plain, atol=1e-5)


def test_other_keys_and_values_change_the_result(tiny, call):
    plain, store = call(), {}
    with attend(tiny.unet, record(store)):
        call(slice(1, 2))
    with attend(tiny.unet, inject([Part(store)])):
        assert not torch.allclose(call(), plain, atol=1e-4)


def test_record_takes_the_item_it_is_told(tiny, call):
    pair, alone = {}, {}
    with attend(tiny.unet, record(pair, item=-1)):
        call(slice(0, 2))
    with attend(tiny.unet, record(alone)):
        call(slice(1, 2))
    name = decoder_layers(tiny.unet)[0]
    assert torch.allclose(pair[name][0], alone[name][0], atol=1e-5)


def test_everything_is_put_back_after_an_exception(tiny):
    before = dict(tiny.unet.attn_processors)
    with pytest.raises(ZeroDivisionError), attend(tiny.unet, record({})):
        1 / (tiny.unet.attn_processors == before)
    assert tiny.unet.attn_processors == before


def test_layers_are_those_that_the_u_net_names(tiny):
    processors = list(tiny.unet.attn_processors)
    assert decoder_layers(tiny.unet) == [n for n in processors if n.startswith("up_") and "attn1" in n]
    assert sorted(word_layers(tiny.unet)) == sorted(n for n in processors if "attn2" in n)


def test_only_listed_layers_are_touched(tiny, call):
    store = {}
    chosen = decoder_layers(tiny.unet, blocks=(2,))
    with attend(tiny.unet, record(store), chosen):
        call()
    assert list(store) == chosen
    assert all(name.startswith("up_blocks.2.") for name in chosen)


def test_injection_gathers_the_kept_tokens_and_closes_what_it_is_told():
    generator = torch.Generator().manual_seed(2)
    q, k, v, mk, mv = (torch.randn(b, 6, 4, generator=generator) for b in (2, 2, 2, 1, 1))
    keep = {6: torch.tensor([1, 1, 0, 0, 0, 1], dtype=torch.bool)}
    queries = {6: torch.tensor([1, 0, 0, 0, 0, 0], dtype=torch.bool)}
    keys = {6: torch.tensor([1, 0, 0, 0, 0, 1], dtype=torch.bool)}
    part = Part({"layer": (mk, mv)}, keep, ((queries, keys),))
    new_q, new_k, new_v, hidden = inject([part], own=True)("layer", q, k, v)
    assert torch.equal(new_q, q)
    assert new_k.shape == (2, 9, 4)
    assert torch.equal(new_k[1, 6:], mk[0, [0, 1, 5]])
    assert torch.equal(new_v[0, :6], v[0])
    assert hidden is not None
    assert hidden.mask[0].tolist() == [False] * 6 + [True, False, True]
    assert not hidden.mask[1:].any()


def test_keys_and_values_are_those_of_the_first_of_each_half():
    k = torch.arange(4.0)[:, None, None].expand(4, 3, 2)  # [u: source, edit; c: source, edit]
    q, found, values, hidden = mutual("", k + 1, k, k + 10)
    assert torch.equal(q, k + 1)
    assert found[:, 0, 0].tolist() == [0, 0, 2, 2]
    assert values[:, 0, 0].tolist() == [10, 10, 12, 12]
    assert hidden is None


THERE, HERE = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 1]], dtype=torch.bool)  # the source's object, the edit's


@pytest.mark.parametrize("items", [None, slice(1, None, 2)])
def test_objects_see_objects_and_the_rest_the_rest(items):
    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3))
    q, k, v, hidden = apart(mutual, {4: THERE}, {4: HERE}, items)("", x, x, x)
    assert torch.equal(k, x[:1].expand(2, -1, -1))
    object_only, rest_only = [False, True, True, False], [True, False, False, True]  # hidden keys
    hidden = hidden.mask
    assert hidden.reshape(-1, 4, 4)[-1].tolist() == [rest_only, object_only, rest_only, object_only]
    assert items is None or not hidden[0].any()  # the source itself sees everything
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    parted = torch.nn.functional.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], attn_mask=~hidden)
    assert parted.isfinite().all()
    assert not torch.allclose(parted[1, 0], plain[1])


@pytest.mark.parametrize("there", [torch.zeros(4, dtype=torch.bool), torch.ones(4, dtype=torch.bool)])
def test_an_object_that_is_nowhere_or_everywhere_hides_nothing(there):
    x = torch.randn(2, 4, 3)
    assert apart(mutual, {4: there}, {4: HERE})("", x, x, x)[3] is None


def test_what_a_rule_hides_stays_hidden():
    x, hidden = torch.randn(1, 4, 3), torch.eye(4, dtype=torch.bool)
    rule = apart(lambda _layer, q, k, v: (q, k, v, Hidden(hidden)), {4: THERE}, {4: HERE})
    assert (rule("", x, x, x)[3].mask & hidden).equal(hidden)


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_groups_of_queries_attend_as_the_mask_says(kinds):
    generator = torch.Generator().manual_seed(kinds)
    rows = torch.rand(kinds, 90, generator=generator) < 0.5
    rows[0] = False
    hidden = Hidden(rows[torch.randint(kinds, (FEW,), generator=generator)])
    q, k, v = (torch.randn(2, 3, n, 8, generator=generator) for n in (FEW, 90, 90))
    masked = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=~hidden.mask, scale=0.3)
    assert len(hidden.groups) == kinds
    assert torch.allclose(_attention(q, k, v, hidden, 0.3), masked, atol=1e-5)


def test_a_mask_that_makes_no_groups_stays_a_mask():
    generator = torch.Generator().manual_seed(0)
    every = Hidden(torch.rand(FEW, 90, generator=generator) < 0.5)
    few = Hidden(torch.zeros(FEW - 1, 90, dtype=torch.bool))
    blind = Hidden(torch.cat([torch.ones(1, 90), torch.zeros(FEW, 90)]).bool())  # a query that sees nothing
    assert not every.groups
    assert not few.groups
    assert not blind.groups
    assert not Hidden(torch.zeros(2, 1, FEW, 90, dtype=torch.bool)).groups


def test_attention_to_words_is_as_it_was_and_can_be_changed(tiny, call):
    plain, seen = call(), []
    with attend_words(tiny.unet, lambda layer, weights: seen.append((layer, weights.shape)) or weights):
        assert torch.allclose(call(), plain, atol=1e-6)
    assert sorted(layer for layer, _ in seen) == sorted(word_layers(tiny.unet))
    assert all(shape[:2] == (1, 2) and shape[3] == 7 for _, shape in seen)
    with attend_words(tiny.unet, lambda _, weights: weights.flip(-1)):
        assert not torch.allclose(call(), plain, atol=1e-4)
    with attend_words(tiny.unet, lambda _, weights: 1 / 0, []):
        call()  # no layer is listed, so no rule is asked


def test_token_masks_cover_every_level_of_a_picture_that_is_not_square():
    masks = token_masks(lambda shape: torch.ones(shape, dtype=torch.bool), (18, 26))
    assert sorted(masks) == sorted([18 * 26, 9 * 13, 5 * 7, 3 * 4])
