"""Settings of a search, with the paper's values as defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mewm.errors import InputError

# Beyond these a search would take days or mean nothing clinically; no TACE uses four cytotoxic drugs.
LIMITS = {
    "beams": (1, 50),
    "drugs": (1, 30),
    "embolics": (1, 20),
    "replicas": (1, 100),
    "drug_horizon": (1, 4),
    "embolic_horizon": (1, 4),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True)
class ExploreSettings:
    """How far and how densely to search (arXiv 2506.02327, Algorithm 1 and section 4).

    Attributes:
        beams: B, protocols followed side by side.
        drugs: D, drug (or bead) actions the policy may propose.
        embolics: E, embolic actions the policy may propose.
        replicas: T, simulated futures per protocol; the risk is their mean (equation 4).
        drug_horizon: H_d, drug steps.
        embolic_horizon: H_e, embolic steps.
        seed: seed of the replicas; the same seed gives the same search.
        complete_partial: whether a protocol under construction is judged as the policy would complete it
            (:meth:`mewm.explore.space.SearchSpace.given`); false judges drugs alone as if they were given alone.
        look_back: whether a last step may leave one agent out again. The paper has none: a drug is chosen before the
            embolic agents are, and may be more than the lesion needs once they are chosen.

    Raises:
        InputError: a number is not whole or lies outside its limits, or a truth value is none.
    """

    beams: int = 5
    drugs: int = 10
    embolics: int = 5
    replicas: int = 5
    drug_horizon: int = 2
    embolic_horizon: int = 2
    seed: int = 0
    complete_partial: bool = True
    look_back: bool = True

    def __post_init__(self) -> None:
        for name in ("complete_partial", "look_back"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"'{name}' is {getattr(self, name)!r}; give true or false.")
        for field in fields(self):
            if field.name not in LIMITS:
                continue
            value = getattr(self, field.name)
            low, high = LIMITS[field.name]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                name = field.name.replace("_", " ")
                raise InputError(f"The search setting '{name}' is {value!r}; give a whole number from {low} to {high}.")

    @property
    def steps(self) -> int:
        """Steps in all: of drugs, of embolics, and the look back."""
        return self.drug_horizon + self.embolic_horizon + self.look_back
