"""The text tower φ of the action encoder: an open_clip transformer over the words of one sub-action.

The bundled tower is small and trained here, so it reads the first few thousand merges of open_clip's own byte-pair
vocabulary: any text stays readable, only in smaller pieces, and the table of tokens stays small. Who has CLIP weights
on disk can take them instead (``tower: ViT-B-32-quickgelu`` for OpenAI's, whose activation is not open_clip's usual
one, ``tower: ViT-B-32`` for LAION's); their tower then has the full vocabulary.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mewm.errors import InputError, first_line

OWN = "own"
"""The small tower that is trained here."""
_CLIP_PARTS = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")


@dataclass(frozen=True)
class TowerSettings:
    """Size of the text tower.

    Attributes:
        tower: ``"own"``, or an open_clip architecture such as ``"ViT-B-32-quickgelu"`` (OpenAI's weights) or
            ``"ViT-B-32"`` (LAION's), whose weights have the same names and sizes; the sizes below are then that
            architecture's.
        merges: byte-pair merges of the vocabulary.
        context_length: tokens of a sub-action; what is longer is cut off.
        width, layers, heads: of the transformer.
        dim: numbers that describe a text.
    """

    tower: str = OWN
    merges: int = 3072
    context_length: int = 40
    width: int = 96
    layers: int = 3
    heads: int = 4
    dim: int = 96


def text_tower(settings: TowerSettings) -> nn.Module:
    """Build an untrained tower: ``(N, context_length)`` token numbers → ``(N, dim)``.

    Raises:
        InputError: open_clip has no such architecture.
    """
    from open_clip import get_model_config
    from open_clip.transformer import QuickGELU, TextTransformer

    if settings.tower == OWN:
        return TextTransformer(
            context_length=settings.context_length,
            vocab_size=vocabulary_size(settings),
            width=settings.width,
            heads=settings.heads,
            layers=settings.layers,
            output_dim=settings.dim,
        )
    config = get_model_config(settings.tower)
    if config is None or "hf_model_name" in config.get("text_cfg", {"hf_model_name": ""}):
        raise InputError(f"open_clip knows no text tower {settings.tower!r}; take {OWN!r} or 'ViT-B-32-quickgelu'.")
    return TextTransformer(
        **{
            k: v
            for k, v in config["text_cfg"].items()
            if k in ("context_length", "vocab_size", "width", "heads", "layers")
        },
        output_dim=config["embed_dim"],
        act_layer=QuickGELU if config.get("quick_gelu") else nn.GELU,
    )


def text_dim(settings: TowerSettings) -> int:
    """Return how many numbers the tower gives for a text.

    Raises:
        InputError: open_clip has no such architecture.
    """
    if settings.tower == OWN:
        return settings.dim
    from open_clip import get_model_config

    config = get_model_config(settings.tower)
    if config is None:
        raise InputError(f"open_clip knows no text tower {settings.tower!r}; take {OWN!r} or 'ViT-B-32-quickgelu'.")
    return int(config["embed_dim"])


def load_clip_text(tower: nn.Module, path: Path) -> None:
    """Put the text weights of a CLIP checkpoint (safetensors, or PyTorch tensors without code) into a tower.

    Raises:
        InputError: the file cannot be read or holds another architecture.
    """
    from safetensors import SafetensorError

    try:
        if Path(path).suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Mapping[str, Any] = load_file(str(path))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = state.get("state_dict", state)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise InputError(
            f"The CLIP weights {path} cannot be read ({first_line(error)}); give safetensors or a plain state_dict."
        ) from error
    names = {name: name.removeprefix("module.").removeprefix("text.") for name in state}
    text = {short: state[name] for name, short in names.items() if short.startswith(_CLIP_PARTS)}
    # Image towers have a transformer of the same name one level down.
    text = {name: value for name, value in text.items() if not name.startswith("visual.")}
    try:
        tower.load_state_dict(text)
    except RuntimeError as error:
        raise InputError(
            f"The CLIP weights {path} do not fit the chosen text tower; choose the architecture they were trained with."
        ) from error


def vocabulary_size(settings: TowerSettings) -> int:
    """Return how many tokens the tower's vocabulary has."""
    return _tokenizer(_merges(settings)).vocab_size


def tokenise(texts: Sequence[str], settings: TowerSettings) -> torch.Tensor:
    """Return token numbers ``(len(texts), context_length)``, int64, 0 behind the end of a text."""
    length = settings.context_length if settings.tower == OWN else 77
    if not texts:
        return torch.zeros(0, length, dtype=torch.long)
    return _tokenizer(_merges(settings))(list(texts), context_length=length)


def _merges(settings: TowerSettings) -> int:
    return settings.merges if settings.tower == OWN else -1


@lru_cache(maxsize=2)
def _tokenizer(merges: int) -> Any:
    """Return open_clip's tokenizer, cut down to its first merges; -1 keeps all.

    Merges are ranked, so fewer of them are a vocabulary of the same kind.
    """
    from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode

    tokenizer = SimpleTokenizer()
    if merges < 0:
        return tokenizer
    ranked = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)[:merges]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in ranked)]
    special = [tokenizer.decoder[number] for number in tokenizer.all_special_ids]
    tokenizer.encoder = {word: number for number, word in enumerate([*words, *special])}
    tokenizer.decoder = {number: word for word, number in tokenizer.encoder.items()}
    tokenizer.bpe_ranks = {pair: rank for rank, pair in enumerate(ranked)}
    tokenizer.cache = {word: word for word in special}
    tokenizer.vocab_size = len(tokenizer.encoder)
    tokenizer.all_special_ids = [tokenizer.encoder[word] for word in special]
    tokenizer.sot_token_id, tokenizer.eot_token_id = tokenizer.all_special_ids
    return tokenizer
