"""Do simulated post-treatment volumes look like true ones? FID and LPIPS with a stated network (paper's table 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from mewm.errors import InputError
from mewm.evaluation.feature_networks import SLICES, FeatureNetwork, PerceptualNetwork, lesion_slices, windowed
from mewm.evaluation.intervals import RESAMPLES, Estimate, bootstrap, bootstrap_mean


@dataclass(frozen=True)
class NamedEstimate:
    """A figure and the network it was made with; figures of different networks cannot be compared."""

    network: str
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices of several cases in [0, 1].

    Attributes:
        slices: ``(cases, slices, height, width)`` float32.
    """

    slices: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """All slices one after another, ``(cases · slices, height, width)``."""
        return self.slices.reshape(-1, *self.slices.shape[2:])


def slice_stack(volumes: Iterable[tuple[np.ndarray, np.ndarray]], count: int = SLICES) -> SliceStack:
    """Cut the slices that are measured out of volumes.

    Args:
        volumes: HU volume ``(z, y, x)`` and pre-treatment lesion mask of each case; all volumes of one shape.
        count: axial slices a case.

    Raises:
        InputError: there is no volume or a lesion is empty.
    """
    stack = [windowed(ct[lesion_slices(lesion, count)]) for ct, lesion in volumes]
    if not stack:
        raise InputError("There is no volume to measure; choose a split of the cohort that has cases.")
    return SliceStack(np.stack(stack))


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of feature vectors taken as Gaussians.

    ``|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½)`` (Heusel et al., NeurIPS 2017, arXiv 1706.08500). The trace of the root is
    taken as that of ``(Σ₁^½ Σ₂ Σ₁^½)^½``, which is equal and stays real for singular covariances.

    Args:
        first, second: ``(n, d)`` and ``(m, d)``.

    Raises:
        InputError: fewer than two vectors in a set, or different lengths of vectors.
    """
    if min(len(first), len(second)) < 2:
        raise InputError(f"FID needs at least 2 slices in each set; there are {len(first)} and {len(second)}.")
    if first.shape[1] != second.shape[1]:
        raise InputError(f"Features of {first.shape[1]} and {second.shape[1]} values cannot be compared.")
    means = first.mean(axis=0) - second.mean(axis=0)
    a, b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (first, second))
    root = _root(a)
    mixed = linalg.eigvalsh(root @ b @ root)
    return float(means @ means + np.trace(a) + np.trace(b) - 2 * np.sqrt(np.maximum(mixed, 0)).sum())


def fid(
    simulated: SliceStack,
    true: SliceStack,
    network: FeatureNetwork,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> NamedEstimate:
    """Return the Fréchet distance between simulated and true slices, with an interval over resampled cases.

    FID grows as sets get smaller, so arms are compared on the same cases only; for the same reason the interval of
    resampled cases lies above the value and shows spread, not a range for the value.

    Args:
        simulated, true: slices of the same cases in the same order.
        network: makes the features.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: too few slices or different cases.
    """
    _same_cases(simulated, true)
    a, b = (network.features(s.flat).reshape(*s.slices.shape[:2], -1) for s in (simulated, true))

    def statistic(index: np.ndarray) -> float:
        first, second = (x[index].reshape(-1, x.shape[-1]) for x in (a, b))
        return frechet_distance(first, second)

    return NamedEstimate(network.name, bootstrap(statistic, len(a), resamples=resamples, seed=seed))


def perceptual_distance(
    simulated: SliceStack,
    true: SliceStack,
    network: PerceptualNetwork,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> NamedEstimate:
    """Return the mean distance between each case's simulated and true slices, with its bootstrap interval.

    Args:
        simulated, true: slices of the same cases in the same order.
        network: the distance.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: different cases.
    """
    return NamedEstimate(
        network.name, bootstrap_mean(perceptual_distances(simulated, true, network), resamples=resamples, seed=seed)
    )


def perceptual_distances(simulated: SliceStack, true: SliceStack, network: PerceptualNetwork) -> np.ndarray:
    """Return the mean distance between simulated and true slices of each case, ``(cases,)``.

    Raises:
        InputError: different cases.
    """
    _same_cases(simulated, true)
    return network.distance(simulated.flat, true.flat).reshape(simulated.slices.shape[:2]).mean(axis=1)


def _same_cases(simulated: SliceStack, true: SliceStack) -> None:
    if simulated.slices.shape != true.slices.shape:
        raise InputError(
            f"Simulated and true slices of shapes {simulated.slices.shape} and {true.slices.shape} cannot be paired."
        )


def _root(matrix: np.ndarray) -> np.ndarray:
    """Return the symmetric square root of a positive semidefinite matrix."""
    values, vectors = linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
