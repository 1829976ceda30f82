"""How a lesion answers to treatment: hidden in a simulated world, estimated from the CT by the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mewm.clinical import ClinicalFacts
from mewm.dynamics.phenotype import Phenotype, shunt_grade

# Mean perfusion of the average lesion, relative to the liver's best perfused tumours.
PERFUSION_TYPICAL = 0.85


@dataclass(frozen=True)
class Sensitivities:
    """How this lesion answers to treatment; 1 is the average lesion.

    The baseline estimates them from what the CT shows; a simulated world may hide true ones.

    Attributes:
        drug_class: multiplier of the log-kill by drug class (``"platinum"``, ``"anthracycline"``,
            ``"antimetabolite"``, ``"mitomycin"``, ``"topoisomerase-I"``); 1 where absent.
        embolic: multiplier of the occlusion by embolic agent; 1 where absent.
        retention: multiplier of the odds that oil stays in a voxel.
        shunt: arteriovenous shunt, 0 none to 1 severe.
        growth: multiplier of the growth rate of what survives.
    """

    drug_class: Mapping[str, float] = field(default_factory=dict)
    embolic: Mapping[str, float] = field(default_factory=dict)
    retention: float = 1.0
    shunt: float = 0.0
    growth: float = 1.0


def estimate_sensitivities(phenotype: Phenotype, facts: ClinicalFacts) -> Sensitivities:
    """Estimate a lesion's sensitivities from what the CT shows. The directions are argued, the sizes assumed.

    Anthracyclines and platinum need arterial supply, anthracyclines more; platinum holds up in heterogeneous
    lesions; the antimetabolite works best in small, even lesions; mitomycin is activated in hypoxic tissue and gains
    with a necrotic core; topoisomerase inhibition gains with proliferation, read as a bright rim. Alcohol and NBCA
    reach further in large lesions; small lesions do well with gelatin sponge.
    """
    perfused = phenotype.perfusion_scale - PERFUSION_TYPICAL
    uneven = float(np.clip(phenotype.heterogeneity, 0, 1)) - 0.3
    large = float(np.clip((phenotype.diameter_mm - 50) / 50, -0.8, 1.0))
    core = float(np.clip(phenotype.necrotic_fraction, 0, 0.6))
    rim = float(np.clip(phenotype.rim_enhancement, -0.5, 0.5))
    drugs = {
        "anthracycline": 1 + 0.9 * perfused - 0.25 * uneven,
        "platinum": 1 + 0.3 * perfused + 0.20 * uneven,
        "antimetabolite": 1 - 0.20 * large - 0.30 * uneven,
        "mitomycin": 1 - 0.4 * perfused + 0.35 * core,
        "topoisomerase-I": 1 + 0.30 * rim,
    }
    embolics = {
        "gelatin_sponge": 1 - 0.15 * large,
        "pva": 1.0 + 0.05 * large,
        "absolute_alcohol": 1 + 0.10 * large,
        "nbca": 1 + 0.10 * large,
        "kmg_microspheres": 1 - 0.05 * large,
        "embosphere": 1 + 0.05 * large,
        "doxorubicin_eluting_beads": 1 - 0.10 * large,
    }
    shunt = max(shunt_grade(facts), phenotype.shunt)
    return Sensitivities({k: float(np.clip(v, 0.6, 1.4)) for k, v in drugs.items()}, embolics, 1.0, shunt)
