"""The figures of a cohort, each with a bootstrap interval over cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from mewm.evaluation.intervals import Estimate, bootstrap

WEEKS_A_YEAR = 365.25 / 7
OIL_DENSE_HU = 365.0
"""Density that went with massive necrosis, CVIR 1993 16:209."""
MASSIVE = 0.97
RESAMPLES = 1000
_RANK = {"PD": 0, "SD": 1, "PR": 2, "CR": 3}

Figures = dict[str, Estimate]


def survival_figures(frame: pd.DataFrame, seed: int = 0) -> Figures:
    """Return median survival, deaths, survival at whole years and the correlation of volume with survival.

    Args:
        frame: the table, from :func:`mewm.cohort.frame.read_frame`.
        seed: of the resampling.
    """
    weeks, died = frame["os_weeks"].to_numpy(float), frame["event"].to_numpy(bool)
    volume = frame["lesion_ml"].to_numpy(float)
    count = len(frame)

    def over(statistic: Callable[[np.ndarray], float], cases: int = count) -> Estimate:
        return bootstrap(statistic, cases, resamples=RESAMPLES, seed=seed)

    found = {
        "median_os_weeks": over(lambda i: float(np.median(weeks[i]))),
        "km_median_weeks": over(lambda i: km_median(weeks[i], died[i])),
        "event_percent": over(lambda i: 100 * float(died[i].mean())),
        "volume_os_spearman": over(lambda i: _spearman(volume[i], weeks[i])),
    }
    for years in (1, 2, 3, 5):
        alive = partial(_alive, weeks, died, years * WEEKS_A_YEAR)
        found[f"alive_{years}y_percent"] = over(alive)
    for name in _RANK:
        chosen = weeks[(frame["mrecist"] == name).to_numpy(bool, na_value=False)]
        if chosen.size:
            found[f"median_os_{name.lower()}_weeks"] = over(partial(_median, chosen), chosen.size)
    return found


def response_figures(frame: pd.DataFrame, seed: int = 0) -> Figures:
    """Return the shares of the mRECIST-like categories, the objective response and that of single nodules."""
    response = frame["mrecist"].dropna()
    if response.empty:
        return {}
    found = {f"{name.lower()}_percent": _share(response == name, seed) for name in _RANK}
    found["objective_response_percent"] = _share(response.isin(["CR", "PR"]), seed)
    single = response[(frame["tumour_number"] == 1).reindex(response.index).to_numpy(bool, na_value=False)]
    if len(single):
        found |= {f"single_nodule_{n.lower()}_percent": _share(single == n, seed) for n in ("CR", "PR")}
    return found


def fact_figures(frame: pd.DataFrame, seed: int = 0) -> Figures:
    """Return means and shares of the clinical facts, each over the cases that state it."""
    found: Figures = {}
    age, diameter = (frame[c].dropna().to_numpy(float) for c in ("age", "lesion_diameter_mm"))
    if age.size:
        found["age_mean_years"] = bootstrap(lambda i: float(age[i].mean()), age.size, resamples=RESAMPLES, seed=seed)
    if diameter.size:
        found["diameter_median_cm"] = bootstrap(
            partial(_median, diameter / 10), diameter.size, resamples=RESAMPLES, seed=seed
        )
    shares = {
        "male_percent": _stated(frame["sex"], lambda s: s == "male"),
        "child_pugh_a_percent": _stated(frame["child_pugh"], lambda s: s.astype(str).str.startswith("A")),
        "child_pugh_b_percent": _stated(frame["child_pugh"], lambda s: s.astype(str).str.startswith("B")),
        "ecog_0_percent": _stated(frame["ecog"], lambda s: s == 0),
        "afp_400_percent": _stated(frame["afp_ng_ml"], lambda s: s >= 400),
        "multinodular_percent": _stated(frame["tumour_number"], lambda s: s > 1),
        "portal_vein_thrombosis_percent": _stated(frame["portal_vein_thrombosis"], lambda s: s != "none"),
        "extrahepatic_percent": _stated(frame["extrahepatic_spread"], lambda s: s),
        **{f"bclc_{c.lower()}_percent": frame["bclc"].dropna() == c for c in "ABC"},
        "burden_over_half_percent": _stated(frame["tumour_burden_percent"], lambda s: s > 50),
    }
    return found | {name: _share(values, seed) for name, values in shares.items() if len(values)}


def density_figures(frame: pd.DataFrame, values: pd.DataFrame, seed: int = 0) -> Figures:
    """Return medians over cases of the tissues' densities, and how often a lesion shows washout or enhancement.

    Args:
        frame: the table.
        values: from :func:`mewm.evaluation.cohort_report.case_values.case_values`.
        seed: of the resampling.
    """
    phase = {name: (frame["phase"] == name).to_numpy(bool, na_value=False) for name in ("portal", "arterial")}
    found: Figures = {}

    def median(name: str, column: str, where: np.ndarray | None = None) -> None:
        if column in values:
            series = values[column] if where is None else values[column][where]
            known = series.dropna().to_numpy(float)
            if known.size:
                found[name] = bootstrap(
                    lambda i: float(np.median(known[i])), known.size, resamples=RESAMPLES, seed=seed
                )

    for name, where in phase.items():
        median(f"liver_{name}_hu", "liver_before", where)
        median(f"viable_{name}_hu", "viable_hu", where)
    median("liver_noise_hu", "liver_noise")
    median("necrosis_hu", "necrosis_hu")
    median("oil_hu", "oil_hu")
    contrast = (values["lesion_before"] - values["liver_before"]).dropna()
    washed = contrast[phase["portal"][values.index.get_indexer(contrast.index)]]
    if len(washed):
        found["washout_percent"] = _share(washed < -5, seed)
    bright = contrast[phase["arterial"][values.index.get_indexer(contrast.index)]]
    if len(bright):
        found["hypervascular_percent"] = _share(bright > 5, seed)
    if "lesion_after_hu" in values:
        oiled = values[oiled_cases(frame, values)]
        after = (oiled["lesion_after_hu"] - oiled["liver_after"]).dropna().to_numpy(float)
        if after.size:
            found["lesion_to_liver_after_hu"] = bootstrap(
                lambda i: float(after[i].mean()), after.size, resamples=RESAMPLES, seed=seed
            )
    return found


def relation_figures(frame: pd.DataFrame, values: pd.DataFrame, seed: int = 0) -> Figures:
    """Return the published relations of deposition with necrosis, response, perfusion and shunts.

    Only cases whose protocol has Lipiodol and whose follow-up is marked count.
    """
    if "coverage" not in values:
        return {}
    chosen = oiled_cases(frame, values)
    table, image = frame[chosen], values[chosen]
    if len(image) < 3:
        return {}
    count = len(image)
    oil, dead = image["oil_ml"].to_numpy(), (image["oil_ml"] + image["necrosis_ml"]).to_numpy()
    coverage, share = image["coverage"].to_numpy(), image["necrotic_share"].to_numpy()

    def over(statistic: Callable[[np.ndarray], float], cases: int = count) -> Estimate:
        return bootstrap(statistic, cases, resamples=RESAMPLES, seed=seed)

    found = {
        "oil_necrosis_volume_r2": over(lambda i: _pearson(oil[i], dead[i]) ** 2),
        "oil_necrosis_percent_r2": over(lambda i: _pearson(coverage[i], share[i]) ** 2),
        "coverage_mean_percent": over(lambda i: 100 * float(np.mean(coverage[i]))),
        "coverage_sd_percent": over(lambda i: 100 * float(np.std(coverage[i], ddof=1))),
        "complete_retention_percent": _share(image["coverage"] > 0.9, seed),
        "moderate_retention_percent": _share((image["coverage"] >= 0.5) & (image["coverage"] <= 0.9), seed),
        "poor_retention_percent": _share(image["coverage"] < 0.5, seed),
    }
    rank = table["mrecist"].astype(object).map(_RANK).to_numpy(float)
    known = np.isfinite(rank)
    if known.sum() > 2:
        a, b = coverage[known], rank[known]
        found["coverage_response_spearman"] = over(lambda i: _spearman(a[i], b[i]), int(known.sum()))
    perfusion = image["enhancing_before"][(table["phase"] == "arterial").to_numpy(bool, na_value=False)].dropna()
    if len(perfusion) > 2:
        a, b = perfusion.to_numpy(), image.loc[perfusion.index, "coverage"].to_numpy()
        found["perfusion_deposition_r"] = over(lambda i: _pearson(a[i], b[i]), len(a))
    dense, massive = image["lesion_after_median_hu"] >= OIL_DENSE_HU, image["necrotic_share"] >= MASSIVE
    for name, where in (("dense_if_massive_percent", massive), ("dense_if_not_massive_percent", ~massive)):
        if where.any():
            found[name] = _share(dense[where], seed)
    found |= _shunts(table, image, seed)
    return found


def _shunts(table: pd.DataFrame, image: pd.DataFrame, seed: int) -> Figures:
    shunt = table["arteriovenous_shunt"].dropna()
    if shunt.empty:
        return {}
    found = {"shunt_percent": _share(shunt != "none", seed)}
    with_, without = (
        image.loc[shunt.index[mask], "coverage"].to_numpy() for mask in (shunt != "none", shunt == "none")
    )
    if len(with_) > 2 and len(without) > 2:
        both = np.concatenate([with_, without])
        first = np.arange(len(both)) < len(with_)

        def difference(i: np.ndarray) -> float:
            a, b = both[i][first[i]], both[i][~first[i]]
            return 100 * float(a.mean() - b.mean()) if a.size and b.size else float("nan")

        found["coverage_shunt_difference_percent"] = bootstrap(difference, len(both), resamples=RESAMPLES, seed=seed)
    return found


def agent_shares(frame: pd.DataFrame, agents: tuple[str, ...], seed: int = 0) -> Figures:
    """Return the percent of protocols that contain each agent."""
    from mewm.actions.text import parse_protocol

    given = [set(parse_protocol(text).protocol.agents) for text in frame["protocol"]]
    return {agent: _share(pd.Series([agent in g for g in given]), seed) for agent in agents}


def km_survival(weeks: np.ndarray, died: np.ndarray, at: float) -> float:
    """Return the Kaplan–Meier survival at one time.

    lifelines gives the same and builds a frame each time; a bootstrap needs thousands of them.
    """
    time, curve = km_curve(weeks, died)
    before = np.searchsorted(time, at, side="right")
    return float(curve[before - 1]) if before else 1.0


def km_median(weeks: np.ndarray, died: np.ndarray) -> float:
    """Return the Kaplan–Meier median; NaN where the curve stays above one half."""
    time, curve = km_curve(weeks, died)
    below = np.flatnonzero(curve <= 0.5)
    return float(time[below[0]]) if below.size else float("nan")


def km_curve(weeks: np.ndarray, died: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of all observations in order and the survival after each (Kaplan & Meier 1958)."""
    time, index = np.unique(weeks, return_inverse=True)
    deaths = np.bincount(index, died, len(time))
    gone = np.bincount(index, minlength=len(time))
    at_risk = len(weeks) - np.concatenate([[0], np.cumsum(gone)[:-1]])
    return time, np.cumprod(1 - deaths / at_risk)


def oiled_cases(frame: pd.DataFrame, values: pd.DataFrame) -> np.ndarray:
    """Return which cases were given Lipiodol and have a marked follow-up, bool ``(cases,)``."""
    if "coverage" not in values:
        return np.zeros(len(frame), dtype=bool)
    oil = frame["protocol"].str.contains("Lipiodol", case=False).to_numpy(bool, na_value=False)
    return oil & values["coverage"].notna().to_numpy()


def _stated(column: pd.Series, test: Callable[[pd.Series], pd.Series]) -> pd.Series:
    return test(column.dropna()).astype(bool)


def _share(values: pd.Series, seed: int) -> Estimate:
    yes = values.to_numpy(bool)
    return bootstrap(lambda i: 100 * float(yes[i].mean()), len(yes), resamples=RESAMPLES, seed=seed)


def _median(values: np.ndarray, index: np.ndarray) -> float:
    return float(np.median(values[index]))


def _alive(weeks: np.ndarray, died: np.ndarray, at: float, index: np.ndarray) -> float:
    return 100 * km_survival(weeks[index], died[index], at)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return _pearson(stats.rankdata(a), stats.rankdata(b))
