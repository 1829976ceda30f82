"""What is said to a chat model: messages with pictures, and their form in the chat-completions API."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Picture:
    """One PNG file in memory.

    Attributes:
        png: the file; no metadata.
        caption: what it shows, sent as text before it.
    """

    png: bytes = field(repr=False)
    caption: str


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: ``"system"`` or ``"user"``.
        text: its words.
        pictures: follow the words.
    """

    role: Literal["system", "user"]
    text: str
    pictures: tuple[Picture, ...] = ()


def answer_schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of an answer in the strict form: every field required, no others."""
    return _strict(shape.model_json_schema())


def asking_for(shape: type[BaseModel], messages: Sequence[Message]) -> tuple[Message, ...]:
    """Add to the first message in which form to answer.

    The schema is part of the text in every mode: so what is shown before sending is what is sent, and models
    whose server knows no structured output are told all the same. Messages that ask already stay as they are.
    """
    first, *rest = messages
    schema = json.dumps(answer_schema(shape), ensure_ascii=False)
    asking = f"\n\nAnswer with one JSON object of this JSON schema: {schema}"
    return (first if first.text.endswith(asking) else replace(first, text=first.text + asking), *rest)


def digest(*parts: Any) -> str:
    """Return a SHA-256 over texts and messages, in hexadecimal; any change of a word or a voxel changes it."""
    total = hashlib.sha256()
    for part in parts:
        for value in _leaves(part):
            total.update(len(value).to_bytes(8, "big") + value)
    return total.hexdigest()


def to_api(message: Message) -> dict[str, Any]:
    """Return a message in the form of the chat-completions API; without pictures its content is plain text."""
    if not message.pictures:
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
    for picture in message.pictures:
        data = base64.b64encode(picture.png).decode("ascii")
        parts.append({"type": "text", "text": picture.caption})
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
    return {"role": message.role, "content": parts}


def _leaves(part: Any) -> list[bytes]:
    if isinstance(part, str):
        return [part.encode()]
    if isinstance(part, Message):
        pictures = [leaf for p in part.pictures for leaf in (p.caption.encode(), p.png)]
        return [part.role.encode(), part.text.encode(), *pictures]
    return [leaf for inner in part for leaf in _leaves(inner)]


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # Titles say nothing, and strict servers refuse defaults.
    kept = {k: v for k, v in schema.items() if not (k in ("title", "default") and not isinstance(v, dict))}
    kept = {k: _strict(v) for k, v in kept.items()}
    if kept.get("type") == "object" and "properties" in kept:
        kept |= {"additionalProperties": False, "required": list(kept["properties"])}
    return kept
