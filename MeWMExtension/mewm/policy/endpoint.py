"""Where a chat model answers: address, model, where its key comes from, and how it likes to be asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal
from urllib.parse import urlsplit

from mewm.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_KEY_SOURCE = re.compile(r"none|(env:[A-Za-z_][A-Za-z0-9_]*)|(keyring:[\w.-]+)")
_LOOKS_LIKE_A_KEY = re.compile(r"(api[-_ ]?)?key|token|secret|password|authorization", re.IGNORECASE)
_CHOICES = {"api": ("openai", "azure"), "structured": ("schema", "json", "text")}
_RANGES = {
    "connect_timeout_s": (0.1, 120.0),
    "timeout_s": (0.1, 1800.0),
    "deadline_s": (0.1, 7200.0),
    "retries": (0, 10),
    "max_tokens": (64, 200_000),
    "temperature": (0.0, 2.0),
}


@dataclass(frozen=True)
class Endpoint:
    """One model behind an OpenAI-compatible chat-completions address. It never holds a key.

    Attributes:
        name: how the user calls it.
        base_url: address up to and without ``/chat/completions``; for Azure the resource's address.
        model: name of the model, or of the deployment on Azure.
        key: where the key comes from: ``"env:NAME"``, ``"keyring:NAME"`` or ``"none"``. A key from the
            environment is also looked up in the keyring under the endpoint's name.
        api: ``"openai"`` or ``"azure"`` (other paths and another header).
        api_version: of Azure.
        vision: whether the model reads pictures.
        structured: the strictest form of answer to ask for; where the server refuses it, the next is tried:
            ``"schema"`` (JSON schema), ``"json"`` (JSON mode), ``"text"``.
        stream: ask for the answer piece by piece.
        temperature: ``None`` leaves it to the server (reasoning models refuse it).
        seed: sent where the server takes one; ``None`` sends none.
        max_tokens: longest answer.
        completion_tokens_field: send the limit as ``max_completion_tokens`` (newer OpenAI models).
        connect_timeout_s, timeout_s: seconds to connect, and to wait for the next piece of an answer.
        deadline_s: seconds for one question with all its retries.
        retries: further tries after a time-out, a cut connection, 408, 409, 429 or 5xx, with growing pauses.
        allow_http: allow ``http`` to another machine, for a server inside the hospital.
        note: what a user should know.
    """

    name: str
    base_url: str
    model: str
    key: str = "none"
    api: Literal["openai", "azure"] = "openai"
    api_version: str = ""
    vision: bool = True
    structured: Literal["schema", "json", "text"] = "schema"
    stream: bool = False
    temperature: float | None = 0.0
    seed: int | None = None
    max_tokens: int = 4096
    completion_tokens_field: bool = False
    connect_timeout_s: float = 10.0
    timeout_s: float = 120.0
    deadline_s: float = 300.0
    retries: int = 2
    allow_http: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InputError(f"The endpoint name {self.name!r} is not usable; take letters, digits, '.', '_' or '-'.")
        for field in fields(self):
            _check(self.name, field.name, getattr(self, field.name))
        if self.api == "azure" and not self.api_version:
            raise InputError(f"The endpoint {self.name} has no api_version; Azure needs one, such as '2024-10-21'.")
        self._check_url()

    @property
    def host(self) -> str:
        """Host, with the port where one is stated."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    @property
    def is_local(self) -> bool:
        """Whether the address is this machine's own, so that nothing leaves it."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host.lower() == "localhost"

    @property
    def title(self) -> str:
        """Name, model and host in words."""
        return f"{self.name} ({self.model} at {self.host})"

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not host:
            raise InputError(
                f"The address of the endpoint {self.name} is not usable; give base_url as https://host/v1."
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise InputError(
                f"The address of the endpoint {self.name} carries a user, a password or a query; name the key's "
                "source in 'key' instead."
            )
        if parts.scheme == "http" and not self.is_local and not self.allow_http:
            raise InputError(
                f"The endpoint {self.name} would send pictures and key unencrypted to {host}; use https, or set "
                "allow_http for a server inside your own network."
            )


def make_endpoint(name: str, values: Mapping[str, Any]) -> Endpoint:
    """Build an endpoint from the entries of a configuration file.

    Args:
        name: how the user calls it.
        values: fields of :class:`Endpoint`.

    Raises:
        InputError: a field is unknown or missing, has a value that is not allowed, or holds a key.
    """
    known = [f.name for f in fields(Endpoint) if f.name != "name"]
    if not isinstance(values, Mapping):
        raise InputError(f"The endpoint {name!r} is not a JSON object; give base_url, model and key.")
    for field, value in values.items():
        if field not in known:
            if _LOOKS_LIKE_A_KEY.search(str(field)):
                raise InputError(
                    f"The endpoint {name!r} has the entry {field!r}; a key never stands in a file. Set 'key' to "
                    "env:NAME or keyring:NAME and put the key there."
                )
            raise InputError(f"The endpoint {name!r} has the unknown entry {field!r}; known are {', '.join(known)}.")
        if value is None and field not in ("temperature", "seed"):
            raise InputError(f"The endpoint {name!r} has no value for {field!r}; leave the entry out.")
    for field in ("base_url", "model"):
        if field not in values:
            raise InputError(f"The endpoint {name!r} has no {field!r}; add it.")
    return Endpoint(name=name, **values)


def _check(name: str, field: str, value: Any) -> None:
    """Check one field without ever repeating what stands in ``key``."""
    if field == "key":
        if not isinstance(value, str) or not _KEY_SOURCE.fullmatch(value):
            raise InputError(
                f"The endpoint {name} has a 'key' that names no source; give env:NAME, keyring:NAME or none. The key "
                "itself never stands in a file."
            )
    elif field in _CHOICES:
        if value not in _CHOICES[field]:
            raise InputError(f"The endpoint {name} has {field} {value!r}; choose one of {', '.join(_CHOICES[field])}.")
    elif field in _RANGES:
        low, high = _RANGES[field]
        whole = isinstance(low, int)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is None and field == "temperature":
            return
        if not number or (whole and value != int(value)) or not low <= value <= high:
            raise InputError(f"The endpoint {name} has {field} {value!r}; give a number from {low:g} to {high:g}.")
    elif field in ("vision", "stream", "completion_tokens_field", "allow_http"):
        if not isinstance(value, bool):
            raise InputError(f"The endpoint {name} has {field} {value!r}; give true or false.")
    elif field == "seed":
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InputError(f"The endpoint {name} has seed {value!r}; give a whole number.")
    elif not isinstance(value, str) or (field == "model" and not value.strip()):
        raise InputError(f"The endpoint {name} has {field} {value!r}; give text.")
