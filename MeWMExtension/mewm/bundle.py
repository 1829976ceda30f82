"""Model bundles: a folder of weights and what must be known about them, checked by SHA-256 before use.

A learned model is a MONAI bundle (https://docs.monai.io/en/stable/mb_specification.html)::

    configs/metadata.json       version, data, figures, format of inputs and outputs
    configs/inference.json      "network_def": class and arguments of the network; what running it needs besides
    configs/train.yaml          what `mewm train` reads
    models/model.safetensors    weights, never a pickle
    docs/README.md              the model card
    SHA256SUMS                  digests of everything above but the card

The Cox bundles hold one JSON file in place of the first four.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError, ResourceError

if TYPE_CHECKING:
    import torch

CHECKSUMS = "SHA256SUMS"
METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
TRAIN = "configs/train.yaml"
WEIGHTS = "models/model.safetensors"
CARD = "docs/README.md"
NOTICE = "Demonstration weights trained on simulated cases; not for clinical use."
"""Stands in every bundle that was fitted on the simulated cohort, and wherever a user meets it."""


def verified_bytes(folder: Path, name: str, title: str) -> tuple[bytes, str]:
    """Read a file of a bundle and compare it with ``SHA256SUMS``.

    Args:
        folder: the bundle.
        name: the file, relative to it, with ``/``.
        title: what the bundle is, for the user: ``"survival model"``.

    Returns:
        The content and its SHA-256 as hex digits.

    Raises:
        ResourceError: the file or ``SHA256SUMS`` is missing, or the file is not the one listed.
    """
    try:
        content = (folder / name).read_bytes()
        listed = (folder / CHECKSUMS).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ResourceError(
            f"The {title} in {folder} is incomplete ({name} and {CHECKSUMS}); reinstall MeWM or train it."
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if f"{digest}  {name}" not in listed:
        raise ResourceError(
            f"The {title} {folder / name} was changed (its SHA-256 is not the one in {CHECKSUMS}); "
            "reinstall MeWM or train it."
        )
    return content, digest


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Write ``SHA256SUMS`` for files of a bundle, in the format of ``sha256sum``."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="ascii", newline="\n")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A learned model on disk whose files are the ones that were written.

    Attributes:
        folder: where it lies.
        metadata: ``configs/metadata.json``.
        inference: ``configs/inference.json``.
        sha256: digest of the weights.
        title: what it is, for the user.
        weights: content of ``models/model.safetensors``.
    """

    folder: Path
    metadata: Mapping[str, Any]
    inference: Mapping[str, Any]
    sha256: str
    title: str
    weights: bytes

    def network_arguments(self) -> dict[str, Any]:
        """Return the arguments of the network's class, from ``network_def`` without ``_target_``."""
        return {k: v for k, v in self.inference["network_def"].items() if not k.startswith("_")}

    def load_into(self, module: torch.nn.Module) -> None:
        """Put the weights into a module, in evaluation mode afterwards; half precision becomes the module's own.

        Raises:
            ResourceError: the weights belong to another network, or the file holds no tensors.
        """
        import safetensors
        from safetensors.torch import load

        try:
            module.load_state_dict(load(self.weights))
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise ResourceError(
                f"The weights of the {self.title} in {self.folder} do not fit its network "
                f"({str(error).splitlines()[0]}); reinstall MeWM or train it."
            ) from error
        module.eval()


def read_bundle(folder: Path, title: str) -> Bundle:
    """Read and verify a bundle.

    Args:
        folder: the bundle.
        title: what it is, for the user: ``"autoencoder"``.

    Raises:
        ResourceError: a file is missing, was changed or is not what it should be.
    """
    folder = Path(folder)
    weights, digest = verified_bytes(folder, WEIGHTS, title)
    configs = {name: json.loads(verified_bytes(folder, name, title)[0]) for name in (METADATA, INFERENCE)}
    verified_bytes(folder, TRAIN, title)
    if "network_def" not in configs[INFERENCE]:
        raise ResourceError(f"The file {folder / INFERENCE} has no network_def; reinstall MeWM or train the {title}.")
    return Bundle(folder, configs[METADATA], configs[INFERENCE], digest, title, weights)


def write_bundle(
    folder: Path,
    *,
    state: Mapping[str, torch.Tensor],
    metadata: Mapping[str, Any],
    inference: Mapping[str, Any],
    train: str,
    card: str,
    half: bool = True,
    extra: Mapping[str, str] | None = None,
) -> Bundle:
    """Write a bundle.

    Args:
        folder: where; what lies there is overwritten.
        state: the network's ``state_dict``.
        metadata: ``version``, ``task``, ``description``, ``data``, ``figures``, ``network_data_format`` and so on.
        inference: must hold ``network_def`` with ``_target_`` and the network's arguments.
        train: the training configuration, as text of a YAML file.
        card: the model card in Markdown.
        half: store floating-point weights in 16 bits.
        extra: further text files by path within the bundle; their digests are kept too.

    Returns:
        The bundle as :func:`read_bundle` returns it.

    Raises:
        InputError: the folder cannot be written.
    """
    import torch
    from safetensors.torch import save

    def stored(value: torch.Tensor) -> torch.Tensor:
        value = value.detach().cpu().contiguous()
        return value.half() if half and value.dtype == torch.float32 else value

    files = {
        METADATA: json.dumps(metadata, indent=1, ensure_ascii=False) + "\n",
        INFERENCE: json.dumps(inference, indent=1, ensure_ascii=False) + "\n",
        TRAIN: train,
        CARD: card,
        **(extra or {}),
    }
    folder = Path(folder)
    try:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        (folder / WEIGHTS).parent.mkdir(exist_ok=True)
        (folder / WEIGHTS).write_bytes(save({name: stored(value) for name, value in state.items()}))
        write_checksums(folder, (METADATA, INFERENCE, TRAIN, WEIGHTS, *(extra or {})))
    except OSError as error:
        raise InputError(f"The bundle cannot be written to {folder} ({error.strerror or error}).") from error
    return read_bundle(folder, str(metadata.get("task", "model")))
