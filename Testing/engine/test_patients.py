"""A patient with several cases: never learned from and asked about at once."""

import numpy as np
import pandas as pd
import pytest

from mewm.clinical import ClinicalFacts
from mewm.cohort.dataset import CohortRow

pytest.importorskip("lifelines", reason="lifelines is not installed; `make setup` installs it")


def row_of(case_id, patient=None, split="train", weeks=50.0, event=True):
    values = {} if patient is None else {"patient_id": patient}
    return CohortRow(case_id, split, None, ClinicalFacts(), None, None, weeks, event, values)


def test_a_case_without_a_patients_name_is_a_patient_of_its_own():
    assert [row_of("c1").patient, row_of("c1", "").patient, row_of("c1", "p1").patient] == ["c1", "c1", "p1"]


def test_the_held_out_patients_of_the_survival_training_were_not_learned_from():
    pytest.importorskip("torch", reason="the 'learned' extra is not installed")
    pytest.importorskip("torchvision", reason="the 'learned' extra is not installed")
    pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")
    from mewm.training.survival.config import Futures, SurvivalConfig
    from mewm.training.survival.fit import parts
    from mewm.training.survival.futures import FutureRegions

    config = SurvivalConfig(futures=Futures(held_out=0.5))
    rows = [row_of(f"c{k}", f"p{k // 3}") for k in range(60)]
    learning, held = parts(FutureRegions(rows, *[np.zeros(0)] * 5), config)
    assert learning and held
    assert not {rows[k].patient for k in learning} & {rows[k].patient for k in held}
    alone = [row_of(f"p{k}") for k in range(20)]
    assert parts(FutureRegions(alone, *[np.zeros(0)] * 5), config)[1] == [k // 3 for k in held[::3]]


def test_cross_validation_folds_by_patient(monkeypatch):
    from mewm.training import cox

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=60), "os_weeks": rng.exponential(50, 60), "event": 1.0})
    fitted, fit = [], cox.ridge_cox
    monkeypatch.setattr(
        cox, "ridge_cox", lambda frame, penalizer: fitted.append(set(frame.index)) or fit(frame, penalizer)
    )
    patients = np.array([f"p{k // 3}" for k in range(60)])
    cox._cross_validated(table, patients.tolist(), ["x"], 0.02, 1)
    assert len(fitted) == 5
    for seen in fitted:
        left = set(range(60)) - seen
        assert left and not set(patients[list(seen)]) & set(patients[list(left)])


def test_a_patient_with_several_cases_dies_once(tmp_path, monkeypatch):
    from mewm.cohort.dataset import Cohort
    from mewm.errors import InputError
    from mewm.training import cox

    rows = tuple(row_of(f"c{k}", f"p{k // 3}") for k in range(27))
    monkeypatch.setattr(cox, "read_cohort", lambda folder: Cohort(folder, {}, rows))
    with pytest.raises(InputError, match="has 9 deaths, fewer than 10"):
        cox.fit_cox(tmp_path, tmp_path / "out")
