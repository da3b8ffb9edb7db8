import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

from dragkit.toy import scenes
from dragkit.toy.train import app
from dragkit.toy.training import autoencoder, diffusion, judges, text
from dragkit.toy.training.data import Pool, Record, load_pool, mirrored_caption, render_pool, sheet
from dragkit.toy.training.optim import Average, Budget, Muon, optimiser, orthogonalised

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small():
    """Smaller batches and networks for every test of this module."""
    patch = pytest.MonkeyPatch()
    for module in (autoencoder, diffusion, judges):
        patch.setattr(module, "BATCH", 2)
    patch.setattr(autoencoder, "WIDTH", 16)
    patch.setattr(diffusion.unet, "__defaults__", ((16, 32, 32, 32), (2, 2, 2, 2)))
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):
    """A whole training run of a few steps, through the command line."""
    folder = tmp_path_factory.mktemp("run")
    _call("data", folder, "--count", "40", "--held-out", "40")
    for part in ("autoencoder", "diffusion", "classifier", "landmarks"):
        _call(part, folder, "--steps", "2", "--seed", "3")
    _call("export", folder, "--to", str(folder / "weights"))
    return folder


def _call(command, folder, *options):
    result = CliRunner().invoke(app, [command, "--run", str(folder), *options])
    assert result.exit_code == 0, result.output + repr(result.exception)


def _weights(file):
    return torch.cat([v.float().flatten() for _, v in sorted(load_file(file).items())])


def test_every_word_is_one_token_and_other_text_survives():
    tokens = text.tokenizer(scenes.vocabulary())
    for word in scenes.vocabulary():
        assert len(tokens(word).input_ids) == 3, word
    assert tokens.decode(tokens("a zebra, ünder 7 moons").input_ids, skip_special_tokens=True).split()[1:] != []
    assert tokens.unk_token_id not in tokens("a zebra, ünder 7 moons").input_ids[:-1]


def test_captions_fit_the_text_encoder():
    tokens = text.tokenizer(scenes.vocabulary())
    for seed in range(60):
        assert len(tokens(scenes.sample(seed, "test", (96, 128)).caption).input_ids) <= text.LENGTH


def test_orthogonal_updates_have_singular_values_near_one():
    for shape in ((2, 24, 40), (2, 40, 24)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape, generator=torch.Generator().manual_seed(0))))
        assert values.min() > 0.4
        assert values.max() < 1.4


def test_muon_lowers_a_loss_that_its_matrices_can_lower():
    torch.manual_seed(0)
    layer, x, y = nn.Linear(16, 24, bias=False), torch.randn(64, 16), torch.randn(64, 24)
    best = Muon([{"params": list(layer.parameters()), "lr": 0.02}])
    losses = []
    for _ in range(30):
        loss = (layer(x) - y).square().mean()
        loss.backward()
        best.step()
        best.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_every_parameter_has_one_optimiser():
    net = nn.Sequential(nn.Embedding(30, 16), nn.Linear(16, 16), nn.Conv2d(3, 16, 3))
    both = optimiser({net: 0.1}, 0.1)
    hidden, rest = both.muon.param_groups[0]["params"], both.adam.param_groups[0]["params"]
    assert [p.shape for p in hidden] == [(16, 16)]
    assert len(hidden) + len(rest) == len(list(net.parameters()))


def test_each_module_keeps_its_own_rate():
    slow, fast = nn.Linear(16, 16), nn.Linear(16, 16)
    both = optimiser({slow: 0.01, fast: 0.1}, 0.2)
    both.step(0.5)
    assert [group["lr"] for group in both.muon.param_groups] == [0.005, 0.05]
    assert [group["lr"] for group in both.adam.param_groups] == [0.1]


def test_words_reach_the_output_of_a_fresh_text_encoder():
    torch.manual_seed(0)
    tokens = text.tokenizer(scenes.vocabulary())
    encoder = text.text_encoder(tokens)
    red, blue = encoder(text.token_ids(tokens, ["a red apple", "a blue apple"])).last_hidden_state
    assert torch.equal(red[1], blue[1])  # nothing of a later word
    assert (red[2] - blue[2]).norm() > 0.8 * red[2].norm()
    assert (red[3] - blue[3]).norm() > 0.02 * red[3].norm()


def test_the_rate_warms_up_and_ends_at_zero():
    budget = Budget(None, 100)
    rates = [budget.rate(step) for step in range(101)]
    assert rates[0] < 0.1
    assert max(rates) > 0.95
    assert rates[-1] == 0
    for wrong in ((1.0, 5), (None, None)):
        with pytest.raises(ValueError, match="--minutes or --steps"):
            Budget(*wrong)


def test_the_average_can_be_swapped_in_and_out():
    layer = nn.Linear(3, 2)
    average = Average([layer], 0.9)
    first = layer.weight.detach().clone()
    layer.weight.data += 1
    average.update()
    average.swap()
    between = layer.weight.detach().clone()
    average.swap()
    assert torch.all((between > first) & (between < first + 1))
    assert torch.equal(layer.weight, first + 1)


def test_a_pool_holds_the_renders_and_knows_its_version(tmp_path):
    render_pool(tmp_path, "dev", (96, 128), 3, seed=5)
    pool = load_pool(tmp_path)
    scene = scenes.sample(6, "dev", (96, 128))
    assert np.array_equal(pool.pictures[1], scene.picture())
    assert pool.records[1].caption == scene.caption
    mask = np.maximum.reduce([scene.mask(i) for i in range(len(scene.objects))])
    assert pool.subjects[1].mean() / 255 == pytest.approx(mask.mean(), abs=1e-3)
    index = tmp_path / "records.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "version": -1}))
    with pytest.raises(ValueError, match="renderer version -1"):
        load_pool(tmp_path)
    (tmp_path / "subjects.npy").unlink()  # a pool of before they were kept
    with pytest.raises(ValueError, match="no finished pool"):
        load_pool(tmp_path)
    with pytest.raises(ValueError, match="no finished pool"):
        load_pool(tmp_path / "nothing")


def test_some_training_scenes_are_bare(tmp_path):
    render_pool(tmp_path, "train", (128, 96), 2)
    bare = load_pool(tmp_path)
    assert bare.records[0].objects == () != bare.records[1].objects
    assert not bare.subjects[0].any()


def test_a_mirrored_face_turns_the_other_way():
    assert mirrored_caption("a face turned left") == "a face turned right"
    assert mirrored_caption("a red apple") == "a red apple"


def test_sheets_keep_the_order_of_pictures():
    pictures = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 4, 3), np.uint8)
    out = sheet(pictures, 2)
    assert out.shape == (4, 8, 3)
    assert out[:, :, 0].tolist()[0] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert out[2, 0, 0] == 2


def test_training_faces_move_with_their_points():
    scene = scenes.sample(1, "train", (128, 128), "face")
    red = scene.picture().copy()
    for x, y in scene.landmarks[[36, 45, 8]]:
        red[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = (255, 0, 255)
    picture, points = judges._varied(red, scene.landmarks / 128, np.random.default_rng(4))
    for x, y in points[[36, 45, 8]] * 128:
        assert picture[int(y), int(x), 1] < 90
        assert picture[int(y), int(x), 0] > 150


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_has_no_error(prediction):
    z, noise = torch.randn(4, 4, 6, 8), torch.randn(4, 4, 6, 8)
    t = torch.tensor([10, 300, 700, 990])
    ddim = diffusion.scheduler(prediction)
    target = noise if prediction == "epsilon" else ddim.get_velocity(z, noise, t)
    model = SimpleNamespace(
        scheduler=ddim, embed=lambda ids: ids, unet=lambda x, t, words: SimpleNamespace(sample=target)
    )
    subjects = torch.zeros(4, 6, 8, dtype=torch.uint8)
    assert diffusion.objective(model, z, t, subjects, t, noise) < 1e-10
    target = torch.zeros_like(z)
    assert diffusion.objective(model, z, t, subjects, t, noise) > 0.01


def test_subjects_count_more_where_the_noise_shows_them():
    z, noise = torch.randn(2, 4, 6, 8), torch.randn(2, 4, 6, 8)
    wrong = noise.clone()
    wrong[..., 2] += 1  # an error in one column
    model = SimpleNamespace(
        scheduler=diffusion.scheduler(), embed=lambda ids: ids, unet=lambda *_: SimpleNamespace(sample=wrong)
    )
    nothing = torch.zeros(2, 6, 8, dtype=torch.uint8)
    for column, level, factor in ((2, 10, 5.0), (4, 10, 5.0), (6, 10, 1.0), (2, 990, 1.08)):
        subjects, t = nothing.clone(), torch.tensor([level] * 2)
        subjects[..., column] = 255
        plain = diffusion.objective(model, z, t, subjects, t, noise)
        more = diffusion.objective(model, z, t, subjects, t, noise, emphasis=4.0)
        assert more / plain == pytest.approx(factor, abs=0.01)


def test_training_steps_favour_the_middle_and_reach_the_ends():
    t = diffusion.training_steps(np.random.default_rng(0), 4000)
    assert (t.min() < 5) & (t.max() > 994)
    assert ((t > 250) & (t < 750)).float().mean() == pytest.approx(0.75 * 0.83 + 0.25 * 0.5, abs=0.01)


def test_plain_cross_attention_is_the_same_attention():
    torch.manual_seed(0)
    net = diffusion.unet((16, 32, 32, 32), (2, 2, 2, 2)).eval()
    z, words, t = torch.randn(1, 4, 8, 12), torch.randn(1, 32, text.WIDTH), torch.tensor([300])
    with torch.no_grad():
        fused = net(z, t, words).sample
        diffusion.plain_cross_attention(net)
        assert torch.allclose(net(z, t, words).sample, fused, atol=1e-5)


def test_a_whole_run_exports_small_half_precision_weights(run):
    weights = run / "weights"
    for part in ("vae", "text_encoder", "unet"):
        (file,) = (weights / part).glob("*.safetensors")
        assert {v.dtype for v in load_file(file).values()} == {torch.float16}
        assert "_name_or_path" not in (weights / part / "config.json").read_text()
    assert (weights / "landmarks" / "model.safetensors").exists()
    assert not list(run.glob("*.part"))
    assert (run / "autoencoder" / "log.jsonl").exists()
    factor = diffusion.load(weights).vae.config.scaling_factor
    pool = load_pool(run / "data" / "test-128x128")
    latents = autoencoder.encode(diffusion.load_vae(weights), pool, CPU).float()
    assert factor != 1
    assert latents.std().item() == pytest.approx(1, rel=0.02)


def test_an_exported_model_draws_pictures_that_are_not_square(run):
    model = diffusion.load(run / "weights")
    pictures = diffusion.sample(model, ["a red apple", ""], steps=2, size=(128, 96))
    assert pictures.shape == (2, 96, 128, 3)
    assert np.array_equal(pictures, diffusion.sample(model, ["a red apple", ""], steps=2, size=(128, 96)))


def test_the_same_seed_gives_the_same_weights_also_after_a_stop(run, small, tmp_path):
    (tmp_path / "data").symlink_to(run / "data")
    pool, test = load_pool(run / "data" / "train-128x128"), load_pool(run / "data" / "test-128x128")
    for name, stops in (("whole", (4,)), ("stopped", (2, 4))):
        for stop in stops:
            budget = Budget(None, 4)
            small.setattr(budget, "share", lambda step, stop=stop: step / stop)
            small.setattr(budget, "rate", lambda step: 0.5)
            autoencoder.train(tmp_path / name, pool, test, budget, 7, CPU)
    whole, stopped = (_weights(next((tmp_path / n / "vae").glob("*.safetensors"))) for n in ("whole", "stopped"))
    assert torch.allclose(whole, stopped, atol=1e-5)


def test_training_continues_from_exported_weights(run, small, tmp_path):
    (tmp_path / "data").symlink_to(run / "data")
    before = _weights(next((run / "weights" / "unet").glob("*.safetensors")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusion, "MUON", 0.0)
        patch.setattr(diffusion, "TEXT_MUON", 0.0)
        patch.setattr(diffusion, "ADAM", 0.0)
        _call("diffusion", tmp_path, "--steps", "1", "--from-weights", str(run / "weights"))
    still = _weights(next((tmp_path / "model" / "unet").glob("*.safetensors")))
    assert torch.equal(before, still)
    (tmp_path / "diffusion" / "checkpoint.pt").unlink()
    _call("diffusion", tmp_path, "--steps", "1", "--from-weights", str(run / "weights"))
    after = _weights(next((tmp_path / "model" / "unet").glob("*.safetensors")))
    assert 0 < (after - before).abs().max() < 0.02  # a fresh optimiser would jump without the warm-up


def test_the_report_measures_and_writes_the_card(run, small):
    small.setattr(diffusion.sample, "__defaults__", (0, 3.0, 2, (128, 128)))
    _call("report", run, "--to", str(run / "weights"), "--history", "Two steps on a laptop.")
    card = (run / "weights" / "README.md").read_text()
    figures = json.loads((run / "weights" / "figures.json").read_text())
    assert "Two steps on a laptop." in card
    assert f"{figures['autoencoder_psnr']:.1f} dB" in card
    assert 0 <= figures["generated_right"] <= min(figures["generated_kind_right"], figures["generated_colour_right"])


def test_psnr_counts_pictures_not_pixels():
    pictures = np.zeros((2, 8, 12, 3), np.uint8)
    pool = Pool(pictures, pictures[:, ::4, ::4, 0], (Record("", "still", (), None),) * 2)
    vae = SimpleNamespace(
        encode=lambda x: SimpleNamespace(latents=x), decode=lambda z: SimpleNamespace(sample=z + 2 * 255 / 255 / 25.5)
    )
    assert autoencoder.psnr(vae, pool, CPU) == pytest.approx(20 * np.log10(25.5), abs=0.01)
