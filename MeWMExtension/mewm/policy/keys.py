"""Keys: from the environment or the system keyring, never from or to a file, never in a message."""

from __future__ import annotations

import os
from typing import Literal

from mewm.errors import InputError, how_to_install
from mewm.policy.endpoint import Endpoint

SERVICE = "mewm"
"""Under which the system keyring lists our entries."""
NO_KEY = "none"
"""Sent to servers that ask for no key, so that no key of another service is picked up by accident."""


class Key:
    """A key that does not print itself.

    Args:
        value: the key.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Key(***)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written to disk or sent to another process")

    def reveal(self) -> str:
        """Return the key itself, for the header of a request."""
        return self._value

    def redact(self, text: str) -> str:
        """Return a text without the key, should it occur there."""
        return text if len(self._value) < 6 else text.replace(self._value, "***")


def read_key(endpoint: Endpoint) -> Key:
    """Return the endpoint's key.

    Raises:
        InputError: there is none; the sentence says where to put it.
    """
    if endpoint.key == "none":
        return Key(NO_KEY)
    source, _, name = endpoint.key.partition(":")
    value = os.environ.get(name, "").strip() if source == "env" else ""
    value = value or _from_keyring(name if source == "keyring" else endpoint.name)
    if not value:
        where = f"set the environment variable {name}, or " if source == "env" else ""
        raise InputError(
            f"There is no key for the endpoint {endpoint.name}; {where}store it in the system keyring with: "
            f"mewm policy key {endpoint.name}"
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise InputError(f"The key for the endpoint {endpoint.name} holds blanks or signs no key has; store it again.")
    return Key(value)


def key_state(endpoint: Endpoint) -> Literal["not needed", "environment", "not in the environment", "keyring"]:
    """Say where an endpoint's key would come from, looking at the environment only.

    The keyring is not asked: on some systems that opens a socket and a dialog.
    """
    if endpoint.key == "none":
        return "not needed"
    source, _, name = endpoint.key.partition(":")
    if source == "keyring":
        return "keyring"
    return "environment" if os.environ.get(name, "").strip() else "not in the environment"


def store_key(endpoint: Endpoint, value: str) -> None:
    """Put a key into the system keyring.

    Raises:
        InputError: the endpoint needs none, or there is no keyring.
    """
    source, _, name = endpoint.key.partition(":")
    if source == "none":
        raise InputError(f"The endpoint {endpoint.name} needs no key.")
    if not value.strip():
        raise InputError("The key is empty; nothing was stored.")
    keyring = _keyring()
    try:
        keyring.set_password(SERVICE, name if source == "keyring" else endpoint.name, value.strip())
    except keyring.errors.KeyringError as error:
        raise InputError(
            f"The system keyring took no key ({type(error).__name__}); use an environment variable."
        ) from None


def _from_keyring(name: str) -> str:
    try:
        keyring = _keyring()
    except InputError:
        return ""
    try:
        return (keyring.get_password(SERVICE, name) or "").strip()
    except keyring.errors.KeyringError:
        # No keyring on this machine (a server, a container): the same as no entry.
        return ""


def _keyring():
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise InputError(f"The package keyring is missing; {how_to_install('policy')}.") from None
    return keyring
