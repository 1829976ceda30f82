"""Does a case lie within what a survival model has seen? Where it does not, the user is told why in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.roi import Roi
from mewm.survival.treatments_seen import TreatmentsSeen

MEASURED = ("lesion_ml", "lesion_hu", "liver_hu")
"""What is measured on every CT; the rest are clinical facts."""
_FACTS = ("age", "albumin_g_dl", "bilirubin_mg_dl", "afp_ng_ml", "tumour_number", "ecog", "child_pugh_points")
_TOLD = {
    "lesion_ml": ("a lesion of {value:.3g} ml", "{low:.3g} to {high:.3g} ml"),
    "lesion_hu": ("a lesion of {value:.0f} HU", "{low:.0f} to {high:.0f} HU"),
    "liver_hu": ("a liver of {value:.0f} HU", "{low:.0f} to {high:.0f} HU"),
    "age": ("an age of {value:.0f}", "{low:.0f} to {high:.0f}"),
    "albumin_g_dl": ("an albumin of {value:.1f} g/dl", "{low:.1f} to {high:.1f} g/dl"),
    "bilirubin_mg_dl": ("a bilirubin of {value:.1f} mg/dl", "{low:.1f} to {high:.1f} mg/dl"),
    "afp_ng_ml": ("an AFP of {value:.0f} ng/ml", "{low:.0f} to {high:.0f} ng/ml"),
    "tumour_number": ("{value:.0f} tumours", "{low:.0f} to {high:.0f}"),
    "ecog": ("an ECOG status of {value:.0f}", "{low:.0f} to {high:.0f}"),
    "child_pugh_points": ("{value:.0f} Child-Pugh points", "{low:.0f} to {high:.0f}"),
}
# Share of the training cases that lie nearer to their centre than what counts as far away.
_NEAR = 0.995
# A value beyond the last one seen by less than this share is no news.
_SLACK = 0.005
# A case this near to the centre is never far away, however alike the training cases were.
_LEAST_DISTANCE = 2.0


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What a survival model has seen.

    Attributes:
        ranges: lowest and highest value by name.
        mean: (3,) of the :data:`MEASURED` values, the volume as logarithm.
        precision: (3, 3) inverse covariance of these.
        farthest: Mahalanobis distance from ``mean`` that hardly any training case exceeds.
        treatments: what the training cases were treated with; ``None`` where the bundle does not say.
    """

    ranges: Mapping[str, tuple[float, float]]
    mean: np.ndarray
    precision: np.ndarray
    farthest: float
    treatments: TreatmentsSeen | None = None

    @classmethod
    def of(cls, cases: Sequence[Mapping[str, float]], protocols: Sequence[Protocol] = ()) -> Familiarity:
        """Learn from the :func:`described` values of training cases and from what they were treated with.

        Raises:
            InputError: a protocol holds an agent without a known effect.
        """
        ranges: dict[str, tuple[float, float]] = {}
        for name in (*MEASURED, *_FACTS):
            if values := [case[name] for case in cases if name in case]:
                ranges[name] = (float(min(values)), float(max(values)))
        points = np.array([_point(case) for case in cases])
        mean = points.mean(axis=0)
        # A spread of nothing, as in a handful of cases, must not make every other case a stranger.
        covariance = np.atleast_2d(np.cov(points, rowvar=False)) if len(points) > 1 else np.zeros((3, 3))
        precision = np.linalg.inv(covariance + np.diag([1e-2, 1.0, 1.0]))
        distances = [float(np.sqrt((p - mean) @ precision @ (p - mean))) for p in points]
        farthest = max(float(np.quantile(distances, _NEAR)), _LEAST_DISTANCE)
        return cls(ranges, mean, precision, farthest, TreatmentsSeen.of(protocols) if protocols else None)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Familiarity:
        """Read what :meth:`to_dict` wrote."""
        ranges = {name: (float(low), float(high)) for name, (low, high) in data["ranges"].items()}
        treatments = TreatmentsSeen.parse(data["treatments"]) if "treatments" in data else None
        return cls(ranges, np.array(data["mean"]), np.array(data["precision"]), float(data["farthest"]), treatments)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        treatments = {} if self.treatments is None else {"treatments": self.treatments.to_dict()}
        return {
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "mean": self.mean.tolist(),
            "precision": self.precision.tolist(),
            "farthest": self.farthest,
            **treatments,
        }

    def warnings(self, roi: Roi, protocols: Sequence[Protocol] = ()) -> tuple[str, ...]:
        """Return a sentence for every way in which a case is unlike the training cases; none where it is like them.

        Args:
            roi: the case.
            protocols: those that were scored, best first; one sentence is for all of them.

        Raises:
            InputError: a protocol holds an agent without a known effect.
        """
        case = described(roi)
        told = []
        for name, (low, high) in self.ranges.items():
            slack = _SLACK * (high - low + abs(case.get(name, 0.0)))
            if name in case and not low - slack <= case[name] <= high + slack:
                value, seen = (words.format(value=case[name], low=low, high=high) for words in _TOLD[name])
                told.append(
                    f"The survival model has never seen {value} (its training cases: {seen}); risk and survival are an "
                    "extrapolation."
                )
        away = _point(case) - self.mean
        if not told and float(np.sqrt(away @ self.precision @ away)) > self.farthest:
            told.append(
                "The survival model has hardly seen lesions of this size with this attenuation of lesion and liver; "
                "risk and survival are an extrapolation."
            )
        return (*told, *(() if self.treatments is None else self.treatments.warnings(protocols)))


def described(roi: Roi) -> dict[str, float]:
    """Return what :class:`Familiarity` looks at: ml, mean HU of lesion and of liver beside it, and the stated facts."""
    liver = roi.liver & ~roi.lesion & roi.inside
    lesion_hu = float(roi.ct[roi.lesion].mean())
    found = {
        "lesion_ml": float(np.count_nonzero(roi.lesion)) * roi.spacing**3 / 1000,
        "lesion_hu": lesion_hu,
        # Where there is no liver beside the lesion, nothing speaks against it.
        "liver_hu": float(np.median(roi.ct[liver])) if liver.any() else lesion_hu,
    }
    return found | stated(roi.facts)


def stated(facts: ClinicalFacts) -> dict[str, float]:
    """Return the facts among :func:`described` that are stated."""
    points = (facts.child_pugh or "")[1:]
    values = {name: getattr(facts, name, None) for name in _FACTS} | {"child_pugh_points": float(points or "nan")}
    return {name: float(value) for name, value in values.items() if value is not None and np.isfinite(value)}


def _point(case: Mapping[str, float]) -> np.ndarray:
    return np.array([np.log(max(case["lesion_ml"], 1e-3)), case["lesion_hu"], case["liver_hu"]])
