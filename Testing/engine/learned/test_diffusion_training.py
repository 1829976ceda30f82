"""Training the learned dynamics: examples, loss, a toy world it has to learn, and the way from cohort to bundle."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("open_clip", reason="the 'learned' extra is not installed")
pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")
yaml = pytest.importorskip("yaml", reason="the 'learned' extra is not installed")

from open_clip.transformer import QuickGELU  # noqa: E402
from stand_in_codec import StandInCodec  # noqa: E402

from mewm.actions.base import load_action_base  # noqa: E402
from mewm.actions.text import parse_protocol  # noqa: E402
from mewm.bundle import CARD, INFERENCE, METADATA, NOTICE, write_bundle  # noqa: E402
from mewm.cli import main  # noqa: E402
from mewm.cohort.dataset import read_cohort, write_table  # noqa: E402
from mewm.cohort.simulate import simulate_cohort  # noqa: E402
from mewm.dynamics.autoencoder.codec import load_autoencoder  # noqa: E402
from mewm.dynamics.autoencoder.network import Autoencoder  # noqa: E402
from mewm.dynamics.diffusion.action_text import text_tower  # noqa: E402
from mewm.dynamics.diffusion.dynamics import load_dynamics  # noqa: E402
from mewm.dynamics.diffusion.model import ActionDiffusion, CaseConditions  # noqa: E402
from mewm.dynamics.diffusion.noise import PREDICTIONS  # noqa: E402
from mewm.dynamics.diffusion.sampler import SamplerSettings, sample  # noqa: E402
from mewm.errors import InputError, ResourceError  # noqa: E402
from mewm.evaluation.config import EvaluationConfig  # noqa: E402
from mewm.evaluation.registry import known_models  # noqa: E402
from mewm.resources import resource_path  # noqa: E402
from mewm.training.checkpoint import load_checkpoint  # noqa: E402
from mewm.training.config import from_mapping, read_config  # noqa: E402
from mewm.training.dynamics.config import FIGURES, Attenuation, Contrastive, DynamicsConfig, Objective  # noqa: E402
from mewm.training.dynamics.examples import Partners, actions_of, conditions_of, pair_draws  # noqa: E402
from mewm.training.dynamics.fit import train_dynamics  # noqa: E402
from mewm.training.dynamics.latents import (  # noqa: E402
    ATTENUATED,
    MASKED,
    POST,
    PRE,
    case_level,
    open_latents,
    spread_of_change,
)
from mewm.training.dynamics.loss import coarse_error, diffusion_loss, draw_times, weighted_error  # noqa: E402
from mewm.training.dynamics.validation import validation_figures  # noqa: E402
from mewm.training.learner import Step  # noqa: E402

TOWER = {"merges": 128, "context_length": 24, "width": 16, "layers": 1, "heads": 2, "dim": 16}
TINY = {
    "network": {"widths": [16, 24], "blocks": [1, 1], "token_dim": 16, "outcome": {"width": 16}},
    "tower": TOWER,
    "text": {"steps": 3, "batch": 4},
    "outcome": {"steps": 4, "batch": 4, "validate_every": 2},
    "loop": {"steps": 3, "batch": 2, "validate_every": 2, "log_every": 1, "save_every": 2},
    "sampler": {"steps": 2},
    "validation_cases": 2,
}
AGENTS = ("lobaplatin", "lipiodol", "doxorubicin_eluting_beads")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five cases, two of them given the same agents: three to train on, one to choose by, one to measure."""
    out = simulate_cohort(tmp_path_factory.mktemp("dynamics") / "cohort", cases=5, seed=9, workers=1)
    splits = ("train", "train", "train", "val", "test")
    told = ("Lobaplatin 30 mg; Lipiodol 10 ml", "Lipiodol 5 ml; Lobaplatin 20 mg")
    rows = [{**row.values, "split": split} for row, split in zip(read_cohort(out).rows, splits, strict=True)]
    rows[0]["protocol"], rows[1]["protocol"] = told
    rows[2]["protocol"] = "Doxorubicin-eluting Beads 75 mg 100-300 µm"
    write_table(out / "cases.csv", rows[0], rows)
    return read_cohort(out)


@pytest.fixture(scope="module")
def latents(cohort, tmp_path_factory):
    return open_latents(
        cohort, cohort.split("train"), StandInCodec(), Attenuation(), tmp_path_factory.mktemp("latents")
    )


def test_the_shipped_configurations_are_read_and_the_arms_differ_where_they_say():
    folder = resource_path("Models/dynamics_diffusion/configs")
    own = read_config(folder / "train.yaml", DynamicsConfig)
    plain = read_config(folder / "train_without_contrastive.yaml", DynamicsConfig)
    mask_only = read_config(folder / "train_mask_only.yaml", DynamicsConfig)
    full = read_config(folder / "train_full.yaml", DynamicsConfig)
    assert own.contrastive.weight > 0 == plain.contrastive.weight == mask_only.contrastive.weight
    assert replace(plain, name=own.name, contrastive=own.contrastive) == own
    headed = read_config(folder / "train_outcome_head.yaml", DynamicsConfig)
    network = {key: value for key, value in headed.network.items() if key != "outcome"}
    sampler = replace(headed.sampler, outcome_guidance=1.0)
    assert replace(headed, name=own.name, network=network, sampler=sampler) == own != headed
    with pytest.raises(InputError, match="no outcome head"):
        replace(headed, network=network)
    assert mask_only.network["action"] == "none" and not mask_only.network["see_lesion"]
    assert own.loop == plain.loop == mask_only.loop
    assert (full.network["prediction"], full.attenuation.share) == ("epsilon", 1.0)
    tower = text_tower(full.tower)
    assert any(isinstance(part, QuickGELU) for part in tower.modules()), "OpenAI's weights want its activation"
    weights = sum(p.numel() for p in ActionDiffusion(AGENTS, vars(own.tower), **own.network).parameters())
    assert weights * 2 < 15e6, "half precision of the small model has to stay under 15 MB"


def test_latents_are_computed_once_and_hold_what_they_say(cohort, latents, tmp_path):
    assert latents.volumes.shape == (3, 4, 8, 24, 24, 24)
    case = cohort.load(latents.rows[0])
    fresh = StandInCodec().encode(torch.from_numpy(case.post_ct)[None, None])[0].numpy()
    assert np.allclose(latents.volumes[0, POST], fresh, atol=2e-3)
    far = latents.masks[0, 1] == 0
    assert np.array_equal(latents.volumes[0, PRE][:, far], latents.volumes[0, MASKED][:, far])
    calls = []

    def stop_after_the_first(*done):
        calls.append(done)
        if done == (1, 3):
            raise KeyboardInterrupt

    arguments = (cohort, latents.rows, StandInCodec(), Attenuation(), tmp_path, stop_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        open_latents(*arguments)
    for _ in range(2):
        again = open_latents(*arguments)
    assert calls == [(1, 3), (2, 3), (3, 3)], "what was computed before an interruption is kept"
    assert all(np.array_equal(getattr(again, part), getattr(latents, part)) for part in ("volumes", "masks", "numbers"))
    assert spread_of_change(latents).shape == (8,)
    assert bool((spread_of_change(latents) > 0).all())


def test_the_level_comes_from_the_report_else_from_the_response_or_not_at_all(cohort):
    row = cohort.rows[0]
    assert case_level(cohort, row, Attenuation()) == {"CR": 4, "PR": 3, "SD": 2, "PD": 1}[row.mrecist]
    assert case_level(cohort, row, Attenuation(without_report="none")) is None
    report = cohort.folder / "cases" / row.case_id / "report.txt"
    report.write_text("Lobaplatin 30 mg. The tumour staining was unchanged.", encoding="utf-8")
    try:
        assert case_level(cohort, row, Attenuation()) == 1
    finally:
        report.unlink()


@pytest.mark.parametrize(("content", "told"), [(b"\xff\xfe\xe9", "no UTF-8 text"), (b" 12 \n", "has no words")])
def test_a_report_that_cannot_be_read_is_one_sentence_that_names_it(cohort, content, told):
    report = cohort.folder / "cases" / cohort.rows[0].case_id / "report.txt"
    report.write_bytes(content)
    try:
        with pytest.raises(InputError, match=told) as caught:
            case_level(cohort, cohort.rows[0], Attenuation())
    finally:
        report.unlink()
    assert str(report) in str(caught.value) and "\n" not in str(caught.value)


def test_a_report_that_came_later_changes_the_latents_and_none_at_all_is_told(cohort, tmp_path):
    rows, settings, told = cohort.split("val"), Attenuation(without_report="none"), []
    arguments = (cohort, rows, StandInCodec(), settings, tmp_path, None, told.append)
    plain = open_latents(*arguments).volumes
    assert np.array_equal(plain[:, ATTENUATED], plain[:, MASKED])
    assert len(told) == 1 and "No case has an attenuation level" in told[0]
    report = cohort.folder / "cases" / rows[0].case_id / "report.txt"
    report.write_text("Lobaplatin 30 mg. The tumour staining disappeared.", encoding="utf-8")
    try:
        found = open_latents(*arguments).volumes
    finally:
        report.unlink()
    assert not np.array_equal(found[:, ATTENUATED], found[:, MASKED]) and len(told) == 1
    open_latents(*arguments[:3], replace(settings, share=0.0), tmp_path, None, told.append)
    assert len(told) == 1, "nobody asked for attenuated masks"


def test_partners_have_the_same_agents_and_negatives_others(latents):
    partners, rng = Partners(latents.rows), np.random.default_rng(0)
    assert {partners.partner(0, rng) for _ in range(10)} == {(1, True)}
    assert not any(partners.partner(2, rng)[1] for _ in range(10))
    assert {partners.other(0, rng).agents for _ in range(10)} == {("doxorubicin_eluting_beads",)}
    twice = [replace(latents.rows[k], values={**latents.rows[k].values, "patient_id": "one"}) for k in (0, 1)]
    assert not any(Partners(twice).partner(0, rng)[1] for _ in range(10)), "the same patient is no other case"


def tiny_config(**changes):
    return from_mapping({**TINY, **changes}, DynamicsConfig, "test")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"network": {"width": 8}}, "cannot be built .*'width'"),
        ({"network": {"widths": [12, 24]}}, "12 channels, which 8 groups and 1 heads cannot share"),
        ({"network": {"widths": [16, 152]}}, "152 channels, which 8 groups and 3 heads cannot share"),
        ({"network": {"widths": [16], "blocks": [1], "attention": [True], "patch": 5}}, "latents of an edge into 5"),
        ({"network": {"outcome": {"size": 3}}}, "cannot be built .*'size'"),
        ({"text": {"weights": "nowhere.safetensors"}}, "nowhere.safetensors cannot be read"),
        ({"loop": {"best": "dice"}}, "no figure 'dice' to choose by; choose one of loss"),
        ({"contrastive": {"every": 0}}, "'every' of contrastive is 0"),
        ({"outcome": {"validate_every": 0}}, "'validate_every' of outcome is 0"),
        ({"validation_cases": 0}, "'validation_cases' of the configuration is 0"),
    ],
)
def test_what_cannot_be_trained_is_told_before_a_case_is_encoded(cohort, tmp_path, changed, told):
    codec = StandInCodec()
    codec.encode = None
    with pytest.raises(InputError, match=told) as caught:
        train_dynamics(cohort.folder, tmp_path, tiny_config(**changed), lambda device: codec, device="cpu")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def tiny_model(**changes):
    torch.manual_seed(0)
    return ActionDiffusion(AGENTS, TOWER, widths=(16, 24), blocks=(1, 1), token_dim=16, **changes)


def batch_of(latents, model, attenuated=0.0):
    draws = pair_draws(latents, AGENTS, model.action.tower, model.action.places, attenuated, seed=1)
    examples = [draws[k] for k in range(3)]
    return {name: torch.stack([e[name] for e in examples]) for name in examples[0]}


def test_a_batch_holds_anchors_then_partners(latents):
    batch = batch_of(latents, tiny_model(), attenuated=1.0)
    case, post = conditions_of(batch)
    given, others = actions_of(batch)
    assert case.pre.shape == post.shape == (6, 8, 24, 24, 24)
    assert torch.equal(case.pre[3:], batch["volumes"][:, 1, 0].float())
    assert (len(given.agents), len(others.agents)) == (6, 3)
    same = batch["same"]
    assert torch.equal(given.agents[:3][same].sort().values, given.agents[3:][same].sort().values)
    places = [int(k) for k in range(3) if np.array_equal(case.pre[0], latents.volumes[k, PRE].astype(np.float32))]
    assert np.array_equal(case.masked[0], latents.volumes[places[0], ATTENUATED].astype(np.float32))


def test_a_validation_measures_what_a_configuration_may_choose_by(latents):
    assert (
        tuple(validation_figures(tiny_model().eval(), latents.first(1), tiny_config(), torch.device("cpu"))) == FIGURES
    )


def test_pairs_can_be_drawn_in_a_worker_that_was_not_forked(latents):
    model = tiny_model()
    draws = pair_draws(latents, AGENTS, model.action.tower, model.action.places, 0.5, seed=1)
    packed = pickle.dumps(draws)
    assert len(packed) < 50_000, "a worker opens the file of latents itself"
    again = pickle.loads(packed)[1]
    assert all(torch.equal(value, again[name]) for name, value in draws[1].items())
    assert np.array_equal(pickle.loads(pickle.dumps(latents.first(1))).volumes, latents.volumes[:1])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_both_losses_reach_denoiser_and_action_encoder_but_not_the_text_tower(latents, prediction):
    model = tiny_model(prediction=prediction)
    # Layers that begin at zero let no gradient through before their first step.
    for parameter in model.denoiser.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    loss = diffusion_loss(model, Objective(hide_action=0.0), Contrastive(weight=1.0))
    step = Step(0, 10, torch.Generator().manual_seed(0))
    figures = loss(batch_of(latents, model), step)
    assert {"loss", "denoising", "contrastive"} == set(figures)
    figures["contrastive"].backward()
    assert float(model.action.concept.weight.grad.abs().sum()) > 0
    assert float(model.denoiser.enter.weight.grad.abs().sum()) > 0
    assert all(p.grad is None for p in model.action.text.parameters())
    assert "contrastive" not in loss(batch_of(latents, model), Step(1, 10, torch.Generator().manual_seed(0)))


def _gated(edge=8):
    gate = torch.zeros(1, 1, edge, edge, edge)
    gate[..., 2:6] = 1
    rest = torch.zeros(1, 2, edge, edge, edge)
    return CaseConditions(rest, rest, gate, gate, torch.zeros(1, 2))


def test_the_coarse_error_sees_the_lesion_as_a_whole_and_not_its_voxels():
    case, once = _gated(), torch.ones(1, 1, 1, 1, 1)
    wanted = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    assert coarse_error(wanted, wanted, once, case) == 0
    # Off by one everywhere inside: the mean of every block is. What is outside does not count.
    assert coarse_error(wanted + case.gate, wanted, once, case) == pytest.approx(1.0, abs=1e-5)
    assert coarse_error(wanted + 5 * (1 - case.gate), wanted, once, case) == 0
    noise = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    assert weighted_error(wanted + noise, wanted, once, case, 0.0) == pytest.approx(1.0, abs=0.3)
    assert coarse_error(wanted + noise, wanted, once, case) < 0.25
    for error in (coarse_error, lambda *given: weighted_error(*given, 0.0)):
        assert torch.isclose(
            error(wanted + noise, wanted, 4 * once, case), 4 * error(wanted + noise, wanted, once, case)
        )


def test_a_shift_moves_the_times_towards_the_noise_and_keeps_them_in_range():
    plain, shifted = (draw_times(4000, "logit-normal", torch.Generator().manual_seed(0), s) for s in (1.0, 3.0))
    assert torch.allclose(shifted, 3 * plain / (1 + 2 * plain))
    assert shifted.mean() > plain.mean() + 0.15 and shifted.min() > 0 and shifted.max() <= 1


@pytest.mark.parametrize("wrong", [{"coarse": -1.0}, {"shift": 0.0}, {"times": "late"}])
def test_an_objective_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match="choose"):
        Objective(**wrong)


def test_in_a_toy_world_two_protocols_get_their_own_futures():
    """Under one protocol a lesion turns dark, under the other bright; the case looks the same before."""
    torch.manual_seed(0)
    told = [parse_protocol(t).protocol for t in ("Lobaplatin 30 mg; Lipiodol 10 ml", "DC Bead 75 mg")]
    model = tiny_model(action="full")
    actions = model.action.read(told)
    lesion = torch.zeros(1, 1, 8, 8, 8)
    lesion[..., 2:6, 2:6, 2:6] = 1
    one = CaseConditions(torch.zeros(1, 8, 8, 8, 8), torch.zeros(1, 8, 8, 8, 8), lesion, lesion, torch.zeros(1, 2))
    case = one.repeat(8)
    which = torch.arange(8) % 2
    true = (2.0 * which - 1).view(-1, 1, 1, 1, 1) * lesion
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=4e-3)
    for _ in range(150):
        clean = true.expand(-1, 8, -1, -1, -1) + 0.1 * torch.randn(8, 8, 8, 8, 8) * lesion
        t, noise = torch.rand(8), torch.randn(8, 8, 8, 8, 8)
        tokens = model.encode_action(type(actions)(*(part[which] for part in actions)))
        said = model(model.process.mix(clean, noise, t), t, case, tokens)
        error = ((said - model.process.target(clean, noise, t)) * lesion).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    with torch.no_grad():
        noise = torch.randn(1, 8, 8, 8, 8).expand(2, -1, -1, -1, -1)
        tokens = model.encode_action(actions)
        post = sample(model, one.repeat(2), tokens, noise, SamplerSettings(steps=4))
    inside = post[:, :, 2:6, 2:6, 2:6].mean(dim=(1, 2, 3, 4))
    assert float(inside[0]) < -0.5 < 0.5 < float(inside[1])


@pytest.fixture(scope="module")
def bundles(cohort, tmp_path_factory):
    """A trained pair: an autoencoder that only averages, and a dynamics model of three steps, from the command line."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    network = {"widths": [8, 16], "encoder_blocks": [1, 1], "decoder_blocks": [1, 1]}
    write_bundle(
        folder / "dynamics_autoencoder",
        state=Autoencoder(**network).state_dict(),
        metadata={"task": "autoencoder"},
        inference={"network_def": {"_target_": "mewm.dynamics.autoencoder.network.Autoencoder", **network}},
        train="",
        card="",
    )
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    where = ["--cohort", str(cohort.folder), "--work", str(folder / "work"), "--config", str(folder / "tiny.yaml")]
    command = ["train", "dynamics", *where, "--autoencoder", str(folder / "dynamics_autoencoder"), "--device", "cpu"]
    assert main([*command, "--out", str(folder / "dynamics_diffusion")]) == 0
    return folder, command


def test_a_training_ends_with_a_bundle_that_says_what_it_is(bundles, cohort):
    folder, _ = bundles
    metadata = json.loads((folder / "dynamics_diffusion" / METADATA).read_text(encoding="utf-8"))
    assert metadata["notice"] == NOTICE
    assert metadata["figures"]["denoiser_calls"] == 2
    assert metadata["training"]["cohort"]["train"] == 3
    inference = json.loads((folder / "dynamics_diffusion" / INFERENCE).read_text(encoding="utf-8"))
    assert inference["sampler"]["steps"] == 2
    assert NOTICE in (folder / "dynamics_diffusion" / CARD).read_text(encoding="utf-8")
    model = load_dynamics(folder / "dynamics_diffusion")
    assert load_dynamics(folder / "dynamics_diffusion") is model, "weights are loaded once"
    case = cohort.load(cohort.split("test")[0])
    post = model.simulate(case.roi, case.row.protocol, [1])[0]
    assert np.array_equal(post[case.roi.feather == 0], case.roi.ct[case.roi.feather == 0])


def test_a_finished_training_is_not_done_again_but_exported(bundles, capsys):
    folder, command = bundles
    weights = (folder / "dynamics_diffusion" / "models" / "model.safetensors").read_bytes()
    capsys.readouterr()
    assert main([*command, "--out", str(folder / "again")]) == 0
    assert "step" not in capsys.readouterr().out.split("best validation")[0]
    assert (folder / "again" / "models" / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"loop": {**TINY["loop"], "seed": 2}}, "(seed)"),
        ({"attenuation": {"share": 0.5}}, "(attenuation)"),
        ({"network": {**TINY["network"], "widths": [24, 24]}}, "(network)"),
    ],
)
def test_a_checkpoint_of_other_settings_is_not_exported(bundles, tmp_path, capsys, changed, named):
    _, command = bundles
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**TINY, **changed}), encoding="utf-8")
    export = ["--config", str(tmp_path / "other.yaml"), "--export-only", "--out", str(tmp_path / "out")]
    assert main([*command, *export]) == 2
    assert f"begun with other settings {named}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_autoencoder_is_not_exported(bundles, tmp_path, capsys):
    _, command = bundles
    network = {"widths": [8, 16], "encoder_blocks": [1, 1], "decoder_blocks": [1, 1]}
    definition = {"_target_": "mewm.dynamics.autoencoder.network.Autoencoder", **network}
    state = {name: value + 0.01 for name, value in Autoencoder(**network).state_dict().items()}
    other = tmp_path / "other"
    write_bundle(
        other, state=state, metadata={"task": "autoencoder"}, inference={"network_def": definition}, train="", card=""
    )
    assert main([*command, "--autoencoder", str(other), "--export-only", "--out", str(tmp_path / "out")]) == 2
    assert "other settings (autoencoder)" in capsys.readouterr().err


def test_what_was_learnt_of_other_agents_is_not_gone_on_with(bundles, cohort, tmp_path, monkeypatch):
    """As many agents in another order fit the same weights, and mean other drugs."""
    folder, _ = bundles
    work = Path(shutil.copytree(folder / "work", tmp_path / "work"))
    codec = folder / "dynamics_autoencoder"
    agents = load_action_base().agents
    turned = SimpleNamespace(agents=dict(reversed(agents.items())))
    monkeypatch.setattr("mewm.training.dynamics.fit.load_action_base", lambda: turned)
    config = from_mapping(TINY, DynamicsConfig, "tiny")
    tower, head = (load_checkpoint(work / f"{name}.pt")["made_with"] for name in ("text_tower", "outcome_head"))
    with pytest.raises(InputError, match=r"other settings \(agents\)"):
        train_dynamics(cohort.folder, work, config, lambda where: load_autoencoder(codec, where), device="cpu")
    again = [load_checkpoint(work / f"{name}.pt")["made_with"] for name in ("text_tower", "outcome_head")]
    assert again[0] == {**tower, "agents": list(turned.agents)} != tower
    assert again[1] == {**head, "agents": list(turned.agents)} != head
    assert head["autoencoder"] == load_autoencoder(codec, "cpu").sha256


def test_another_autoencoder_is_refused(bundles, tmp_path):
    folder, _ = bundles
    state = {name: value + 0.01 for name, value in Autoencoder(widths=(8, 16)).state_dict().items()}
    definition = {"_target_": "mewm.dynamics.autoencoder.network.Autoencoder", "widths": [8, 16]}
    other = tmp_path / "other"
    write_bundle(
        other, state=state, metadata={"task": "autoencoder"}, inference={"network_def": definition}, train="", card=""
    )
    with pytest.raises(ResourceError, match="another autoencoder"):
        load_dynamics(folder / "dynamics_diffusion", autoencoder=other)


def test_the_command_line_and_the_evaluation_take_a_bundle(bundles, cohort, tmp_path, capsys):
    folder, _ = bundles
    bundle = str(folder / "dynamics_diffusion")
    case = cohort.folder / "cases" / cohort.split("test")[0].case_id
    command = ["simulate", "--ct", str(case / "pre_ct.nrrd"), "--lesion", str(case / "lesion.nrrd"), "--replicas", "2"]
    command += ["--protocol", "Lobaplatin 30 mg; Lipiodol 10 ml", "--dynamics", bundle, "--out", str(tmp_path / "run")]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"]["dynamics"] == "action-conditioned diffusion"
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model_hashes"]["dynamics"] == load_dynamics(folder / "dynamics_diffusion").sha256
    registry = known_models({"action-conditioned diffusion": bundle})
    registry.require(EvaluationConfig(dynamics=("mechanistic", "action-conditioned diffusion")))
    assert registry.dynamics["action-conditioned diffusion"]() is load_dynamics(folder / "dynamics_diffusion")
    assert main(["simulate", *command[1:7], "--protocol", "Lipiodol 10 ml", "--dynamics", "wizard"]) == 2
    assert "'wizard' is unknown" in capsys.readouterr().err
