"""Exactly what would be sent for a case: built first, shown, accepted, and only then sent."""

from __future__ import annotations

import hashlib
import html
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mewm.actions.formulary import Formulary
from mewm.dynamics.phenotype import Phenotype, read_phenotype
from mewm.errors import InputError
from mewm.policy.endpoint import Endpoint
from mewm.policy.guideline import GuidelinePolicy
from mewm.policy.identifiers import require_no_identifiers
from mewm.policy.messages import Message, Picture, asking_for, digest
from mewm.policy.pictures import lesion_pictures
from mewm.policy.prompts import agent_words, case_words, proposing_role, refining_role, rule_words
from mewm.roi import Roi
from mewm.roles import Proposal

LONGEST_GOAL = 2000
_CANDIDATES = "[the names the first model chose from the list of agents above]"


@dataclass(frozen=True)
class Payload:
    """What goes where.

    Attributes:
        proposer: endpoint that gets text and pictures.
        messages: the exact messages to it.
        refiner: endpoint that gets text only, or ``None``.
        refining: the messages to it, with a placeholder for the agents the first model will choose.
    """

    proposer: Endpoint
    messages: tuple[Message, ...]
    refiner: Endpoint | None = None
    refining: tuple[Message, ...] = ()

    @property
    def digest(self) -> str:
        """Twelve characters that stand for this payload; any change of a word, voxel or address changes them."""
        ends = [(e.base_url, e.model) for e in (self.proposer, self.refiner) if e is not None]
        return digest(ends, self.messages, self.refining)[:12]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures in their order."""
        return tuple(picture for message in self.messages for picture in message.pictures)

    def to_text(self) -> str:
        """Return everything in plain text; of pictures their captions, sizes and hashes."""
        lines = []
        for endpoint, messages, what in self._parts():
            place = "this machine" if endpoint.is_local else endpoint.host
            lines += [f"== To {endpoint.name}: model {endpoint.model} at {place}{what} =="]
            for message in messages:
                lines += [f"-- {message.role} --", message.text]
                for picture in message.pictures:
                    size = f"{len(picture.png) / 1024:.0f} KB, SHA-256 {hashlib.sha256(picture.png).hexdigest()[:12]}"
                    lines.append(f"[PNG, {size}] {picture.caption}")
            lines.append("")
        return "\n".join([*lines, f"Payload {self.digest}: these texts and pictures are all that is sent."])

    def write(self, folder: Path) -> Path:
        """Write a page with text and pictures, and the pictures as files; return the page.

        Args:
            folder: made if needed; holds ``payload.html``, ``payload.txt`` and ``picture_1.png`` and so on.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(self.pictures, start=1):
            (folder / f"picture_{number}.png").write_bytes(picture.png)
        (folder / "payload.txt").write_text(self.to_text() + "\n", encoding="utf-8")
        page = folder / "payload.html"
        page.write_text(self._html(), encoding="utf-8")
        return page

    def _parts(self) -> list[tuple[Endpoint, tuple[Message, ...], str]]:
        parts = [(self.proposer, self.messages, "")]
        if self.refiner is not None:
            parts.append((self.refiner, self.refining, ", after the first answer"))
        return parts

    def _html(self) -> str:
        body, number = [], 0
        for endpoint, messages, what in self._parts():
            body.append(f"<h2>To {html.escape(endpoint.title)}{what}</h2>")
            for message in messages:
                body.append(f"<h3>{message.role}</h3><pre>{html.escape(message.text)}</pre>")
                for picture in message.pictures:
                    number += 1
                    body.append(f'<p>{html.escape(picture.caption)}</p><img src="picture_{number}.png" alt="">')
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>What would be sent</title><style>'
            "body{font:16px/1.45 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;background:#fff;color:#111}"
            "pre{white-space:pre-wrap;background:#f3f3f3;padding:1em}img{max-width:100%}</style>"
            f"<h1>What would be sent</h1><p>Payload <code>{self.digest}</code>. Nothing has been sent. "
            f"Research use only.</p>{''.join(body)}</html>\n"
        )


def require_new_or_payload(folder: Path) -> None:
    """Check that a folder may take a payload.

    Raises:
        InputError: it exists and holds something else.
    """
    if folder.exists() and not (folder / "payload.txt").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and holds no payload; name another folder with --out.")


Accept = Callable[[Payload], bool]
"""Shows a payload to the user and returns ``True`` if it may be sent."""


def accept_digest(wanted: str) -> Accept:
    """Return an acceptance of the one payload that was shown before under this digest.

    Raises:
        InputError: when called with another payload: the case, the goal or the endpoint has changed since.
    """

    def accept(payload: Payload) -> bool:
        if payload.digest != wanted.strip().lower():
            raise InputError(
                f"The accepted payload is {wanted}, but this one is {payload.digest}: case, goal, settings or endpoint "
                "differ from what was shown. Nothing was sent; look at it again."
            )
        return True

    return accept


def check_free_text(roi: Roi, goal: str) -> None:
    """Check the only free texts that would be sent: the goal and the stated allergies.

    Raises:
        InputError: one of them is too long or holds what could identify the patient.
    """
    if len(goal) > LONGEST_GOAL:
        raise InputError(f"The goal has {len(goal)} characters; a policy model gets at most {LONGEST_GOAL}.")
    for words in (goal, *roi.facts.allergies):
        if any(unicodedata.category(c) == "Cs" for c in words):
            raise InputError(f"The text {words!r} holds broken characters; type it again.")
    require_no_identifiers(goal, "goal")
    for allergy in roi.facts.allergies:
        require_no_identifiers(allergy, "list of allergies")


def available_agents(roi: Roi, goal: str, formulary: Formulary) -> Proposal:
    """Return every agent that the project's own rules leave to this patient, at its usual dose, with the findings.

    Raises:
        InputError: no complete protocol is left.
    """
    return GuidelinePolicy().propose(roi, goal, formulary, 99, 99)


def build_payload(
    roi: Roi,
    goal: str,
    available: Proposal,
    drugs: int,
    embolics: int,
    proposer: Endpoint,
    refiner: Endpoint | None = None,
) -> Payload:
    """Build what would be sent for a case; nothing is sent.

    Args:
        roi: the case on the model grid.
        goal: the user's goal in words.
        available: from :func:`available_agents`.
        drugs, embolics: the largest numbers of candidates, D and E.
        proposer, refiner: the endpoints.

    Raises:
        InputError: goal or allergies could identify the patient.
    """
    from mewm.policy.shapes import Suggestion

    check_free_text(roi, goal)
    seen = read_phenotype(roi)
    words = f"{case_words(roi.facts, seen, goal)}\n\n{agent_words(available)}"
    # Without a second model the first one narrows by itself.
    wide = (len(available.drugs), len(available.embolics)) if refiner else (drugs, embolics)
    messages = (
        Message("system", proposing_role(*wide)),
        Message("user", words, lesion_pictures(roi, seen)),
    )
    refining = refining_messages(roi, seen, goal, available, drugs, embolics, _CANDIDATES) if refiner else ()
    return Payload(proposer, asking_for(Suggestion, messages), refiner, refining)


def refining_messages(
    roi: Roi, seen: Phenotype, goal: str, available: Proposal, drugs: int, embolics: int, candidates: str
) -> tuple[Message, ...]:
    """Return the text-only question that narrows ``candidates``, names of the action base separated by commas."""
    from mewm.policy.shapes import Suggestion

    words = [case_words(roi.facts, seen, goal), agent_words(available), rule_words(roi.facts)]
    question = "\n\n".join([*words, f"Candidates of the first model: {candidates}"])
    return asking_for(Suggestion, (Message("system", refining_role(drugs, embolics)), Message("user", question)))
