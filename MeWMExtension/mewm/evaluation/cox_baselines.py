"""Cox baselines to beat: radiomics and clinical facts, with missing values filled inside the training data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index

from mewm.errors import InputError
from mewm.evaluation.intervals import Estimate, bootstrap
from mewm.evaluation.survival_calibration import SurvivalCurves

PENALIZER = 0.1
"""Ridge penalty on standardised covariates: the samples are small against the number of covariates."""
FEWEST_DEATHS = 10
_SAME = 1e-9
Features = Sequence[Mapping[str, float | None]]


@dataclass(frozen=True, eq=False)
class CoxBaseline:
    """A fitted Cox model over named covariates.

    Attributes:
        names: covariates used.
        medians: training medians, taken where a value is missing.
        fitter: lifelines' fitted model.
    """

    names: tuple[str, ...]
    medians: pd.Series
    fitter: CoxPHFitter

    def log_hazard(self, features: Features) -> np.ndarray:
        """Return the log partial hazard of each case ``(n,)``, 0 at the training means."""
        return self.fitter.predict_log_partial_hazard(self._filled(features)).to_numpy()

    def curves(self, features: Features, last: float = 260.0) -> SurvivalCurves:
        """Return the predicted survival of each case at 0, 1, … weeks; flat beyond the training follow-up."""
        weeks, baseline = np.arange(0.0, last + 1.0), self.fitter.baseline_survival_.iloc[:, 0]
        steps = np.concatenate([[1.0], baseline.to_numpy()])
        weekly = steps[np.searchsorted(baseline.index.to_numpy(), weeks, side="right")]
        return SurvivalCurves(weeks, weekly ** np.exp(self.log_hazard(features))[:, None])

    def _filled(self, features: Features) -> pd.DataFrame:
        return pd.DataFrame(list(features), dtype=float)[list(self.names)].fillna(self.medians)


def fit_baseline(features: Features, weeks: np.ndarray, died: np.ndarray, penalizer: float = PENALIZER) -> CoxBaseline:
    """Fit Cox regression with a ridge penalty; missing values take the median of these cases.

    Covariates that nobody states, or that are the same for everybody, are left out.

    Args:
        features: covariates of each case, ``None`` where missing.
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        penalizer: of lifelines' ``CoxPHFitter``.

    Raises:
        InputError: fewer than 10 deaths, or no covariate varies.
    """
    deaths = int(np.sum(died))
    if deaths < FEWEST_DEATHS:
        raise InputError(f"A Cox model needs at least {FEWEST_DEATHS} deaths; there are {deaths}; take more cases.")
    frame = pd.DataFrame(list(features), dtype=float)
    medians = frame.median()
    frame = frame.fillna(medians)
    names = tuple(name for name in frame.columns if frame[name].notna().all() and frame[name].std() > _SAME)
    if not names:
        raise InputError("No covariate varies between the cases, so a Cox model cannot be fitted.")
    table = frame[list(names)].assign(weeks=np.asarray(weeks, float), died=np.asarray(died, int))
    return CoxBaseline(names, medians[list(names)], CoxPHFitter(penalizer=penalizer).fit(table, "weeks", "died"))


def cross_validated(
    features: Features,
    weeks: np.ndarray,
    died: np.ndarray,
    *,
    folds: int = 5,
    repeats: int = 20,
    penalizer: float = PENALIZER,
    resamples: int = 500,
    seed: int = 0,
) -> Estimate:
    """Return the c-index of patients that the model did not see, by repeated cross-validation.

    Each repeat splits the patients anew; medians, scaling and coefficients come from the training folds. The value is
    the mean of the repeats' c-indices; the interval resamples patients and averages the repeats again, so it holds the
    chance of the sample but not that of refitting.

    Args:
        features: covariates of each case, ``None`` where missing.
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        folds: parts of a split.
        repeats: number of splits.
        penalizer: of lifelines' ``CoxPHFitter``.
        resamples: how often to resample the patients.
        seed: seed of splits and resampling.

    Raises:
        InputError: see :func:`fit_baseline`.
    """
    weeks, died = np.asarray(weeks, float), np.asarray(died, bool)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    risks = np.array([_out_of_fold(features, weeks, died, folds, penalizer, rng) for _ in range(repeats)])

    def statistic(index: np.ndarray) -> float:
        try:
            found = [concordance_index(weeks[index], -risk[index], died[index]) for risk in risks]
        except ZeroDivisionError:
            return float("nan")
        return float(np.mean(found))

    return bootstrap(statistic, len(weeks), resamples=resamples, seed=seed)


def _out_of_fold(
    features: Features, weeks: np.ndarray, died: np.ndarray, folds: int, penalizer: float, rng: np.random.Generator
) -> np.ndarray:
    fold = rng.permutation(np.arange(len(weeks)) % folds)
    risk = np.empty(len(weeks))
    for number in range(folds):
        seen, left = np.flatnonzero(fold != number).tolist(), np.flatnonzero(fold == number).tolist()
        model = fit_baseline([features[i] for i in seen], weeks[seen], died[seen], penalizer)
        risk[left] = model.log_hazard([features[i] for i in left])
    return risk


def coefficients(model: CoxBaseline) -> list[dict[str, Any]]:
    """Return the table of coefficients: log hazard ratio a unit with its 95 % interval."""
    summary = model.fitter.summary
    return [
        {
            "covariate": name,
            "log_hazard_ratio": Estimate(
                float(summary.loc[name, "coef"]),
                float(summary.loc[name, "coef lower 95%"]),
                float(summary.loc[name, "coef upper 95%"]),
                len(model.fitter.durations),
            ),
        }
        for name in model.names
    ]
