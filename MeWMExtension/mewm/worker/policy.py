"""The policy model of a request: which one, what it would be sent, and whether that was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError
from mewm.worker.fields import Fields, RequestError

if TYPE_CHECKING:
    from mewm.policy.payload import Payload
    from mewm.policy.vision import VisionPolicy
    from mewm.worker.job import Job

GUIDELINE = "guideline"


@dataclass(frozen=True)
class PolicyChoice:
    """What proposes, as a request names it.

    Attributes:
        name: ``"guideline"``, or endpoints as :func:`mewm.policy.presets.find_policy` reads them.
        accepted: digest of the payload that the user accepted, empty for none.
        keep_exchange: keep what was sent and received in the run folder.
    """

    name: str = GUIDELINE
    accepted: str = ""
    keep_exchange: bool = False

    def build(self, job: Job) -> VisionPolicy | None:
        """Return the policy model, ``None`` for the guideline policy; connects to nothing.

        Raises:
            InputError: an endpoint, its key or its package is missing.
        """
        if self.name == GUIDELINE:
            return None
        from mewm.policy.exchange import require_package
        from mewm.policy.presets import find_policy

        require_package()
        from mewm.policy.payload import accept_digest
        from mewm.policy.vision import VisionPolicy

        return VisionPolicy(
            *find_policy(self.name),
            accept=accept_digest(self.accepted),
            cancelled=job.cancelled.is_set,
            keep=self.keep_exchange,
        )


def read_choice(given: Fields) -> PolicyChoice:
    """Read ``policy``, ``send_accepted`` and ``keep_exchange`` of a request.

    Raises:
        RequestError: a parameter is of the wrong type, or belongs to a policy model and none is named.
        InputError: a policy model is named and no payload was accepted: nothing is sent then.
    """
    choice = PolicyChoice(
        given.text("policy", GUIDELINE), given.text("send_accepted", "").strip(), given.flag("keep_exchange")
    )
    if choice.name == GUIDELINE:
        if choice.accepted or choice.keep_exchange:
            raise RequestError("'send_accepted' and 'keep_exchange' need a policy model in 'policy'.")
    elif not choice.accepted:
        raise InputError(
            f"The policy {choice.name} sends data to a model and nothing was accepted, so nothing was sent; look at "
            "the payload ('preview') and give its digest as 'send_accepted'."
        )
    return choice


def policy_names() -> list[str]:
    """Return what ``policy`` accepts: the guideline policy and every endpoint that can propose; connects to none.

    Raises:
        InputError: the user's file of endpoints cannot be used.
    """
    from mewm.policy.presets import read_endpoints

    return [GUIDELINE, "paper", *(name for name, endpoint in read_endpoints().items() if endpoint.vision)]


def described_payload(payload: Payload, folder: Path) -> Mapping[str, Any]:
    """Write a payload to look at and return the result of ``preview`` (docs/worker.md)."""
    page = payload.write(folder)
    ends = [end for end in (payload.proposer, payload.refiner) if end is not None]
    return {
        "digest": payload.digest,
        "text": payload.to_text(),
        "page": str(page),
        "pictures": [
            {"path": str(folder / f"picture_{number}.png"), "caption": picture.caption}
            for number, picture in enumerate(payload.pictures, start=1)
        ],
        "endpoints": [{"name": e.name, "model": e.model, "host": e.host, "local": e.is_local} for e in ends],
    }
