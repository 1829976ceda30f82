"""The learned survival model: its parts, a toy world it has to learn, and the way from cohort to bundle to search."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("torchvision", reason="the 'learned' extra is not installed")
pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")
yaml = pytest.importorskip("yaml", reason="the 'learned' extra is not installed")

from mewm import api  # noqa: E402
from mewm.actions.text import parse_protocol  # noqa: E402
from mewm.bundle import INFERENCE, METADATA, write_bundle  # noqa: E402
from mewm.cli import main  # noqa: E402
from mewm.clinical import ClinicalFacts  # noqa: E402
from mewm.cohort.dataset import read_cohort, write_table  # noqa: E402
from mewm.cohort.simulate import simulate_cohort  # noqa: E402
from mewm.errors import InputError, ResourceError  # noqa: E402
from mewm.resources import resource_path  # noqa: E402
from mewm.roles import Tissue  # noqa: E402
from mewm.survival import explanation  # noqa: E402
from mewm.survival.attention.encoder import Mc3Encoder  # noqa: E402
from mewm.survival.attention.network import SurvivalNetwork  # noqa: E402
from mewm.survival.attention.numbers import NAMES, case_numbers, groups  # noqa: E402
from mewm.survival.attention.regions import (  # noqa: E402
    RegionSettings,
    case_region,
    future_region,
    network_input,
)
from mewm.survival.choose import choose_survival, survival_names  # noqa: E402
from mewm.survival.familiarity import Familiarity  # noqa: E402
from mewm.training.calibration import calibrate  # noqa: E402
from mewm.training.config import from_mapping, read_config  # noqa: E402
from mewm.training.learner import Step  # noqa: E402
from mewm.training.survival.artefacts import discriminant, told_apart  # noqa: E402
from mewm.training.survival.config import Augmentation, Futures, Objective, SurvivalConfig  # noqa: E402
from mewm.training.survival.examples import future_draws, plain_example  # noqa: E402
from mewm.training.survival.fit import (  # noqa: E402
    begin_with_cox,
    make_network,
    parts,
    standardise,
    train_survival,
)
from mewm.training.survival.futures import NUMBERS, READ, SIMULATED, FutureRegions, open_futures  # noqa: E402
from mewm.training.survival.loss import longevity_error, partial_likelihood, survival_loss  # noqa: E402
from mewm.training.survival.validation import concordance, predicted  # noqa: E402

TWO = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
SMALL = RegionSettings(shape=(6, 16, 16))
TINY = {
    "network": {"width": 4, "dim": 16, "heads": 2, "blocks": 1, "tokens": [2, 1, 1], "dropout": 0.0, "wide": True},
    "region": {"shape": [6, 16, 16]},
    "futures": {"simulated": 1, "simulated_share": 0.25, "held_out": 0.5},
    "loop": {
        "steps": 8,
        "batch": 4,
        "log_every": 2,
        "validate_every": 4,
        "save_every": 2,
        "best": "likelihood",
    },
    "optimisation": {"learning_rate": 0.01, "warmup": 1, "average": 0.5},
}


class Still:
    """Dynamics that change nothing but the brightness."""

    name = "still"

    def __init__(self):
        self.calls = 0

    def simulate(self, roi, protocol, seeds):
        self.calls += 1
        return np.stack([roi.ct + 1 + seed % 3 for seed in seeds]).astype(np.float32)


class Halves:
    """Assistant that finds the lower half of the lesion viable and the rest dead."""

    name = "halves"

    def segment(self, roi, ct):
        labels = np.where(roi.lesion, np.uint8(Tissue.NECROSIS), np.uint8(0))
        labels[:48][roi.lesion[:48]] = Tissue.VIABLE
        return labels


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Thirty patients who share the images of one simulated case; the more AFP, the sooner they die."""
    out = simulate_cohort(tmp_path_factory.mktemp("survival") / "cohort", cases=1, seed=5, workers=1)
    (like,) = read_cohort(out).rows
    rows, chance = [], np.random.default_rng(0)
    for k in range(30):
        name = f"case_{k:05d}"
        if k:
            (out / "cases" / name).symlink_to(out / "cases" / like.case_id)
        rows.append(
            {
                **like.values,
                "case_id": name,
                "split": "test" if k >= 28 else "val" if k % 4 == 0 else "train",
                "afp_ng_ml": float(10 ** (k % 5)),
                "os_weeks": 200.0 - 30 * (k % 5) + chance.normal(0, 30),
                "event": int(k % 9 != 0),
            }
        )
    write_table(out / "cases.csv", rows[0], rows)
    return read_cohort(out)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, phantom_case):
    """A network whose risk rises with the viable volume and the treatment's load, calibrated on a made-up series."""
    torch.manual_seed(0)
    network = SurvivalNetwork(groups(list(NAMES)), **TINY["network"])
    torch.nn.init.normal_(network.head[-1].weight, std=0.02)
    with torch.no_grad():
        for name, weight in (("log_viable_ml", 0.4), ("viable_share", 0.8), ("treatment_burden", 0.3)):
            network.wide.weight[0, network.names.index(name)] = weight
    chance = np.random.default_rng(1)
    raw = chance.normal(1, 0.5, 150)
    calibration = calibrate(raw, 90 * np.exp(-raw) * chance.exponential(size=150), chance.random(150) < 0.8)
    described = [{"lesion_ml": chance.uniform(2, 900), "lesion_hu": chance.normal(80, 20), "liver_hu": 95.0 + k % 30}
                 | {"age": 40.0 + k} for k in range(50)]  # fmt: skip
    inference = {
        "network_def": {"_target_": "-", "groups": groups(list(NAMES)), **TINY["network"]},
        "region": {"shape": list(SMALL.shape), "margin_mm": SMALL.margin_mm},
        "calibration": calibration.to_dict(),
        "familiarity": Familiarity.of(described).to_dict(),
        "impairment": 0.5,
    }
    folder = tmp_path_factory.mktemp("bundle")
    metadata = {"name": "attention", "training": {}, "task": "survival model"}
    write_bundle(folder, state=network.state_dict(), metadata=metadata, inference=inference, train="", card="")
    return folder


@pytest.fixture(scope="module")
def case(cohort):
    return cohort.load(cohort.rows[0])


def test_the_shipped_configurations_are_read_and_the_small_one_stays_small():
    folder = resource_path("Models/survival_attention/configs")
    small, full = (read_config(folder / name, SurvivalConfig) for name in ("train.yaml", "train_full.yaml"))
    weights = sum(p.numel() for p in SurvivalNetwork(groups(small.numbers), **small.network).parameters())
    assert weights * 2 < 8e6, "half precision of the small model has to stay under 8 MB"
    assert full.network["width"] == 64 and "facts" in full.numbers
    assert small.loop.best == full.loop.best == "likelihood"


def test_the_encoder_takes_the_weights_of_torchvision_from_a_file(tmp_path):
    from torchvision.models.video import mc3_18

    torch.manual_seed(0)
    theirs = mc3_18(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "mc3_18.pth")
    mine = Mc3Encoder(6).eval()
    mine.begin_with(tmp_path / "mc3_18.pth")
    grey = torch.rand(1, 1, 4, 32, 32)
    with torch.no_grad():
        features = theirs.layer4(
            theirs.layer3(theirs.layer2(theirs.layer1(theirs.stem(grey.expand(-1, 3, -1, -1, -1)))))
        )
        assert torch.allclose(mine(grey.expand(-1, 6, -1, -1, -1)), features, atol=1e-3)
    with pytest.raises(InputError, match="set its width to 64"):
        Mc3Encoder(6, width=8).begin_with(tmp_path / "mc3_18.pth")


def test_a_region_keeps_the_volume_of_lesion_and_labels(case):
    region = case_region(case.roi, SMALL)
    edge = {part.stop - part.start for part in region.box}
    assert len(edge) == 1 and region.ct.shape == (6, 16, 16)
    cube = edge.pop() ** 3
    assert region.lesion.mean() / 255 * cube == pytest.approx(case.roi.lesion.sum(), rel=0.15)
    ct, labels = future_region(region, case.post_ct, case.tissue, SMALL)
    assert ct.shape == (6, 16, 16) and labels.shape == (3, 6, 16, 16)
    seen = network_input([region.ct, ct], region.lesion, labels)
    assert seen.shape == (2, 6, 6, 16, 16)
    assert float(seen[0, 3:].abs().sum()) == 0, "before treatment nothing is labelled"
    assert torch.equal(seen[0, 2], seen[1, 2]), "the drawn lesion stands in both"


def test_numbers_count_labels_in_ml_and_leave_unstated_facts_open(case):
    tissue = Halves().segment(case.roi, case.post_ct)
    found = case_numbers(replace(case.roi, facts=ClinicalFacts()), tissue, TWO, unstated_impairment=0.5)
    lesion_ml = case.roi.lesion.sum() * case.roi.spacing**3 / 1000
    both = np.expm1(found["log_viable_ml"]) + np.expm1(found["log_necrosis_ml"])
    assert both == pytest.approx(lesion_ml, rel=1e-6)
    assert found["log_afp"] is None and found["treatment_burden"] == pytest.approx(found["treatment_load"])
    assert set(found) == {name for names in NAMES.values() for name in names}


def test_the_partial_likelihood_is_cox_and_censored_times_are_lower_bounds():
    risk, weeks = torch.tensor([1.0, 0.0, -1.0]), torch.tensor([1.0, 2.0, 3.0])
    died = torch.tensor([True, True, False])
    e = np.exp([1.0, 0.0, -1.0])
    by_hand = -(np.log(e[0] / e.sum()) + np.log(e[1] / e[1:].sum())) / 2
    assert float(partial_likelihood(risk, weeks, died)) == pytest.approx(by_hand, rel=1e-5)
    assert float(partial_likelihood(risk, weeks, torch.zeros(3, dtype=torch.bool))) == 0
    observed = torch.zeros(2)
    late = longevity_error(torch.tensor([2.0, 2.0]), observed, torch.tensor([False, False]))
    early = longevity_error(torch.tensor([-2.0, -2.0]), observed, torch.tensor([False, False]))
    assert float(late) == 0 < float(early)
    assert float(longevity_error(torch.tensor([2.0]), observed[:1], torch.tensor([True]))) > 0


def toy_world(count, rng):
    """Regions whose viable label fills a share that decides when the patient dies; the numbers say nothing."""
    share = rng.random(count)
    labels = np.zeros((count, 2, 3, 6, 16, 16), np.uint8)
    for k in range(count):
        labels[k, :, 0, :, : round(16 * share[k])] = 255
    ct = rng.normal(80, 10, (count, 2, 6, 16, 16)).astype(np.int16)
    numbers = np.zeros((count, 2, len(NUMBERS)), np.float32)
    weeks = 100 * np.exp(-2 * share) * rng.exponential(size=count) ** 0.3

    class Row:
        def __init__(self, name, weeks):
            self.case_id, self.os_weeks, self.event, self.split = name, weeks, True, "train"

    rows = [Row(f"c{k}", float(w)) for k, w in enumerate(weeks)]
    lesion = np.full((count, 6, 16, 16), 255, np.uint8)
    return FutureRegions(rows, ct, lesion, labels, numbers, np.ones((count, 3), np.float32))


def test_it_learns_from_the_labels_of_a_toy_world_what_the_numbers_do_not_say():
    from lifelines.utils import concordance_index

    regions = toy_world(96, np.random.default_rng(0))
    torch.manual_seed(0)
    network = SurvivalNetwork(groups(["facts"]), width=4, dim=16, heads=2, blocks=1, tokens=(2, 1, 1), dropout=0.0)
    draws = future_draws(
        regions,
        list(range(64)),
        network.names,
        Futures(simulated=0, simulated_share=0.0),
        Augmentation(),
        seed=1,
    )
    loss, optimizer = survival_loss(network, Objective(), 50.0), torch.optim.AdamW(network.parameters(), lr=5e-3)
    for step in range(40):
        examples = [draws[16 * step + k] for k in range(16)]
        batch = {name: torch.stack([example[name] for example in examples]) for name in examples[0]}
        optimizer.zero_grad()
        loss(batch, Step(step, 40, torch.Generator()))["loss"].backward()
        optimizer.step()
    held = list(range(64, 96))
    risk, longevity, _ = predicted(network.eval(), regions, held, READ, torch.device("cpu"))
    weeks = [regions.rows[k].os_weeks for k in held]
    assert concordance_index(weeks, -risk) > 0.75
    assert concordance_index(weeks, longevity) > 0.7


def test_regions_are_made_once_also_after_an_interruption(cohort, tmp_path):
    dynamics, rows = Still(), cohort.split("val")[:3]
    arguments = (cohort, rows, SMALL, 2, dynamics, Halves(), tmp_path)

    def stop_after_the_first(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_futures(*arguments, report=stop_after_the_first)
    open_futures(*arguments)
    found = open_futures(*arguments)
    assert dynamics.calls == 3
    assert found.ct.shape == (3, 4, 6, 16, 16) and list(found.simulated) == [2, 3]
    before, after = found.ct_of(0, READ)
    assert not np.array_equal(before, after)
    assert np.array_equal(found.ct_of(0, 0)[1], after), "both labellings belong to the true CT"
    case = cohort.load(rows[0])
    region = case_region(case.roi, SMALL)
    assert np.array_equal(found.ct_of(0, 1)[1], future_region(region, case.post_ct, case.tissue, SMALL)[0])


def test_facts_are_hidden_now_and_then_and_simulated_futures_come_in_their_share(cohort, tmp_path):
    regions = open_futures(cohort, cohort.split("val"), SMALL, 1, Still(), Halves(), tmp_path)
    regions.numbers[:, SIMULATED, NUMBERS.index("log_lesion_ml")] = -1.0
    network = SurvivalNetwork(groups(["facts", "volumes"]), width=4, dim=16, heads=2, blocks=1, tokens=(2, 1, 1))
    draws = future_draws(
        regions,
        list(range(len(regions.rows))),
        network.names,
        Futures(simulated=1, simulated_share=0.5),
        Augmentation(hide_all_facts=0.3),
        seed=3,
    )
    examples = [draws[k] for k in range(60)]
    simulated = np.mean([float(e["numbers"][network.names.index("log_lesion_ml")]) < 0 for e in examples])
    unstated = np.mean([bool(torch.isnan(e["numbers"][network.names.index("log_afp")])) for e in examples])
    assert 0.3 < simulated < 0.7 and 0.15 < unstated < 0.55
    assert torch.equal(draws[7]["regions"], draws[7]["regions"])
    # Where worker processes are not forked they get their examples so.
    packed = pickle.dumps(draws)
    assert len(packed) < regions.ct.nbytes / 2
    assert torch.equal(pickle.loads(packed)[7]["regions"], draws[7]["regions"])
    seen, numbers = plain_example(regions, 0, READ, network.names)
    network.eval()
    with torch.no_grad():
        risk, _ = network(seen[None], torch.full_like(numbers, float("nan"))[None])
    assert torch.isfinite(risk).all(), "nothing stated is no obstacle"


def test_training_goes_on_where_it_was_stopped_and_never_reads_the_test_split(cohort, tmp_path):
    config = from_mapping(TINY, SurvivalConfig, "tiny")
    whole = train_survival(cohort.folder, tmp_path / "whole", config, Still(), Halves(), device="cpu")
    half = replace(config, loop=replace(config.loop, steps=4))
    train_survival(cohort.folder, tmp_path / "parts", half, Still(), Halves(), device="cpu")
    told = []
    tested = cohort.folder / "cases" / "case_00029"
    hidden = tested.rename(tested.with_name("hidden"))
    try:
        continued = train_survival(
            cohort.folder, tmp_path / "parts", config, Still(), Halves(), device="cpu", tell=told.append
        )
    finally:
        hidden.rename(tested)
    assert told[0].step > 4
    regions = open_futures(cohort, cohort.split("train", "val"), config.region, 1, Still(), Halves(), tmp_path)
    learning, held = parts(regions, config)
    assert not set(learning) & set(held) and len(learning) + len(held) == 28
    assert {k for k, row in enumerate(regions.rows) if row.split == "val"} < set(held)
    # A risk that knows nothing costs the logarithm of those at risk, at most this much a death.
    assert 0 < continued < np.log(len(held)) and 0 < whole < np.log(len(held))
    with pytest.raises(InputError, match="other settings"):
        other = replace(config, objective=Objective(longevity=0.5))
        train_survival(cohort.folder, tmp_path / "parts", other, Still(), Halves(), device="cpu")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"network": {"dim": 16, "heads": 3}}, "cannot be built"),
        ({"pretrained": "nowhere.pt"}, "nowhere.pt cannot be read"),
        ({"loop": {"best": "loss"}}, "no figure 'loss' to choose by; choose one of likelihood"),
    ],
)
def test_what_cannot_be_trained_is_told_before_a_future_is_simulated(cohort, tmp_path, changed, told):
    with pytest.raises(InputError, match=told):
        config = from_mapping({**TINY, **changed}, SurvivalConfig, "tiny")
        train_survival(cohort.folder, tmp_path, config, Still(), Halves(), device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_the_linear_path_begins_as_a_cox_regression(cohort, tmp_path):
    config = from_mapping(TINY, SurvivalConfig, "tiny")
    regions = open_futures(cohort, cohort.split("train", "val"), config.region, 1, Still(), Halves(), tmp_path)
    network, cases = make_network(config), list(range(len(regions.rows)))
    standardise(network, regions, cases)
    begin_with_cox(network, regions, cases)
    raw, _, _ = predicted(network.eval(), regions, cases, READ, torch.device("cpu"))
    assert concordance(regions, cases, raw) > 0.6
    assert not network.wide.weight[1].any(), "the survival in weeks is learnt"
    begin_with_cox(make_network(replace(config, network={**config.network, "wide": False})), regions, cases)


def test_the_command_trains_and_writes_a_bundle_that_says_what_it_rests_on(cohort, tmp_path, capsys):
    config = tmp_path / "tiny.yaml"
    plain = {**TINY["futures"], "simulated": 0, "simulated_share": 0.0}
    config.write_text(yaml.safe_dump({**TINY, "futures": plain}))
    command = ["train", "survival", "--cohort", str(cohort.folder), "--work", str(tmp_path / "work")]
    command += ["--config", str(config), "--device", "cpu", "--out", str(tmp_path / "bundle")]
    assert main(command) == 0
    assert "best validation figure" in capsys.readouterr().out
    told = json.loads((tmp_path / "bundle" / METADATA).read_text())
    assert told["figures"]["held_out_cases"] > 9 and told["training"]["simulated_share"] == 0
    card = (tmp_path / "bundle" / "docs" / "README.md").read_text().replace("\n", " ")
    assert "test split was not read" in card
    case = cohort.load(cohort.rows[0])
    model = choose_survival(str(tmp_path / "bundle"))
    assert np.isfinite(model.score(case.roi, case.post_ct, case.tissue, case.row.protocol).risk)
    assert model.unfamiliar(case.roi) == ()
    config.write_text(yaml.safe_dump({**TINY, "futures": plain, "loop": {**TINY["loop"], "seed": 2}}))
    assert main([*command[:-1], str(tmp_path / "other"), "--export-only"]) == 2
    assert "(seed)" in capsys.readouterr().err, "another seed would calibrate on patients that were learned from"
    assert not (tmp_path / "other").exists()


def test_a_bundle_scores_explains_and_says_how_sure_it_is(bundle, case):
    model = choose_survival(str(bundle))
    tissue = Halves().segment(case.roi, case.post_ct)
    score = model.score(case.roi, case.post_ct, tissue, TWO)
    assert np.isfinite(score.risk) and 0 <= score.survival_2y <= score.survival_1y <= 1
    assert model.score(case.roi, case.post_ct, tissue, TWO).risk == pytest.approx(score.risk, abs=1e-6)
    curve, (low, high) = model.survival_curve(0.1), model.survival_band([0.0, 0.2])
    assert (np.diff(curve) <= 0).all() and (low <= high).all() and low[20] < curve[20] < high[20]
    wider = model.survival_band([-0.4, 0.6])
    assert wider[0][20] < low[20] and high[20] < wider[1][20]
    why = model.explain(case.roi, case.post_ct, tissue, TWO)
    assert set(why.parts) == set(explanation.PARTS) and "occlusion" in why.method
    assert why.parts[explanation.VIABLE] > 0.2, "what is viable raises the risk"
    none_there = model.explain(case.roi, case.post_ct, np.zeros_like(tissue), TWO)
    assert none_there.parts[explanation.LIPIODOL] == 0 == none_there.parts[explanation.VIABLE]


def test_a_case_unlike_the_training_cases_is_told(bundle, case):
    model = choose_survival(str(bundle))
    usual = replace(case.roi, facts=replace(case.roi.facts, age=60.0))
    assert model.unfamiliar(usual) == ()
    old = replace(case.roi, facts=replace(case.roi.facts, age=119.0))
    assert "an age of 119" in model.unfamiliar(old)[0]
    bright = replace(case.roi, ct=case.roi.ct + 400)
    assert any("HU" in sentence for sentence in model.unfamiliar(bright))


def test_a_changed_or_missing_bundle_is_refused(bundle, tmp_path):
    import shutil

    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    changed = json.loads((copy / INFERENCE).read_text())
    changed["calibration"]["slope"] = 9.0
    (copy / INFERENCE).write_text(json.dumps(changed))
    with pytest.raises(ResourceError, match="was changed"):
        choose_survival(str(copy))
    with pytest.raises(InputError, match="choose one of cox"):
        choose_survival("cocks")
    assert survival_names()[0] == "cox"


def test_the_fast_search_and_a_run_take_the_learned_model(bundle, phantom_case, tmp_path):
    models = api.Models(survival=choose_survival(str(bundle)))
    settings = api.Settings(beams=2, drugs=2, embolics=2, replicas=2, drug_horizon=1, embolic_horizon=1)
    found = api.explore(phantom_case, models=models, settings=settings)
    plain = api.explore(phantom_case, models=models, settings=settings, search="algorithm1")
    assert found.search.winner.protocol.key == plain.search.winner.protocol.key
    folder = api.write_run(found, tmp_path / "run")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["models"]["survival"] == "attention"
    assert manifest["model_hashes"]["survival"] == models.survival.sha256
    big = replace(phantom_case, facts=ClinicalFacts(age=30.0))
    told = api.simulate(big, "Lobaplatin 30 mg; Lipiodol 10 ml", replicas=1, models=models).warnings
    assert any("never seen an age of 30" in warning for warning in told)
    # The series' median patient is not this one, of whom nothing is stated.
    assert manifest["outlook"] is None and replace(found, case=big).outlook["not_stated"]
    row = json.loads((folder / "ranking.json").read_text())["rows"][0]
    assert row["survival_1y_interval"][0] < row["survival_1y"] < row["survival_1y_interval"][1]
    assert set(row["explanation"]["parts"]) == set(explanation.PARTS) and "occlusion" in row["risk_parts"]


def test_simulated_and_true_features_are_told_apart_only_where_they_differ():
    rng = np.random.default_rng(0)
    one, same, other = rng.normal(size=(3, 200, 8))
    other = other + 0.8
    apart = told_apart(one @ discriminant(one, other), other @ discriminant(one, other))
    fresh = rng.normal(size=(2, 200, 8)) @ discriminant(one, same)
    alike = told_apart(fresh[0], fresh[1])
    assert apart.value > 0.9 and alike.low < 0.5 < alike.high
