"""Training examples: two cases that were given the same agents, and a third protocol with others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mewm.actions.protocol import Protocol
from mewm.cohort.dataset import CohortRow
from mewm.dynamics.diffusion.action_encoder import Actions, read_actions
from mewm.dynamics.diffusion.action_text import TowerSettings
from mewm.dynamics.diffusion.model import CaseConditions
from mewm.training.draws import Draws
from mewm.training.dynamics.latents import ATTENUATED, MASKED, POST, PRE, Latents
from mewm.training.dynamics.phrases import phrase

_MEMBERS = ("anchor", "partner")


class Partners:
    """Which cases may stand beside a case: another patient's with the same agents, and protocols with other agents.

    Args:
        rows: the cases.
    """

    def __init__(self, rows: Sequence[CohortRow]) -> None:
        self.rows = rows
        self.combos = [frozenset(row.protocol.agents) for row in rows]
        self.patients = [row.patient for row in rows]
        self._alike: dict[frozenset[str], list[int]] = defaultdict(list)
        for k, combo in enumerate(self.combos):
            self._alike[combo].append(k)

    def partner(self, k: int, rng: np.random.Generator) -> tuple[int, bool]:
        """Return another case, and whether it was given the same agents (else any case, to keep the batch full)."""
        alike = [j for j in self._alike[self.combos[k]] if self.patients[j] != self.patients[k]]
        if alike:
            return alike[int(rng.integers(len(alike)))], True
        return int(rng.integers(len(self.rows))), False

    def other(self, k: int, rng: np.random.Generator) -> Protocol | None:
        """Return the protocol of a random case that was given other agents; ``None`` where all were given the same."""
        for _ in range(50):
            j = int(rng.integers(len(self.rows)))
            if self.combos[j] != self.combos[k]:
                return self.rows[j].protocol
        return None


@dataclass(frozen=True, eq=False)
class PairDraw:
    """Makes an example of a case, its partner and its negative.

    Attributes:
        latents: of the cases.
        partners: which of them may stand beside each other.
        agents, tower, places: of the action encoder.
        attenuated: share of examples that see the attenuated mask.
    """

    latents: Latents
    partners: Partners
    agents: tuple[str, ...]
    tower: TowerSettings
    places: int
    attenuated: float

    def __call__(self, item: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return the example (:func:`pair_draws`) whose anchor is the case ``item``."""
        latents = self.latents
        beside, same = self.partners.partner(item, rng)
        other = self.partners.other(item, rng)
        members = [item, beside]
        masked = [ATTENUATED if rng.random() < self.attenuated else MASKED for _ in members]
        protocols = [*(latents.rows[k].protocol for k in members), other or latents.rows[item].protocol]
        words = [[phrase(action, rng) for action in protocol.merged().actions] for protocol in protocols]
        read = read_actions(protocols, self.agents, self.tower, self.places, words)
        volumes = [latents.volumes[k][[PRE, seen, POST]] for k, seen in zip(members, masked, strict=True)]
        return {
            "volumes": torch.from_numpy(np.stack(volumes)),
            "masks": torch.from_numpy(latents.masks[members]),
            "numbers": torch.from_numpy(latents.numbers[members]),
            "outcomes": torch.from_numpy(latents.outcomes[members]),
            **read._asdict(),
            "same": torch.tensor(same),
            "other": torch.tensor(other is not None),
        }


def pair_draws(
    latents: Latents, agents: Sequence[str], tower: TowerSettings, places: int, attenuated: float, seed: int
) -> Draws:
    """Return the endless stream of examples.

    Each is a dict of tensors about anchor and partner: ``volumes`` (2, 3, C, d, h, w), latents before, before without
    the lesion or its attenuated mask, and after; ``masks`` (2, 2, d, h, w); ``numbers`` (2, 2); ``outcomes`` (2, 3);
    ``tokens``, ``agents``, ``amounts`` of three protocols (anchor, partner, negative); ``same``, whether the partner
    was given the same agents; ``other``, whether there is a negative.

    Args:
        latents: of the train split.
        agents, tower, places: of the action encoder.
        attenuated: share of examples that see the attenuated mask.
        seed: of order and draws.
    """
    draw = PairDraw(latents, Partners(latents.rows), tuple(agents), tower, places, attenuated)
    return Draws(len(latents.rows), draw, seed)


def conditions_of(batch: Mapping[str, torch.Tensor]) -> tuple[CaseConditions, torch.Tensor]:
    """Return conditions and post-treatment latents of a batch: all anchors, then all partners."""
    volumes = _members_first(batch["volumes"]).float()
    masks = _members_first(batch["masks"]).float()
    case = CaseConditions(
        volumes[:, 0], volumes[:, 1], masks[:, :1], masks[:, 1:], _members_first(batch["numbers"]).float()
    )
    return case, volumes[:, 2]


def outcomes_of(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the outcomes of a batch, (2 N, 3): all anchors, then all partners."""
    return _members_first(batch["outcomes"]).float()


def actions_of(batch: Mapping[str, torch.Tensor]) -> tuple[Actions, Actions]:
    """Return the protocols that were given (anchors, then partners), and the negatives (one an anchor)."""
    parts = [batch[name] for name in Actions._fields]
    given = Actions(*(_members_first(part[:, : len(_MEMBERS)]) for part in parts))
    return given, Actions(*(part[:, len(_MEMBERS)] for part in parts))


def _members_first(stacked: torch.Tensor) -> torch.Tensor:
    """Unfold (N, 2, ...) into (2 N, ...), all anchors before all partners."""
    return stacked.transpose(0, 1).flatten(0, 1)
