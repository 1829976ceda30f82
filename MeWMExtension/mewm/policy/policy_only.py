"""A chat model that chooses one whole protocol by itself, without simulation: the paper's comparison arms."""

from __future__ import annotations

from dataclasses import dataclass, field

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.dynamics.phenotype import read_phenotype
from mewm.policy.answer_text import plain
from mewm.policy.chat import ChatClient, ChatError
from mewm.policy.endpoint import Endpoint
from mewm.policy.messages import Message, asking_for
from mewm.policy.payload import Accept, Payload, available_agents, check_free_text
from mewm.policy.pictures import lesion_pictures
from mewm.policy.prompts import agent_words, case_words, choosing_role, rule_words
from mewm.roi import Roi

MOST_DRUGS = 2
MOST_EMBOLICS = 2
"""The paper's horizons H_d and H_e."""


@dataclass(frozen=True)
class Choice:
    """What a model chose for a case.

    Attributes:
        protocol: what the rules leave of it, at usual doses; ``None`` where that is no whole protocol.
        as_named: the agents of the action base it named, in its order, whatever the rules say.
        unknown: names the action base does not know.
        broken: sentences of the rules that the choice as named breaks.
        failure: why there is no answer; empty where there is one.
    """

    protocol: Protocol | None
    as_named: Protocol = field(default_factory=Protocol)
    unknown: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    failure: str = ""


class PolicyOnly:
    """A named endpoint that chooses protocols; where it fails nothing stands in for it.

    Args:
        endpoint: vision-language model.
        accept: shows the payload of a case and returns ``True`` if it may be sent; asked for every case.
        name: how tables call it; the endpoint's name by default.

    Raises:
        InputError: the ``policy`` extra or the key is missing.
    """

    def __init__(self, endpoint: Endpoint, accept: Accept, name: str = "") -> None:
        self.name = f"{name or endpoint.name} alone"
        self._endpoint = endpoint
        self._accept = accept

    def choose(self, roi: Roi, goal: str = "", formulary: Formulary | None = None) -> Choice:
        """Ask for one protocol for a case.

        Args:
            roi: the case on the model grid.
            goal: goal in words.
            formulary: agents available; everything by default.

        Raises:
            InputError: free text could identify the patient, the payload was not accepted, or no protocol is
                left to this patient; nothing was sent.
        """
        from mewm.policy.shapes import Prescription

        formulary = formulary or Formulary.everything()
        check_free_text(roi, goal)
        available = available_agents(roi, goal, formulary)
        seen = read_phenotype(roi)
        words = [case_words(roi.facts, seen, goal), agent_words(available), rule_words(roi.facts)]
        question = Message("user", "\n\n".join(words), lesion_pictures(roi, seen))
        messages = asking_for(Prescription, (Message("system", choosing_role(MOST_DRUGS, MOST_EMBOLICS)), question))
        payload = Payload(self._endpoint, messages)
        client = ChatClient(self._endpoint, lambda prepared: prepared == messages and self._accept(payload) is True)
        try:
            answer = client.ask(messages, Prescription).value
        except ChatError as failure:
            return Choice(None, failure=str(failure))
        return _read([*answer.drugs[:20], *answer.embolics[:20]], roi, formulary)


def policy_only(endpoint: Endpoint, accept: Accept, roi: Roi) -> Protocol | None:
    """Return one protocol for a case from a chat model alone; ``None`` where it gives none that the rules allow.

    Raises:
        InputError: as :class:`PolicyOnly`.
    """
    return PolicyOnly(endpoint, accept).choose(roi).protocol


def _read(names: list[str], roi: Roi, formulary: Formulary) -> Choice:
    base = load_action_base()
    unknown: dict[str, None] = {}
    named: dict[str, Action] = {}
    for name in names:
        agent = base.resolve(name[:200])
        if agent is None:
            unknown[plain(name, 60)] = None
        else:
            named[agent.id] = base.usual(agent.id)
    as_named = Protocol(tuple(named.values()))
    findings = rules.check(as_named, roi.facts, formulary, MOST_DRUGS, MOST_EMBOLICS)
    broken = tuple(dict.fromkeys(f.message for f in findings if f.severity == "excluded"))
    return Choice(_under_rules(as_named, roi, formulary), as_named, tuple(unknown), broken)


def _under_rules(named: Protocol, roi: Roi, formulary: Formulary) -> Protocol | None:
    """Take the agents in their order as long as the rules allow them; Lipiodol is added where it is missing."""
    protocol = Protocol()
    embolics = [a for a in named.actions if a.kind == "embolic"]
    if all(a.agent != "lipiodol" for a in embolics):
        embolics.insert(0, load_action_base().usual("lipiodol"))
    phases = (
        ([a for a in named.actions if a.kind != "embolic"], MOST_DRUGS, MOST_EMBOLICS),
        (embolics, MOST_EMBOLICS, 0),
    )
    for wanted, most, later in phases:
        for step in range(most):
            allowed, _ = rules.extensions(protocol, wanted, roi.facts, formulary, most - step + later)
            if not allowed:
                break
            protocol = protocol.with_action(allowed[0])
    return protocol if rules.is_complete(protocol) else None


def accept_all(payload: Payload) -> bool:
    """Accept every payload: for simulated cases, and where the user accepted the sending of a whole cohort."""
    return True
