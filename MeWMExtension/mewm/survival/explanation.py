"""Which volumes drove a risk: the same few parts for every survival model, and by what method they were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VIABLE, NECROSIS, LIPIODOL = "viable tumour", "necrosis", "lipiodol"
TREATMENT, FACTS = "treatment burden", "clinical facts"
PARTS = (VIABLE, NECROSIS, LIPIODOL, TREATMENT, FACTS)
"""Parts of an explanation in the order in which they are shown."""
EXACT = (
    "exact: coefficients times the difference from the mean training case, first simulated future; a fact that is not "
    "stated counts as the median training case has it; necrosis and lipiodol are not looked at by this model"
)
OCCLUSION = "occlusion: the risk less what it is with the part taken out, first simulated future"


@dataclass(frozen=True)
class Explanation:
    """What a risk is made of.

    Attributes:
        method: how the parts were found, in words.
        parts: of :data:`PARTS` → share of the log hazard; positive raises the risk. Parts by occlusion need not add up
            to the risk.
    """

    method: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)

    def in_words(self) -> str:
        """Return ``"viable tumour +0.42, necrosis -0.03, …; by occlusion: …"``; empty where nothing is known."""
        told = ", ".join(f"{part} {share:+.2f}" for part, share in self.parts.items())
        return f"{told}; {self.method}" if told else ""
