"""One request with the ``openai`` package, and what every failure of it means in one sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError, MewmError, how_to_install
from mewm.policy.answer_text import plain
from mewm.policy.endpoint import Endpoint
from mewm.policy.keys import Key

if TYPE_CHECKING:
    from mewm.policy.transport import Guard

# What a server answers that does not know the wanted form of answer.
_UNKNOWN_FORM = (400, 415, 422, 501)
_FORM_WORDS = re.compile(r"response_format|json_schema|structured|guided", re.IGNORECASE)


class ChatError(MewmError):
    """A question that got no usable answer; one sentence without the key.

    Attributes:
        kind: ``"timeout"``, ``"connection"``, ``"key"``, ``"not found"``, ``"busy"``, ``"server"``,
            ``"request"``, ``"form"`` (the server knows no such form of answer), ``"refused"``,
            ``"truncated"``, ``"too large"``, ``"malformed"`` or ``"empty"`` (nothing in it can be used).
        received: what came back of an answer, without the key; empty where nothing did.
    """

    def __init__(self, sentence: str, kind: str, received: str = "") -> None:
        super().__init__(sentence)
        self.kind = kind
        self.received = received


@dataclass(frozen=True)
class Reply:
    """An answer as received.

    Attributes:
        text: its words.
        model: name the server gives its model.
        tokens: as the server counts them.
    """

    text: str
    model: str = ""
    tokens: dict[str, int] = field(default_factory=dict)


def require_package() -> None:
    """Check that the packages of the ``policy`` extra are installed.

    Raises:
        InputError: they are not; the sentence names the command that mends it.
    """
    try:
        import openai  # noqa: F401
    except ImportError:
        raise InputError(
            f"The policy model needs the openai package, which is missing; {how_to_install('policy')}."
        ) from None


def exchange(endpoint: Endpoint, key: Key, body: dict[str, Any], guard: Guard) -> Reply:
    """Send one request, with the package's own retries and pauses, and return the whole answer.

    Args:
        endpoint: whom to ask.
        key: its key.
        body: arguments of ``chat.completions.create``.
        guard: bounds the answer.

    Raises:
        ChatError: no whole answer.
    """
    import httpx2
    import openai

    from mewm.policy.transport import http_client

    received = ""
    try:
        with http_client(endpoint, guard) as http, _client(endpoint, key, http) as client:
            if not endpoint.stream:
                return _whole(endpoint, key, client.chat.completions.create(**body), guard)
            pieces, end, refusal, model = [], "", "", ""
            for chunk in client.chat.completions.create(stream=True, **body):
                model = chunk.model or model
                for choice in (chunk.choices or [])[:1]:
                    pieces.append(choice.delta.content or "")
                    refusal += getattr(choice.delta, "refusal", None) or ""
                    end = choice.finish_reason or end
                    received = "".join(pieces)[:20_000] if len(pieces) % 256 == 0 else received
            received = key.redact("".join(pieces))
            _require_whole(endpoint, guard, received, end, refusal, streamed=True)
            return Reply(received, plain(key.redact(model), 100))
    except ChatError:
        raise
    except openai.APITimeoutError:
        error = _timeout(endpoint, guard)
    except openai.APIStatusError as failure:
        error = _status(endpoint, key, failure, guard)
    except (openai.APIConnectionError, httpx2.HTTPError) as failure:
        cause = failure if isinstance(failure, httpx2.HTTPError) else failure.__cause__
        if isinstance(cause, httpx2.TimeoutException):
            error = _timeout(endpoint, guard)
        else:
            error = _no_completion(endpoint) if isinstance(cause, RecursionError) else _cut(endpoint)
    except openai.APIError as failure:
        # An error told inside a stream.
        error = ChatError(f"{endpoint.name} broke off: {_told(key, failure.message)}.", "server")
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        # The packages raise these on a body that is no chat completion, the last on brackets nested without end.
        error = _no_completion(endpoint)
    if guard.too_large:
        error = _too_large(endpoint)
    error.received = error.received or received
    # The failure itself would carry the request into a traceback.
    raise error from None


def _client(endpoint: Endpoint, key: Key, http: Any) -> Any:
    import openai

    common: dict[str, Any] = {"api_key": key.reveal(), "http_client": http, "max_retries": endpoint.retries}
    if endpoint.api == "azure":
        return openai.AzureOpenAI(azure_endpoint=endpoint.base_url, api_version=endpoint.api_version, **common)
    return openai.OpenAI(base_url=endpoint.base_url, **common)


def _whole(endpoint: Endpoint, key: Key, completion: Any, guard: Guard) -> Reply:
    choice = completion.choices[0]
    text = key.redact(choice.message.content or "")
    refusal = getattr(choice.message, "refusal", None) or ""
    _require_whole(endpoint, guard, text, choice.finish_reason or "", refusal, streamed=False)
    usage = getattr(completion, "usage", None)
    counts = {n: getattr(usage, n, None) for n in ("prompt_tokens", "completion_tokens")}
    tokens = {n: v for n, v in counts.items() if isinstance(v, int)}
    return Reply(text, plain(key.redact(str(completion.model or "")), 100), tokens)


def _require_whole(endpoint: Endpoint, guard: Guard, text: str, end: str, refusal: str, *, streamed: bool) -> None:
    if guard.too_large:
        raise _too_large(endpoint)
    if refusal or end == "content_filter":
        raise ChatError(f"{endpoint.name} refused to answer.", "refused", text or refusal)
    if end == "length":
        raise ChatError(
            f"The answer of {endpoint.name} was cut at {endpoint.max_tokens} tokens; raise max_tokens.",
            "truncated",
            text,
        )
    if streamed and not end and not text:
        raise ChatError(
            f"What {endpoint.name} sent is no stream of a chat completion; set stream to false or check base_url.",
            "malformed",
        )
    if streamed and not end:
        raise ChatError(f"The answer of {endpoint.name} broke off before its end.", "truncated", text)
    if not text.strip():
        raise ChatError(f"The answer of {endpoint.name} is empty.", "malformed")


def _status(endpoint: Endpoint, key: Key, failure: Any, guard: Guard) -> ChatError:
    status, name = failure.status_code, endpoint.name
    if status in (401, 403):
        # The server's words may repeat parts of the key.
        return ChatError(f"{name} refused the key ({status}); store another with: mewm policy key {name}.", "key")
    told = _told(key, failure.message)
    asked_for_form = bool(_FORM_WORDS.search(str(failure.message)))
    if status in _UNKNOWN_FORM or (status == 404 and asked_for_form):
        return ChatError(f"{name} refused the request ({status}): {told}.", "form")
    if status == 404:
        return ChatError(f"{name} knows no model {endpoint.model!r} at {endpoint.base_url} (404).", "not found")
    if 300 <= status < 400:
        return ChatError(
            f"{name} sends the request elsewhere ({status}), which is not followed; check base_url.", "request"
        )
    if status == 429:
        return ChatError(f"{name} takes no more requests for now (429){_after(guard)}.", "busy")
    if status >= 500:
        return ChatError(f"{name} failed by itself ({status}){_after(guard)}.", "server")
    return ChatError(f"{name} refused the request ({status}): {told}.", "request")


def _told(key: Key, words: object) -> str:
    return plain(key.redact(str(words)), 120).rstrip(".") or "no reason given"


def _after(guard: Guard) -> str:
    return f", after {guard.tries} tries" if guard.tries > 1 else ""


def _timeout(endpoint: Endpoint, guard: Guard) -> ChatError:
    return ChatError(f"{endpoint.name} did not answer within {endpoint.timeout_s:g} s{_after(guard)}.", "timeout")


def _cut(endpoint: Endpoint) -> ChatError:
    return ChatError(
        f"{endpoint.name} at {endpoint.host} cannot be reached or cut the connection; check address and network.",
        "connection",
    )


def _no_completion(endpoint: Endpoint) -> ChatError:
    return ChatError(f"What {endpoint.name} sent is no chat completion; check base_url.", "malformed")


def _too_large(endpoint: Endpoint) -> ChatError:
    return ChatError(f"The answer of {endpoint.name} is too large or packed; it was not read.", "too large")
