"""The learned survival model in the role of :class:`mewm.roles.SurvivalModel`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mewm.actions.protocol import Protocol
from mewm.assistant.choose import DEFAULT as INTENSITY
from mewm.bundle import read_bundle
from mewm.compute import choose_device, mixed_precision
from mewm.errors import ResourceError
from mewm.roi import Roi
from mewm.roles import RiskScore, Tissue
from mewm.survival import explanation
from mewm.survival.attention.network import SurvivalNetwork
from mewm.survival.attention.numbers import FACTS, NAMES, OF_LABEL, TREATMENT, case_numbers
from mewm.survival.attention.regions import (
    LABELS,
    CaseRegion,
    RegionSettings,
    case_region,
    future_region,
    network_input,
)
from mewm.survival.curves import WEEKS_A_YEAR, Baseline, median_weeks, survival_at
from mewm.survival.explanation import Explanation
from mewm.survival.familiarity import Familiarity

TITLE = "survival model"
_PART_OF = {
    Tissue.VIABLE: explanation.VIABLE,
    Tissue.NECROSIS: explanation.NECROSIS,
    Tissue.LIPIODOL: explanation.LIPIODOL,
}


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What all futures of a case share: its region, and the tokens of the CT before treatment."""

    region: CaseRegion
    before: torch.Tensor


class AttentionSurvival:
    """Score futures with the cross-attention network; risk, curves and intervals on the calibrated scale.

    Args:
        network: the trained network.
        settings: size of the regions it was trained on.
        inference: what else the bundle says: ``calibration``, ``familiarity``, ``impairment``.
        device: where to compute.
        name: how tables call it.
        sha256: digest of the weights.
        provenance: the bundle's ``training``.
    """

    def __init__(
        self,
        network: SurvivalNetwork,
        settings: RegionSettings,
        inference: Mapping[str, Any],
        device: torch.device,
        *,
        name: str = "attention",
        sha256: str = "",
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.network.encoder.to(memory_format=torch.channels_last_3d)
        self.settings, self.device, self.name, self.sha256 = settings, device, name, sha256
        self.provenance = dict(provenance or {})
        calibration = inference["calibration"]
        self.scale = Baseline.parse(calibration)
        self._centre, self._slope = float(calibration["centre"]), float(calibration["slope"])
        self._familiarity = Familiarity.parse(inference["familiarity"])
        self._impairment: float | None = inference.get("impairment")
        self._cases: weakref.WeakKeyDictionary[Roi, _Prepared] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def reader(self) -> str:
        """Assistant whose labels it learned from."""
        return str(self.provenance.get("assistant", INTENSITY))

    @property
    def baseline(self) -> np.ndarray:
        """Survival of the mean patient at 0, 1, 2, … weeks."""
        return self.scale.survival

    def score(self, roi: Roi, post_ct: np.ndarray, tissue: np.ndarray, protocol: Protocol) -> RiskScore:
        """Score one simulated future.

        Args:
            roi: pre-treatment lesion and clinical facts; a fact that is not stated counts as the training mean.
            post_ct: CT after treatment, HU, (96, 96, 96).
            tissue: its labels, uint8, same shape.
            protocol: the treatment, whose load no CT shows.

        Raises:
            InputError: the protocol holds an agent without a known effect.
        """
        with self._computing():
            prepared = self._prepare(roi)
            ct, labels = future_region(prepared.region, post_ct, tissue, self.settings)
            numbers = case_numbers(roi, tissue, protocol, self._impairment)
            risk = float(self._risks(prepared, ct, [labels], [numbers])[0])
        curve = self.survival_curve(risk)
        return RiskScore(
            risk=risk,
            survival_1y=survival_at(curve, WEEKS_A_YEAR),
            median_weeks=median_weeks(curve),
            survival_2y=survival_at(curve, 2 * WEEKS_A_YEAR),
        )

    def explain(self, roi: Roi, post_ct: np.ndarray, tissue: np.ndarray, protocol: Protocol) -> Explanation:
        """Return how the risk falls when a part of what the network sees is taken out; arguments as of :meth:`score`.

        A tissue is taken out by emptying its label and setting its volume to 0, the CT stays; the treatment's load is
        set to the training mean; clinical facts count as not stated. The parts need not add up to the risk.
        """
        with self._computing():
            prepared = self._prepare(roi)
            ct, labels = future_region(prepared.region, post_ct, tissue, self.settings)
            numbers = case_numbers(roi, tissue, protocol, self._impairment)
            seen, told, parts = [labels], [numbers], []
            for channel, label in enumerate(LABELS):
                without = labels.copy()
                without[channel] = 0
                seen.append(without)
                told.append({**numbers, **dict.fromkeys(OF_LABEL[label], 0.0)})
                parts.append(_PART_OF[label])
            # A load is never unknown, so that the network was not taught what that would mean; a fact may be.
            mean = dict(zip(self.network.names, self.network.mean.tolist(), strict=True))
            for part, hidden in (
                (explanation.TREATMENT, {name: mean.get(name) for name in NAMES[TREATMENT]}),
                (explanation.FACTS, dict.fromkeys(NAMES[FACTS])),
            ):
                seen.append(labels)
                told.append({**numbers, **hidden})
                parts.append(part)
            risks = self._risks(prepared, ct, seen, told)
        return Explanation(
            explanation.OCCLUSION, {part: float(risks[0] - risk) for part, risk in zip(parts, risks[1:], strict=True)}
        )

    def unfamiliar(self, roi: Roi, protocols: Sequence[Protocol] = ()) -> tuple[str, ...]:
        """Return a sentence for every way in which a case or its treatment is unlike the training cases."""
        return self._familiarity.warnings(roi, protocols)

    def survival_curve(self, risk: float) -> np.ndarray:
        """Return the predicted survival at 0, 1, 2, … weeks for a risk, values in [0, 1]."""
        return self.scale.curve(risk)

    def survival_band(self, risks: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return its 95 % interval over replicas; see :meth:`mewm.survival.curves.Baseline.band`."""
        return self.scale.band(risks)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with self._lock, torch.inference_mode():
            yield

    def _encode(self, region: torch.Tensor, *, after: bool) -> torch.Tensor:
        """Return tokens in 32 bits: 16 would do for images, but would round risks that lie close together."""
        with mixed_precision(self.device):
            return self.network.encode(region.to(self.device), after=after).float()

    def _prepare(self, roi: Roi) -> _Prepared:
        found = self._cases.get(roi)
        if found is None:
            region = case_region(roi, self.settings)
            empty = np.zeros((len(LABELS), *self.settings.shape), np.uint8)
            seen = network_input([region.ct, region.ct], region.lesion, empty)[:1]
            found = self._cases[roi] = _Prepared(region, self._encode(seen, after=False))
        return found

    def _risks(
        self,
        prepared: _Prepared,
        ct: np.ndarray,
        labels: Sequence[np.ndarray],
        numbers: Sequence[Mapping[str, float | None]],
    ) -> np.ndarray:
        """Return the calibrated risk of one CT under each set of labels and numbers; equal labels are encoded once."""
        different = list({id(each): each for each in labels}.values())
        scans = [prepared.region.ct, ct]
        seen = torch.stack([network_input(scans, prepared.region.lesion, each)[1] for each in different])
        tokens = self._encode(seen, after=True)
        place = {id(each): row for row, each in enumerate(different)}
        after = tokens[[place[id(each)] for each in labels]]
        told = [[np.nan if row[name] is None else row[name] for name in self.network.names] for row in numbers]
        known = torch.tensor(told, dtype=torch.float32, device=self.device)
        before = prepared.before.expand(len(after), -1, -1)
        raw, _ = self.network.predict(before, after, known)
        return self._slope * (raw.float().cpu().numpy().astype(float) - self._centre)


def load_survival(folder: Path, device: torch.device | None = None) -> AttentionSurvival:
    """Read a bundle of ``mewm train survival``.

    Args:
        folder: the bundle.
        device: where to compute; without one the fastest there is.

    Raises:
        ResourceError: a file is missing, was changed, or is not such a model.
    """
    bundle = read_bundle(Path(folder), TITLE)
    try:
        network = SurvivalNetwork(**bundle.network_arguments())
        settings = RegionSettings(
            shape=tuple(bundle.inference["region"]["shape"]), margin_mm=bundle.inference["region"]["margin_mm"]
        )
        bundle.load_into(network)
        return AttentionSurvival(
            network,
            settings,
            bundle.inference,
            device or choose_device(),
            name=bundle.metadata["name"],
            sha256=bundle.sha256,
            provenance=bundle.metadata["training"],
        )
    except (KeyError, TypeError) as error:
        raise ResourceError(
            f"The survival model in {folder} was written by another version of MeWM ({error}); train it anew."
        ) from error
