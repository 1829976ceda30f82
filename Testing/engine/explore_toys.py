"""Toy roles for the search: a world whose risks are known in closed form and cost microseconds.

Log viable fraction is the sum of the agents' log survivals (Bliss) plus interactions that follow no pattern plus
replica noise of which most is common to all protocols. Risk grows with what is left of the tumour and with each
agent's toxicity.
"""

from dataclasses import dataclass, field

import numpy as np

from mewm.actions.base import load_action_base
from mewm.clinical import ClinicalFacts
from mewm.roi import Roi
from mewm.roles import Proposal, RiskScore, Tissue

SIZE = 8
DRUGS = [
    "raltitrexed",
    "lobaplatin",
    "oxaliplatin",
    "epirubicin",
    "pirarubicin",
    "idarubicin",
    "cisplatin",
    "nedaplatin",
    "mitomycin",
    "hydroxycamptothecin",
    "doxorubicin",
]
EMBOLICS = ["lipiodol", "gelatin_sponge", "pva", "absolute_alcohol", "nbca", "kmg_microspheres", "embosphere"]
BEAD = "doxorubicin_eluting_beads"


def tiny_roi(facts=None):
    """A lesion of 64 voxels in a tiny grid; the search never looks inside."""
    lesion = np.zeros((SIZE, SIZE, SIZE), dtype=bool)
    lesion[2:6, 2:6, 2:6] = True
    ct = np.where(lesion, 120.0, 90.0).astype(np.float32)
    return Roi(
        ct=ct,
        lesion=lesion,
        liver=np.ones_like(lesion),
        inside=np.ones_like(lesion),
        feather=lesion.astype(np.float32),
        spacing=1.0,
        origin=(0.0, 0.0, 0.0),
        facts=facts or ClinicalFacts(),
    )


@dataclass
class ListPolicy:
    """Proposes the given agents with their usual doses."""

    drugs: tuple
    embolics: tuple
    name: str = "list"

    def propose(self, roi, goal, formulary, drugs, embolics):
        usual = load_action_base().usual
        return Proposal(tuple(usual(a) for a in self.drugs[:drugs]), tuple(usual(a) for a in self.embolics[:embolics]))


@dataclass
class CountingDynamics:
    """Puts the log viable fraction of a protocol and seed into the first voxel; counts what it is asked."""

    log_viable: object
    calls: list = field(default_factory=list)
    name: str = "toy"

    def simulate(self, roi, protocol, seeds):
        self.calls.append((protocol.key, tuple(seeds)))
        cts = np.repeat(roi.ct[None], len(seeds), axis=0)
        for ct, seed in zip(cts, seeds, strict=True):
            ct[0, 0, 0] = self.log_viable(protocol, seed)
        return cts


class ToyAssistant:
    name = "toy"

    def segment(self, roi, ct):
        tissue = roi.liver.astype(np.uint8)
        lesion = np.argwhere(roi.lesion)
        left = round(len(lesion) * min(1.0, float(np.exp(ct[0, 0, 0]))))
        tissue[tuple(lesion.T)] = Tissue.NECROSIS
        tissue[tuple(lesion[:left].T)] = Tissue.VIABLE
        return tissue


@dataclass
class ToySurvival:
    """Risk from the first voxel and the toxicity of the agents."""

    toxicity: dict
    weight: float = 1.0
    floor: float = 0.03
    name: str = "toy"

    def score(self, roi, post_ct, tissue, protocol):
        viable = float(np.exp(post_ct[0, 0, 0]))
        risk = self.weight * float(np.log(viable + self.floor))
        risk += sum(self.toxicity.get(agent, 0.0) for agent in protocol.agents)
        return RiskScore(risk, float(np.exp(-0.3 * np.exp(risk))), 100.0 * float(np.exp(-risk)))


@dataclass
class ToyWorld:
    roi: object
    policy: object
    dynamics: object
    assistant: object
    survival: object


def table_world(risks, drugs, embolics):
    """A world without noise whose risk of each set of agents is given: ``{"a b": risk}``."""
    table = {frozenset(names.split()): risk for names, risk in risks.items()}
    survival = ToySurvival({}, floor=0.0)
    dynamics = CountingDynamics(lambda protocol, seed: table[frozenset(protocol.agents)])
    return ToyWorld(tiny_roi(), ListPolicy(drugs, embolics), dynamics, ToyAssistant(), survival)


def random_world(seed, *, drugs=10, embolics=5, interaction=0.05, common=0.3, own=0.08, rest=0.02, free=1.0):
    """A seeded case with its own sensitivities, interactions, toxicities and replica noise (log units).

    ``free`` is the share of a drug's effect without Lipiodol. Near 0 the drug steps of Algorithm 1 are decided by
    differences far smaller than those they lead to, and its winner hangs on a hair.
    """
    rng = np.random.default_rng(seed)
    drug_ids = [*rng.permutation(DRUGS)[: drugs - 1], BEAD] if drugs > 1 else [str(rng.choice(DRUGS))]
    embolic_ids = ["lipiodol", *rng.permutation(EMBOLICS[1:])[: embolics - 1]]
    agents = [str(a) for a in (*drug_ids, *embolic_ids)]
    effect = {a: -rng.gamma(2.0, 0.2) for a in agents}
    effect["lipiodol"] = -rng.gamma(3.0, 0.25)
    effect[BEAD] = -rng.gamma(3.0, 0.35)
    pair = {frozenset((a, b)): rng.normal(0.0, interaction) for i, a in enumerate(agents) for b in agents[:i]}
    liver = rng.uniform(0.5, 2.0)
    toxicity = {a: liver * rng.gamma(2.0, 0.1) for a in drug_ids}
    toxicity |= {a: liver * rng.gamma(2.0, 0.03) for a in embolic_ids}
    index = {a: i for i, a in enumerate(agents)}

    def log_viable(protocol, replica_seed):
        noise = np.random.default_rng([seed, replica_seed])
        level, per_agent = noise.normal(0, common), noise.normal(0, own, len(agents))
        given = protocol.agents
        carried = 1.0 if "lipiodol" in given else free
        kill = {a: (effect[a] + per_agent[index[a]]) * (carried if a in DRUGS else 1.0) for a in given}
        value = level + sum(kill.values()) if given else 0.0
        value += sum(pair[frozenset((a, b))] for i, a in enumerate(given) for b in given[:i])
        return value + np.random.default_rng([seed, replica_seed, *(index[a] for a in given)]).normal(0, rest)

    return ToyWorld(
        tiny_roi(),
        ListPolicy(tuple(map(str, drug_ids)), tuple(map(str, embolic_ids))),
        CountingDynamics(log_viable),
        ToyAssistant(),
        ToySurvival({str(k): float(v) for k, v in toxicity.items()}),
    )
