"""What an evaluation measures, read from a JSON file or taken from a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mewm.errors import InputError
from mewm.explore.settings import ExploreSettings
from mewm.survival.choose import DEFAULT as DEFAULT_SURVIVAL

PARTS = ("synthesis", "survival", "protocols")
_NETWORKS = ("inception", "lpips_backbone", "lpips_heads", "lpips_net")
# What changes the summary only: a case measured with other values of these is the same. Bundles count by their weights.
_SUMMARY = ("cases", "bundles", "resamples", "page", *_NETWORKS)


@dataclass(frozen=True)
class EvaluationConfig:
    """Settings of an evaluation.

    Attributes:
        parts: what to measure, of ``"synthesis"``, ``"survival"``, ``"protocols"``.
        split: cases measured; models were fitted on ``"train"``.
        cases: at most so many cases of the split, in the order of the table; ``None`` for all.
        dynamics: synthesis arms; the first is also that of the full method.
        bundles: learned dynamics by name: folder of the bundle; those that are shipped need not be named.
        survival: survival model of the full method: ``"cox"``, ``"attention"`` or the folder of a bundle.
        assistant: what reads simulated and true CTs: ``"intensity"``, ``"nnU-Net"``, or the folder of a bundle or of an
            nnU-Net; ``"none"`` is an arm anyway.
        policies: policies alone as arms; the first is also that of the full method.
        endpoints: chat models alone as arms, by the names of ``mewm policy list``; they are asked over the network.
        send_accepted: whether pictures and facts of every case may be sent to them.
        replicas: simulated futures a case; at least 9 for the coverage of 80 % intervals.
        candidates: protocols compared in protocol retrieval.
        search: size of the search of the full method.
        resamples: bootstrap resamples.
        page: representative cases drawn.
        seed: seed of everything drawn.
        inception: file of torchvision's Inception v3 for FID; the bundled filter bank without it.
        lpips_backbone, lpips_heads: files of LPIPS (:func:`mewm.evaluation.torch_networks.load_lpips`); the bundled
            filter bank without them.
        lpips_net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
    """

    parts: tuple[str, ...] = PARTS
    split: str = "test"
    cases: int | None = None
    dynamics: tuple[str, ...] = ("mechanistic", "procedural texture", "cellular automaton")
    bundles: dict[str, str] = field(default_factory=dict)
    survival: str = DEFAULT_SURVIVAL
    assistant: str = "intensity"
    policies: tuple[str, ...] = ("guideline",)
    endpoints: tuple[str, ...] = ()
    send_accepted: bool = False
    replicas: int = 9
    candidates: int = 10
    search: ExploreSettings = field(default_factory=ExploreSettings)
    resamples: int = 1000
    page: int = 6
    seed: int = 0
    inception: str | None = None
    lpips_backbone: str | None = None
    lpips_heads: str | None = None
    lpips_net: str = "alex"

    def __post_init__(self) -> None:
        for what, given, known in (
            ("part", self.parts, PARTS),
            ("split", (self.split,), ("train", "val", "test")),
        ):
            if unknown := [name for name in given if name not in known]:
                raise InputError(f"The evaluation knows no {what} {unknown[0]!r}; choose one of {', '.join(known)}.")
        if not (self.parts and self.dynamics and self.policies):
            raise InputError("The evaluation needs at least one part, one dynamics model and one policy.")
        if self.endpoints and self.send_accepted is not True:
            raise InputError(
                f"The endpoint {self.endpoints[0]} would be sent pictures and facts of every case; set send_accepted "
                "to true if that is allowed."
            )
        if (self.lpips_backbone is None) != (self.lpips_heads is None):
            raise InputError("LPIPS needs two files; give both lpips_backbone and lpips_heads, or neither.")
        if not isinstance(self.survival, str):
            raise InputError(f"The evaluation's setting 'survival' is {self.survival!r}; give a name or a folder.")
        lowest = {"replicas": 9, "candidates": 4, "resamples": 20, "page": 1, "seed": 0, "cases": 1}
        for name, low in lowest.items():
            value = getattr(self, name)
            if not (name == "cases" and value is None) and (not isinstance(value, int) or value < low):
                raise InputError(f"The evaluation's setting {name!r} is {value!r}; give a whole number from {low} on.")

    @property
    def fingerprint(self) -> str:
        """Digest of what a case's measurements depend on."""
        measured = {k: v for k, v in asdict(self).items() if k not in _SUMMARY}
        return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()[:16]


def read_config(path: Path) -> EvaluationConfig:
    """Read settings from a JSON file, or take the search settings of a run folder.

    Raises:
        InputError: neither, or a setting is unknown or not allowed.
    """
    path = Path(path)
    if path.is_dir():
        from mewm.run import read_manifest

        return EvaluationConfig(search=_settings(read_manifest(path)["parameters"]))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give a run folder or a JSON file of settings.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"The settings {path} cannot be read as JSON ({error}).") from error
    if not isinstance(values, dict):
        raise InputError(f"The settings {path} hold no JSON object; give one of names and values.")
    known = [f.name for f in fields(EvaluationConfig)]
    if unknown := [name for name in values if name not in known]:
        raise InputError(f"The evaluation knows no setting {unknown[0]!r}; known are {', '.join(known)}.")
    bundles = values.get("bundles", {})
    if not isinstance(bundles, dict) or not all(isinstance(folder, str) for folder in bundles.values()):
        raise InputError(f"The evaluation's setting 'bundles' is {bundles!r}; give an object of names and folders.")
    for name in ("parts", "dynamics", "policies", "endpoints"):
        if name in values:
            values[name] = _names(name, values[name])
    if "search" in values:
        values["search"] = _settings(values["search"])
    return EvaluationConfig(**values)


def _names(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise InputError(f"The evaluation's setting {name!r} is {given!r}; give a list of names.")
    return tuple(given)


def _settings(values: dict[str, Any]) -> ExploreSettings:
    known = {f.name for f in fields(ExploreSettings)}
    if unknown := [name for name in values if name not in known]:
        raise InputError(f"The search knows no setting {unknown[0]!r}; known are {', '.join(sorted(known))}.")
    return ExploreSettings(**values)
