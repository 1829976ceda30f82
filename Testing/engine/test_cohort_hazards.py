"""The expected hazards of all protocols agree with futures simulated one by one, and the stored ones with both."""

from dataclasses import replace

import numpy as np
import pytest

from mewm.actions.formulary import Formulary
from mewm.actions.rules import check
from mewm.actions.text import parse_protocol
from mewm.clinical import ClinicalFacts
from mewm.cohort.hazards import admissible, best_of, expected_log_hazards, read_hazards, write_hazards
from mewm.cohort.outcome import draw_new_lesion, log_hazard
from mewm.cohort.parameters import CohortParameters
from mewm.cohort.simulate import simulate_patient
from mewm.cohort.truth import true_future
from mewm.errors import InputError
from mewm.explore.settings import ExploreSettings

WORLD = CohortParameters()
SEED = 31
TEXTS = (
    "Lobaplatin 30 mg; Lipiodol 10 ml",
    "Lobaplatin 30 mg; Epirubicin 50 mg; Lipiodol 10 ml; Gelatin Sponge 150-350 µm",
    "Raltitrexed 4 mg; Lipiodol 5 ml; Absolute Alcohol 5 ml",
    "Doxorubicin-eluting Beads 75 mg",
)


@pytest.fixture(scope="module")
def patients():
    """A lesion that is looked at whole and one of which a sample is."""
    found = {}
    for index in range(40):
        patient = simulate_patient(SEED, index)
        voxels = int(patient.roi.lesion.sum())
        found.setdefault("small" if voxels < 12_000 else "large" if voxels > 40_000 else "middle", patient)
        if {"small", "large"} <= set(found):
            return found
    raise AssertionError("no small and large lesion among 40 patients")


def one_by_one(patient, protocol, draws):
    lesion_ml = float(patient.roi.lesion.sum()) * patient.roi.spacing**3 / 1000
    futures = [true_future(patient.roi, protocol, patient.sensitivities, seed) for seed in range(draws)]
    return np.mean([log_hazard(f.surviving_ml, lesion_ml, protocol, patient.facts, WORLD.outcome) for f in futures])


@pytest.mark.parametrize(("size", "tolerance"), [("small", 1e-6), ("large", 0.03)])
def test_expected_hazards_are_the_mean_of_simulated_futures(patients, size, tolerance):
    patient = patients[size]
    protocols = [parse_protocol(text).protocol for text in TEXTS]
    assert all(protocol.actions for protocol in protocols)
    hazards = expected_log_hazards(patient.roi, protocols, patient.sensitivities, patient.facts, WORLD.outcome, draws=2)
    for protocol in protocols:
        assert hazards[protocol.key] == pytest.approx(one_by_one(patient, protocol, 2), abs=tolerance)


def test_every_admissible_protocol_obeys_the_rules_and_the_best_has_the_lowest_hazard(patients, tmp_path):
    patient = patients["small"]
    protocols = admissible(patient.roi, ExploreSettings())
    assert len(protocols) > 20 and len({p.key for p in protocols}) == len(protocols)
    for protocol in protocols[::17]:
        findings = check(protocol, patient.roi.facts, Formulary.everything())
        assert not [f for f in findings if f.severity == "excluded"]
    hazards = expected_log_hazards(patient.roi, protocols, patient.sensitivities, patient.facts, WORLD.outcome)
    assert hazards[best_of(hazards, protocols).key] == min(hazards.values())
    assert np.std(list(hazards.values())) > 0.02
    write_hazards(hazards, protocols, tmp_path / "hazards.csv")
    again = read_hazards(tmp_path / "hazards.csv")
    assert {p.key: h for p, h in again.items()} == pytest.approx(hazards, abs=1e-5)
    assert next(iter(again)).key == best_of(hazards, protocols).key
    (tmp_path / "hazards.csv").write_text("protocol,log_hazard\nLobaplatin 30 mg,much\n", encoding="utf-8")
    with pytest.raises(InputError, match="hazards"):
        read_hazards(tmp_path / "hazards.csv")


def test_rests_too_small_to_show_still_cost(patients):
    patient = patients["small"]
    weak = parse_protocol("Hydroxycamptothecin 5 mg; Lipiodol 2 ml").protocol
    future = true_future(patient.roi, weak, patient.sensitivities, 0)
    shown = float((future.tissue == 2).sum()) * patient.roi.spacing**3 / 1000
    assert future.surviving_ml >= 0.9 * shown
    assert future.surviving_ml > 0


def test_new_lesions_are_rare_and_follow_afp():
    rng = np.random.default_rng(0)
    low, high = ClinicalFacts(afp_ng_ml=5, tumour_number=1), ClinicalFacts(afp_ng_ml=20000, tumour_number=4)
    share = {
        name: np.mean([draw_new_lesion(rng, facts, WORLD.outcome) for _ in range(4000)])
        for name, facts in (("low", low), ("high", high))
    }
    assert 0 < share["low"] < 0.05 < share["high"] < 0.25
    never = replace(WORLD.outcome, new_lesion_odds=0.0)
    assert not any(draw_new_lesion(rng, high, never) for _ in range(100))


def test_patients_share_a_walk_of_the_rules_only_where_it_is_the_same():
    from mewm.cohort.hazards import _WALKS, _walk

    settings = ExploreSettings()
    everything = Formulary.everything()
    patients = [simulate_patient(SEED, 0).roi]
    patients += [
        replace(patients[0], facts=replace(patients[0].facts, **facts))
        for facts in (
            {"child_pugh": "B9", "bilirubin_mg_dl": 3.5},
            {"creatinine_mg_dl": 2.5},
            {"arteriovenous_shunt": "severe"},
            {"allergies": ("platinum",)},
            {"age": 41},
        )
    ]
    counts = []
    for roi in patients:
        found = admissible(roi, settings)
        assert found == _walk(roi.facts, settings, everything)
        counts.append(len(found))
    assert len(set(counts)) > 1
    kept = len(_WALKS)
    admissible(patients[-1], settings)
    assert len(_WALKS) == kept
