"""Endpoints by name: those that ship, without keys, and the user's own in one JSON file."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mewm.errors import InputError
from mewm.policy.endpoint import Endpoint, make_endpoint

_VLLM = "http://localhost:8000/v1"
_SELF_SERVED = "Serve it yourself behind an OpenAI-compatible address, for example with vLLM."

_SHIPPED: dict[str, dict[str, Any]] = {
    "gpt-4o": {
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-4o",
        "key": "env:OPENAI_API_KEY",
        "note": "Proposes in the paper.",
    },
    "deepseek-r1": {
        "base_url": "https://api.deepseek.com/v1",
        "model": "deepseek-reasoner",
        "key": "env:DEEPSEEK_API_KEY",
        "vision": False,
        "structured": "json",
        "temperature": None,
        "max_tokens": 16384,
        "timeout_s": 300.0,
        "deadline_s": 900.0,
        "note": "Refines in the paper; reads no pictures.",
    },
    "claude": {
        "base_url": "https://api.anthropic.com/v1",
        "model": "claude-sonnet-4-5",
        "key": "env:ANTHROPIC_API_KEY",
        "structured": "text",
        "note": "Through the OpenAI-compatible address of its maker.",
    },
    "qwen2.5-vl": {
        "base_url": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "model": "qwen2.5-vl-72b-instruct",
        "key": "env:DASHSCOPE_API_KEY",
        "structured": "json",
    },
    "huatuogpt-vision": {
        "base_url": _VLLM,
        "model": "FreedomIntelligence/HuatuoGPT-Vision-7B",
        "structured": "text",
        "note": _SELF_SERVED,
    },
    "medgpt": {"base_url": _VLLM, "model": "medgpt", "structured": "text", "note": _SELF_SERVED},
    "ct2rep": {
        "base_url": _VLLM,
        "model": "ct2rep",
        "structured": "text",
        "note": "Writes reports of chest CT; it needs a wrapper of your own that answers chat completions.",
    },
    "vllm": {"base_url": _VLLM, "model": "Qwen/Qwen2.5-VL-7B-Instruct", "note": "Stays on this machine."},
    "ollama": {
        "base_url": "http://localhost:11434/v1",
        "model": "qwen2.5vl:7b",
        "timeout_s": 600.0,
        "deadline_s": 1200.0,
        "note": "Stays on this machine.",
    },
}

# What can be built on but not called as it is: the address is the institution's own.
_TEMPLATES: dict[str, dict[str, Any]] = {
    "azure": {"api": "azure", "api_version": "2024-10-21", "key": "env:AZURE_OPENAI_API_KEY"},
}

PRESETS: dict[str, Endpoint] = {name: make_endpoint(name, values) for name, values in _SHIPPED.items()}
"""The shipped endpoints."""

ARMS = ("gpt-4o", "claude", "qwen2.5-vl", "ct2rep", "medgpt", "huatuogpt-vision")
"""The policy-only arms of the paper's Table 2."""


def endpoints_file() -> Path:
    """Return where the user's own endpoints are read from: ``MEWM_ENDPOINTS`` or ``~/.config/mewm/endpoints.json``."""
    given = os.environ.get("MEWM_ENDPOINTS")
    if given:
        return Path(given)
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "mewm" / "endpoints.json"


def read_endpoints(path: Path | None = None) -> dict[str, Endpoint]:
    """Return the shipped endpoints and those of the user's file, which come first where names meet.

    The file is a JSON object, name → fields of :class:`~mewm.policy.endpoint.Endpoint`; an entry ``"preset"``
    names the shipped endpoint, or ``"azure"``, that gives the fields left out. Nothing is connected to and no
    key is read.

    Args:
        path: another file; it has to exist.

    Raises:
        InputError: the file cannot be read or an endpoint in it is wrong.
    """
    file = endpoints_file() if path is None else Path(path)
    if path is None and not os.environ.get("MEWM_ENDPOINTS") and not file.is_file():
        return dict(PRESETS)
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"The file of endpoints {file} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"The file of endpoints {file} cannot be read as JSON ({type(error).__name__}).") from None
    if not isinstance(values, dict):
        raise InputError(f"The file of endpoints {file} holds no JSON object; give one of names and endpoints.")
    own = {str(name): _build(str(name), entry) for name, entry in values.items()}
    return {**own, **{name: e for name, e in PRESETS.items() if name not in own}}


def find_endpoint(name: str, path: Path | None = None) -> Endpoint:
    """Return the endpoint of a name.

    Raises:
        InputError: there is none; the sentence lists the closest names.
    """
    known = read_endpoints(path)
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = (
        f"did you mean {close[0]}?" if close else f"choose one of {', '.join(known)}, or add it to {endpoints_file()}."
    )
    raise InputError(f"There is no endpoint {name!r}; {hint}")


def find_policy(text: str, path: Path | None = None) -> tuple[Endpoint, Endpoint | None]:
    """Read ``"NAME"`` or ``"NAME+NAME"``: the endpoint that proposes and the one that refines.

    ``"paper"`` stands for ``"gpt-4o+deepseek-r1"``.

    Raises:
        InputError: a name is unknown, there are more than two, or the first reads no pictures.
    """
    names = ("gpt-4o+deepseek-r1" if text == "paper" else text).split("+")
    if len(names) > 2:
        raise InputError(f"The policy {text!r} names {len(names)} endpoints; give one, or two as PROPOSES+REFINES.")
    found = [find_endpoint(name.strip(), path) for name in names]
    if not found[0].vision:
        raise InputError(f"The endpoint {found[0].name} reads no pictures, so it cannot propose; let it refine.")
    return found[0], found[1] if len(found) > 1 else None


def _build(name: str, entry: Any) -> Endpoint:
    if not isinstance(entry, Mapping) or "preset" not in entry:
        return make_endpoint(name, entry)
    patterns = {**_SHIPPED, **_TEMPLATES}
    if entry["preset"] not in patterns:
        raise InputError(f"The endpoint {name!r} builds on {entry['preset']!r}; shipped are {', '.join(patterns)}.")
    own = {field: value for field, value in entry.items() if field != "preset"}
    return make_endpoint(name, {**patterns[entry["preset"]], **own})
