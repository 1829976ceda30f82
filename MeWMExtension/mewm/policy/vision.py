"""The learned policy: a vision-language model proposes, a reasoning model refines, the project's rules decide.

Section 3.1 of the paper (arXiv 2506.02327). Nothing is sent before the payload was accepted. What comes back is
data: names are looked up in the action base, everything else is text to show.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.dynamics.phenotype import read_phenotype
from mewm.errors import InputError
from mewm.policy.chat import ChatClient, ChatError
from mewm.policy.endpoint import Endpoint
from mewm.policy.guideline import GuidelinePolicy
from mewm.policy.messages import Message
from mewm.policy.payload import Accept, Payload, available_agents, build_payload, refining_messages
from mewm.policy.reading import Reading, narrowed, read_suggestion, settle
from mewm.roi import Roi
from mewm.roles import Finding, Proposal

if TYPE_CHECKING:
    from mewm.policy.shapes import Suggestion


class VisionPolicy:
    """Proposes through one or two chat models. One instance serves one run.

    Args:
        proposer: vision-language model.
        refiner: reasoning model that narrows, or ``None``.
        accept: shows the payload of a case and returns ``True`` if it may be sent; asked once a payload.
        cancelled: looked at while waiting for an answer.
        keep: keep what was sent and received for :meth:`write_exchange`.

    Raises:
        InputError: the ``policy`` extra or a key is missing.
    """

    def __init__(
        self,
        proposer: Endpoint,
        refiner: Endpoint | None = None,
        *,
        accept: Accept,
        cancelled: Callable[[], bool] = lambda: False,
        keep: bool = False,
    ) -> None:
        self._accept = accept
        self._accepted: set[str] = set()
        self._allowed: tuple[Message, ...] = ()
        # Each client sends nothing but the messages set just before.
        self._proposer = ChatClient(proposer, self._is_allowed, cancelled)
        self._refiner = ChatClient(refiner, self._is_allowed, cancelled) if refiner else None
        self._keep = keep
        self._exchange: list[dict[str, Any]] = []
        self._sent: list[Message] = []
        self._title = f"vision-language ({' + '.join(e.name for e in (proposer, refiner) if e)})"
        self.name = self._title
        """As the manifest shows it; says so where the guideline policy had to take over."""

    def propose(self, roi: Roi, goal: str, formulary: Formulary, drugs: int, embolics: int) -> Proposal:
        """Propose at most ``drugs`` drugs (or beads) and ``embolics`` embolic agents, best first.

        Where no usable answer comes, the guideline policy proposes and a warning says why.

        Args:
            roi: the case on the model grid.
            goal: the user's goal in words, may be empty.
            formulary: the agents available.
            drugs, embolics: the largest numbers of candidates, D and E.

        Returns:
            Candidates at their usual doses, with the models' reasons, marked as theirs.

        Raises:
            InputError: goal or allergies could identify the patient, the payload was not accepted, or no
                complete protocol is left to this patient; nothing was sent.
            Cancelled: the user cancelled.
        """
        available = available_agents(roi, goal, formulary)
        endpoints = (self._proposer.endpoint, self._refiner.endpoint if self._refiner else None)
        payload = build_payload(roi, goal, available, drugs, embolics, *endpoints)
        self._require_accepted(payload)
        self.name = self._title
        try:
            reading = read_suggestion(self._ask(self._proposer, payload.messages), available, endpoints[0].name)
            if self._refiner is not None:
                settle(reading, available, roi.facts, len(available.drugs), len(available.embolics))
                reading = self._refined(self._refiner, reading, roi, goal, available, drugs, embolics)
            return settle(reading, available, roi.facts, drugs, embolics)
        except ChatError as failure:
            return self._by_guideline(failure, roi, goal, formulary, drugs, embolics)

    def write_exchange(self, folder: Path) -> None:
        """Write what was sent and received, if it was kept; headers and keys are not among it.

        Args:
            folder: made if needed; holds ``exchange.json`` and the pictures.
        """
        if not self._keep or not self._exchange:
            return
        folder.mkdir(parents=True, exist_ok=True)
        pictures = dict.fromkeys(picture for message in self._sent for picture in message.pictures)
        names = {picture: f"picture_{number}.png" for number, picture in enumerate(pictures, start=1)}
        for picture, name in names.items():
            (folder / name).write_bytes(picture.png)
        text = json.dumps(self._exchange, indent=1, ensure_ascii=False)
        # An answer can hold half a character, which UTF-8 cannot.
        (folder / "exchange.json").write_bytes(f"{text}\n".encode("utf-8", "backslashreplace"))

    def _require_accepted(self, payload: Payload) -> None:
        if payload.digest in self._accepted:
            return
        if self._accept(payload) is not True:
            raise InputError("The payload was not accepted; nothing was sent.")
        self._accepted.add(payload.digest)

    def _is_allowed(self, messages: tuple[Message, ...]) -> bool:
        return messages == self._allowed

    def _ask(self, client: ChatClient, messages: tuple[Message, ...]) -> Suggestion:
        from mewm.policy.shapes import Suggestion

        self._allowed = messages
        endpoint = client.endpoint
        record: dict[str, Any] = {
            "endpoint": endpoint.name,
            "base_url": endpoint.base_url,
            "model": endpoint.model,
            "sent": [{"role": m.role, "text": m.text, "captions": [p.caption for p in m.pictures]} for m in messages],
        }
        try:
            answer = client.ask(messages, Suggestion)
            record |= {"received": answer.text, "answered_by": answer.model, "form": answer.form}
            record |= {"seconds": round(answer.seconds, 3), "tokens": answer.tokens}
            return answer.value
        except ChatError as failure:
            record |= {"received": failure.received, "failure": str(failure)}
            raise
        finally:
            self._allowed = ()
            if self._keep:
                self._sent += messages
                self._exchange.append(record)

    def _refined(
        self,
        refiner: ChatClient,
        reading: Reading,
        roi: Roi,
        goal: str,
        available: Proposal,
        drugs: int,
        embolics: int,
    ) -> Reading:
        """Narrow a reading; where the second model fails, what the first proposed stays, with a warning.

        Only names of the action base go on to the second model, none of the first one's words.
        """
        base, seen = load_action_base(), read_phenotype(roi)
        candidates = ", ".join(base.display_name(agent) for agent in (*reading.drugs, *reading.embolics))
        messages = refining_messages(roi, seen, goal, available, drugs, embolics, candidates)
        try:
            finer = narrowed(reading, read_suggestion(self._ask(refiner, messages), available, refiner.endpoint.name))
            settle(finer, available, roi.facts, drugs, embolics)
        except ChatError as failure:
            message = f"The candidates were not refined: {failure}"
            return reading.with_finding(Finding("policy-unrefined", "warning", message, "MeWM policy model"))
        return finer

    def _by_guideline(
        self, failure: ChatError, roi: Roi, goal: str, formulary: Formulary, drugs: int, embolics: int
    ) -> Proposal:
        proposal = GuidelinePolicy().propose(roi, goal, formulary, drugs, embolics)
        self.name = f"guideline (in place of {self._title}, which gave no usable answer)"
        message = f"{failure} The guideline policy proposed instead."
        warning = Finding("policy-unavailable", "warning", message, "MeWM policy model")
        return replace(proposal, findings=(warning, *proposal.findings))
