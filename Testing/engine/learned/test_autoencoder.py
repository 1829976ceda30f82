"""The autoencoder: geometry and reach of its network, living bottlenecks, figures that tell, and its bundle."""

import json
import os
import pickle
import shutil
import signal

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("safetensors", reason="the 'learned' extra is not installed")

from mewm.bundle import METADATA, NOTICE  # noqa: E402
from mewm.cli import main  # noqa: E402
from mewm.cohort.dataset import read_cohort, write_table  # noqa: E402
from mewm.cohort.simulate import simulate_cohort  # noqa: E402
from mewm.dynamics.autoencoder.bottleneck import VectorBottleneck  # noqa: E402
from mewm.dynamics.autoencoder.codec import CtAutoencoder, load_autoencoder  # noqa: E402
from mewm.dynamics.autoencoder.network import Autoencoder, fold, from_window, to_window, unfold  # noqa: E402
from mewm.errors import Cancelled, InputError, ResourceError  # noqa: E402
from mewm.evaluation.feature_networks import FilterBank  # noqa: E402
from mewm.training.autoencoder.config import FIGURES, AutoencoderConfig, Crops  # noqa: E402
from mewm.training.autoencoder.crops import crop_draws  # noqa: E402
from mewm.training.autoencoder.fit import train_autoencoder  # noqa: E402
from mewm.training.autoencoder.losses import FilterBankDistance  # noqa: E402
from mewm.training.autoencoder.reconstruction import (  # noqa: E402
    Scan,
    collapsed,
    figures_of,
    noise_sd,
)
from mewm.training.checkpoint import LAST, load_checkpoint  # noqa: E402
from mewm.training.config import from_mapping, read_config  # noqa: E402
from mewm.training.volumes import open_volumes  # noqa: E402

SMALL = {"widths": (8, 16), "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)}
CODES = 64


def small_network(**changes):
    torch.manual_seed(0)
    return Autoencoder(**{**SMALL, **changes})


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Four cases: two to train on, one to choose by, one to measure."""
    out = simulate_cohort(tmp_path_factory.mktemp("learned") / "cohort", cases=4, seed=4, workers=1)
    splits = ("train", "train", "val", "test")
    rows = [{**r.values, "split": s} for r, s in zip(read_cohort(out).rows, splits, strict=True)]
    write_table(out / "cases.csv", rows[0], rows)
    return read_cohort(out)


def test_the_window_is_the_papers_and_cuts_off():
    hu = torch.tensor([-1000.0, -175.0, 212.5, 600.0, 3000.0])
    assert to_window(hu).tolist() == [-1.0, -1.0, 0.0, 1.0, 1.0]
    assert from_window(to_window(hu)).tolist() == [-175.0, -175.0, 212.5, 600.0, 600.0]


def test_unfolding_puts_every_voxel_back():
    x = torch.arange(2 * 3 * 4 * 6 * 8, dtype=torch.float32).view(2, 3, 4, 6, 8)
    assert fold(x).shape == (2, 24, 2, 3, 4)
    assert torch.equal(unfold(fold(x)), x)
    # A block stays in its place.
    assert set(fold(x)[0, :8, 0, 0, 0].tolist()) == set(x[0, 0, :2, :2, :2].flatten().tolist())


def test_the_model_grid_becomes_24_voxels_of_8_numbers_and_comes_back():
    codec = CtAutoencoder(small_network(), torch.device("cpu"), "digest")
    ct = torch.randn(2, 1, 96, 96, 96) * 300
    latents = codec.encode(ct)
    assert latents.shape == (2, 8, 24, 24, 24) and latents.dtype == torch.float32
    made = codec.decode(latents)
    assert made.shape == (2, 1, 96, 96, 96) and made.min() >= -175 and made.max() <= 600
    torch.testing.assert_close(codec.decode(latents[1:]), made[1:])


def test_a_change_in_the_lesion_leaves_the_far_side_alone():
    codec = CtAutoencoder(small_network(), torch.device("cpu"))
    ct = torch.randn(1, 1, 96, 96, 96) * 100
    changed = ct.clone()
    changed[..., :16, :16, :16] += 300
    before, after = codec.encode(ct), codec.encode(changed)
    assert not torch.equal(before[..., :4, :4, :4], after[..., :4, :4, :4])
    assert torch.equal(before[..., 10:, :, :], after[..., 10:, :, :])
    assert torch.equal(codec.decode(before)[..., 64:, :, :], codec.decode(after)[..., 64:, :, :])


@pytest.mark.parametrize("blocks", [(0, 0), (1, 1), (1, 2), (2, 1)])
def test_the_decoder_sees_as_far_as_it_says_and_no_further(blocks):
    network = small_network(decoder_blocks=blocks)
    # Layers that begin at zero let nothing through before their first step.
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    codec = CtAutoencoder(network, torch.device("cpu"))
    edge, middle = 24, 12
    latents = torch.zeros(1, 8, edge, 4, 4, requires_grad=True)
    inside = slice(4 * middle, 4 * middle + 4)
    network._decode(latents)[0, 0, inside].abs().sum().backward()
    seen = [k for k in range(edge) if latents.grad[0, :, k].any()]
    assert (middle - min(seen), max(seen) - middle) == (codec.reach, codec.reach)


def test_standardised_latents_decode_to_the_same_ct():
    network = small_network().eval()
    x = torch.rand(2, 1, 16, 16, 16) * 2 - 1
    with torch.no_grad():
        raw, plain = network.encode(x), network.decode(network.encode(x))
        network.standardise(raw.mean(dim=(0, 2, 3, 4)), raw.std(dim=(0, 2, 3, 4)))
        latents = network.encode(x)
        torch.testing.assert_close(latents.mean(dim=(0, 2, 3, 4)), torch.zeros(8), atol=1e-4, rtol=0)
        torch.testing.assert_close(latents.std(dim=(0, 2, 3, 4)), torch.ones(8), atol=1e-3, rtol=0)
        torch.testing.assert_close(network.decode(latents), plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("channels", [8, 4])
def test_an_untrained_network_is_a_plain_downsampling(channels):
    network = small_network(latent_channels=channels).eval()
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(32, 32, 32)), 3, mode="wrap")
    x = torch.from_numpy(0.3 * smooth / smooth.std()).float()[None, None].clamp(-1, 1)
    with torch.no_grad():
        latents = network.encode(x)
        made = network.decode(latents)
    assert latents.shape == (1, channels, 8, 8, 8)
    if channels == 8:
        half = torch.nn.functional.avg_pool3d(x, 2)
        torch.testing.assert_close(made, torch.nn.functional.interpolate(half, scale_factor=2, mode="trilinear"))
    # Four of eight numbers hold the mean and the slope of a block.
    assert (made - x).abs().mean() < (0.04 if channels == 8 else 0.06) < 0.3 * x.abs().mean()


def balls(count=64, edge=16):
    """Cubes of liver with a ball of tumour or oil somewhere, noise of 10 HU, window units."""
    rng = np.random.default_rng(0)
    grid = np.indices((edge,) * 3)
    cubes = []
    for _ in range(count):
        centre, radius = rng.uniform(4, 12, 3).reshape(3, 1, 1, 1), rng.uniform(2, 5)
        inside = ((grid - centre) ** 2).sum(axis=0) < radius**2
        cubes.append(np.where(inside, rng.uniform(-0.4, 1.0), -0.27) + rng.normal(0, 0.026, inside.shape))
    return torch.from_numpy(np.stack(cubes)[:, None].astype(np.float32))


def trained(network, forward, cubes, steps=100):
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(steps):
        x = cubes[torch.randint(len(cubes), (8,), generator=generator)]
        made, penalty = forward(network, x, generator)
        loss = (made - x).abs().mean() + 4 * (made - x).square().mean() + penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval().requires_grad_(False)


def alive(cubes, made, latents):
    """Contrast of the reconstructions, and what :func:`collapsed` says."""
    smooth = [ndimage.gaussian_filter(v.numpy()[:, 0], (0, 1, 1, 1)).std(axis=(1, 2, 3)) for v in (made, cubes)]
    contrast = float((smooth[0] / smooth[1]).mean())
    return contrast, collapsed(contrast, latents.std(dim=(0, 2, 3, 4)).numpy())


@pytest.mark.parametrize("kind", ["gaussian", "finite", "vector"])
def test_no_bottleneck_collapses(kind):
    cubes = balls()
    options = {"codes": CODES} if kind == "vector" else {}

    def forward(network, x, generator):
        coding = network(x, generator)
        return coding.reconstruction, (2e-4 if kind == "gaussian" else 1.0) * coding.penalty

    network = trained(small_network(bottleneck=kind, bottleneck_options=options), forward, cubes, steps=60)
    latents = network.encode(cubes)
    contrast, sentence = alive(cubes, network.decode(latents), latents)
    assert contrast > 0.55 and sentence == ""
    if kind == "vector":
        assert len(network.bottleneck.codes(latents).unique()) > CODES / 2


def test_the_collapse_of_monais_vqvae_is_noticed_though_its_error_is_that_of_a_sound_one():
    nets = pytest.importorskip("monai.networks.nets", reason="the 'learned' extra is not installed")
    cubes = balls()
    torch.manual_seed(0)
    network = nets.VQVAE(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        channels=(8, 16),
        num_res_layers=1,
        num_res_channels=(8, 16),
        downsample_parameters=((2, 4, 1, 1),) * 2,
        upsample_parameters=((2, 4, 1, 1, 0),) * 2,
        num_embeddings=CODES,
        embedding_dim=8,
    )
    trained(network, lambda net, x, generator: net(images=x), cubes)
    made = network(cubes)[0]
    assert (made - cubes).abs().mean() < 0.07, "27 HU: a loss that looks fine"
    assert "has collapsed" in alive(cubes, made, network.encode(cubes))[1]


def test_silent_channels_are_a_collapse_too():
    assert "5 of 8 latent channels" in collapsed(0.9, np.array([1, 1, 1, 0, 0, 0, 0, 0.01]))
    assert collapsed(0.9, np.array([1, 1, 1, 1, 1, 0, 0, 0.01])) == ""


def test_near_codes_stay_apart_where_the_network_computes_in_16_bits():
    pytest.importorskip("monai", reason="the 'learned' extra is not installed")
    torch.manual_seed(0)
    bottleneck = VectorBottleneck(8, codes=CODES).eval()
    bottleneck.quantizer.embedding.weight.data = 3 + 0.02 * torch.randn(CODES, 8)
    latent = bottleneck.snap(3 + 0.02 * torch.randn(1, 8, 6, 6, 6))
    codes = bottleneck.codes(latent)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(bottleneck.codes(latent), codes)
        assert torch.equal(bottleneck.snap(latent), latent)
        assert torch.allclose(bottleneck(latent).latent, latent)


def test_an_unknown_bottleneck_is_one_sentence():
    with pytest.raises(InputError, match="'wavelet'; choose one of gaussian, finite, vector"):
        Autoencoder(bottleneck="wavelet")


def test_the_perceptual_loss_is_the_distance_that_the_evaluation_measures():
    rng = np.random.default_rng(0)
    first = np.clip(ndimage.gaussian_filter(rng.normal(size=(2, 48, 48)), (0, 2, 2)) * 2 + 0.4, 0, 1)
    second = np.clip(first + rng.normal(size=first.shape) * 0.05, 0, 1)
    tensors = [torch.tensor(v[:, None], dtype=torch.float32) for v in (first, second)]
    assert float(FilterBankDistance(scales=(1.0, 2.0)).distance(*tensors)) == pytest.approx(
        FilterBank((1.0, 2.0)).distance(first, second).mean(), rel=0.01
    )
    still = tensors[0].clone().requires_grad_()
    FilterBankDistance().distance(still, tensors[0]).backward()
    assert torch.isfinite(still.grad).all()


def test_figures_of_a_reconstruction():
    lesion = np.linalg.norm(np.indices((96,) * 3) - 48, axis=0) < 10
    clean = np.where(lesion, 60.0, 110.0)
    oil = lesion & (np.indices((96,) * 3)[0] < 48)
    clean[oil] = 400.0
    noise = np.random.default_rng(0).normal(0, 10, clean.shape)
    regions = {"liver": ~lesion, "necrosis": lesion & ~oil, "lipiodol": oil, "viable": np.zeros_like(oil)}
    scan = Scan("one", clean, regions, lesion)
    same = figures_of(scan, clean)
    assert same["mae_liver"] == 0 and same["oil_dice"] == 1 and same["oil_mean"] == 0 and same["contrast"] == 1
    assert np.isnan(same["mae_viable"]) and noise_sd(clean + noise, ~lesion) == pytest.approx(10, rel=0.1)
    shifted = figures_of(scan, clean + 5)
    assert shifted["mae_necrosis"] == shifted["bias_necrosis"] == 5
    moved = figures_of(scan, np.roll(clean, 2, axis=0))
    assert 0.5 < moved["oil_dice"] < 0.9 and moved["mae_lipiodol"] > 50
    assert figures_of(scan, np.full_like(clean, 120.0))["contrast"] < 0.01
    # The noise is part of the error: 10 HU have a mean size of 8.
    noisy = Scan("one", clean + noise, regions, lesion)
    assert figures_of(noisy, clean)["mae_liver"] == pytest.approx(8, rel=0.05)


def test_crops_lie_in_the_ct_and_on_the_lesion(cohort, tmp_path):
    volumes = open_volumes(cohort, cohort.split("train"), tmp_path)
    assert volumes.ct.shape == (2, 2, 96, 96, 96) and volumes.ct.dtype == np.int16
    case = cohort.load(volumes.rows[1])
    assert np.array_equal(volumes.ct[1, 0], case.roi.ct) and np.array_equal(volumes.ct[1, 1], case.post_ct)
    where = np.argwhere(case.roi.lesion)
    assert np.array_equal(volumes.boxes[1], np.stack([where.min(axis=0), where.max(axis=0) + 1], axis=1))
    plain = Crops(edge=16, lesion_share=1.0, scale=0.0, shift_hu=0.0)
    crop = crop_draws(volumes, plain, seed=1)[0]["ct"]
    assert crop.shape == (1, 16, 16, 16) and crop.dtype == torch.float32
    assert np.isin(np.unique(crop.numpy().astype(int)), volumes.ct).all()
    with pytest.raises(InputError, match="multiple of 4"):
        crop_draws(volumes, Crops(edge=18), seed=1)


def test_crops_can_be_drawn_in_a_worker_that_was_not_forked(cohort, tmp_path):
    draws = crop_draws(open_volumes(cohort, cohort.split("train"), tmp_path), Crops(edge=16), seed=1)
    packed = pickle.dumps(draws)
    assert len(packed) < 50_000, "a worker opens the file of CTs itself"
    assert torch.equal(pickle.loads(packed)[3]["ct"], draws[3]["ct"])


def test_the_shipped_configurations_are_read():
    from mewm.resources import resource_path

    for path in sorted(resource_path("Models/dynamics_autoencoder/configs").glob("train*.yaml")):
        config = read_config(path, AutoencoderConfig)
        Autoencoder(**config.network)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"loop": {"step": 3}}, "loop has the unknown setting 'step'"),
        ({"loop": {"steps": "many"}}, "steps is 'many'; give a value of the type int"),
        ({"loop": {"steps": True}}, "steps is True"),
        ({"autoencoder": {"betas": [0.9]}}, "betas is .*; give 2 values"),
        ([1], "where settings by name are wanted"),
    ],
)
def test_a_wrong_setting_is_one_sentence(content, message):
    with pytest.raises(InputError, match=message) as caught:
        from_mapping(content, AutoencoderConfig, "train.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"network": {"width": 8}}, "cannot be built .*'width'"),
        ({"network": {"widths": [8, 0.5]}}, "cannot be built"),
        ({"losses": {"adversarial": 1.0}, "discriminator_network": {"channel": 4}}, "cannot be built .*'channel'"),
        ({"crops": {"edge": 18}}, "multiple of 4"),
        ({"loop": {"best": "dice"}}, "no figure 'dice' to choose by; choose one of mae_liver"),
        ({"validation_cases": 0}, "'validation_cases' of the configuration is 0"),
    ],
)
def test_what_cannot_be_trained_is_told_before_a_case_is_read(cohort, tmp_path, content, told):
    pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")
    with pytest.raises(InputError, match=told) as caught:
        train_autoencoder(cohort.folder, tmp_path, from_mapping(content, AutoencoderConfig, "train.yaml"), device="cpu")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def trained_bundle(cohort, tmp_path_factory):
    pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")
    folder = tmp_path_factory.mktemp("training")
    config = folder / "train.yaml"
    config.write_text(
        "network: {widths: [8, 16], encoder_blocks: [0, 1], decoder_blocks: [0, 1]}\n"
        "loop: {steps: 4, batch: 2, log_every: 2, validate_every: 2, save_every: 2}\n"
        "losses: {adversarial: 0.01, adversarial_from: 0.25}\n"
        "discriminator_network: {channels: 4, num_layers_d: 1}\n"
        "crops: {edge: 24}\nvalidation_cases: 1\n"
    )
    out = folder / "bundle"
    arguments = ["--cohort", cohort.folder, "--work", folder / "work", "--config", config, "--device", "cpu"]
    assert main(["train", "autoencoder", *map(str, arguments), "--out", str(out)]) == 0
    return folder, out, [str(a) for a in arguments]


def test_a_training_ends_with_a_bundle_that_says_what_it_is(trained_bundle, cohort):
    _, out, _ = trained_bundle
    metadata = json.loads((out / METADATA).read_text(encoding="utf-8"))
    card = (out / "docs" / "README.md").read_text(encoding="utf-8")
    assert set(metadata["figures"]) | {"loss", "latent_spread", "latent_spread_lowest"} == {*FIGURES, "reference"}
    assert metadata["notice"] == NOTICE and NOTICE in card and "the CT with its noise" in card
    figure = metadata["figures"]["mae_liver"]
    assert figure["low"] <= figure["value"] <= figure["high"] and figure["cases"] == 1
    codec = load_autoencoder(out, "cpu")
    case = cohort.load(cohort.split("train")[0])
    latents = codec.encode(torch.from_numpy(np.stack([case.roi.ct, case.post_ct])[:, None]))
    assert 0.3 < float(latents.std()) < 3 and codec.sha256
    assert codec.decode(latents).shape == (2, 1, 96, 96, 96)


def test_a_finished_training_is_not_done_again_and_another_cohort_is_refused(trained_bundle, cohort, tmp_path, capsys):
    folder, out, arguments = trained_bundle
    before = (folder / "work" / "checkpoints" / "last.pt").read_bytes()
    assert main(["train", "autoencoder", *arguments]) == 0
    assert (folder / "work" / "checkpoints" / "last.pt").read_bytes() == before
    other = shutil.copytree(cohort.folder, tmp_path / "other")
    rows = [{**row.values, "age": 50.0} for row in cohort.rows]
    write_table(other / "cases.csv", rows[0], rows)
    arguments = [str(other) if a == str(cohort.folder) else a for a in arguments]
    assert main(["train", "autoencoder", *arguments]) == 2
    assert "other settings (cohort)" in capsys.readouterr().err
    assert (
        main(
            ["train", "autoencoder", *arguments[:2], "--work", str(tmp_path), *arguments[4:], "--begin-with", str(out)]
        )
        == 0
    )


def test_a_checkpoint_of_other_settings_is_not_exported(trained_bundle, tmp_path, capsys):
    folder, _, arguments = trained_bundle
    other = tmp_path / "other.yaml"
    other.write_text((folder / "train.yaml").read_text().replace("adversarial: 0.01", "adversarial: 0.02"))
    export = ["--config", str(other), "--export-only", "--out", str(tmp_path / "out")]
    assert main(["train", "autoencoder", *arguments, *export]) == 2
    assert "other settings (losses)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_autoencoder_that_was_stopped_ends_with_the_same_weights(trained_bundle, cohort, tmp_path):
    """Discriminator, noise, crops and averages go on as if nothing had happened."""
    folder, _, _ = trained_bundle
    config = read_config(folder / "train.yaml", AutoencoderConfig)

    def stop(report):
        if report.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Cancelled):
        train_autoencoder(cohort.folder, tmp_path, config, device="cpu", tell=stop)
    train_autoencoder(cohort.folder, tmp_path, config, device="cpu")
    whole, stopped = (load_checkpoint(f / "checkpoints" / LAST)["learners"] for f in (folder / "work", tmp_path))
    for name, learner in whole.items():
        for key, value in learner["module"].items():
            assert torch.equal(value, stopped[name]["module"][key]), f"{name}, {key}"


def test_a_bundle_without_weights_is_one_sentence(tmp_path):
    with pytest.raises(ResourceError, match=r"autoencoder in .* is incomplete") as caught:
        load_autoencoder(tmp_path, "cpu")
    assert "\n" not in str(caught.value)
