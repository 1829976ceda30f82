"""One question to a chat model and its answer as data of a declared shape, or one plain sentence why not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mewm.errors import Cancelled, InputError
from mewm.policy.answer_text import Unreadable, read_answer
from mewm.policy.endpoint import Endpoint
from mewm.policy.exchange import ChatError, Reply, exchange, require_package
from mewm.policy.keys import read_key
from mewm.policy.messages import Message, answer_schema, asking_for, to_api

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Answer", "ChatClient", "ChatError", "Message"]

_FORMS = ("schema", "json", "text")
_POLL_S = 0.05

ModelT = TypeVar("ModelT", bound="BaseModel")


@dataclass(frozen=True)
class Answer(Generic[ModelT]):
    """What came back.

    Attributes:
        value: the answer as data, checked.
        text: as received, without the key should the server repeat it.
        model: name the server gives its model.
        form: what was asked for in the end: ``"schema"``, ``"json"`` or ``"text"``.
        seconds: from question to answer.
        tokens: as the server counts them, empty where it does not.
    """

    value: ModelT
    text: str
    model: str
    form: str
    seconds: float
    tokens: dict[str, int]


class ChatClient:
    """Asks one endpoint, once it was allowed to.

    Args:
        endpoint: whom to ask.
        accept: called with the exact messages before any of them leaves; only ``True`` sends them. Retries and
            weaker forms of the same question are not asked about again.
        cancelled: looked at while waiting; ``True`` ends the question.

    Raises:
        InputError: the ``openai`` package or the key is missing.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        accept: Callable[[tuple[Message, ...]], bool],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        require_package()
        self.endpoint = endpoint
        self._accept = accept
        self._cancelled = cancelled
        self._key = read_key(endpoint)

    def ask(self, messages: Sequence[Message], shape: type[ModelT]) -> Answer[ModelT]:
        """Ask once and return the answer in the wanted shape.

        The strictest form of answer the endpoint is configured for is asked for first; where the server refuses
        it, JSON mode and then plain text follow. After a malformed answer the question is asked once more.

        Args:
            messages: the conversation; its first message gets the schema of the answer added.
            shape: pydantic model of the answer; fields beyond it are ignored.

        Raises:
            InputError: the messages were not accepted, or hold pictures and the model reads none; nothing was
                sent.
            Cancelled: ``cancelled`` said so.
            ChatError: no usable answer.
        """
        prepared = asking_for(shape, messages)
        name = self.endpoint.name
        if not self.endpoint.vision and any(message.pictures for message in prepared):
            raise InputError(f"The endpoint {name} reads no pictures; choose a vision-language model.")
        if self._accept(prepared) is not True:
            raise InputError(f"Nothing was sent to {name}: the payload was not accepted.")
        started = time.monotonic()
        forms = list(_FORMS[_FORMS.index(self.endpoint.structured) :])
        tries = 2
        while True:
            try:
                reply = self._within_deadline(self._body(prepared, shape, forms[0]), started)
                value = read_answer(reply.text, shape)
                break
            except Unreadable as problem:
                tries -= 1
                if not tries:
                    raise ChatError(f"The answer of {name} {problem}.", "malformed", reply.text) from None
            except ChatError as error:
                if error.kind != "form" or len(forms) == 1:
                    raise
                forms.pop(0)
        return Answer(value, reply.text, reply.model, forms[0], time.monotonic() - started, reply.tokens)

    def _body(self, messages: Sequence[Message], shape: type[BaseModel], form: str) -> dict[str, Any]:
        endpoint = self.endpoint
        limit = "max_completion_tokens" if endpoint.completion_tokens_field else "max_tokens"
        body: dict[str, Any] = {
            "model": endpoint.model,
            "messages": [to_api(message) for message in messages],
            limit: endpoint.max_tokens,
        }
        if endpoint.temperature is not None:
            body["temperature"] = endpoint.temperature
        if endpoint.seed is not None:
            body["seed"] = endpoint.seed
        if form == "schema":
            schema = {"name": shape.__name__.lower(), "strict": True, "schema": answer_schema(shape)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif form == "json":
            body["response_format"] = {"type": "json_object"}
        return body

    def _within_deadline(self, body: dict[str, Any], started: float) -> Reply:
        """Run one request in a thread of its own: a server that trickles cannot outlast deadline or cancel."""
        from mewm.policy.transport import Guard

        guard = Guard()
        outcome: list[Reply | BaseException] = []

        def work() -> None:
            try:
                outcome.append(exchange(self.endpoint, self._key, body, guard))
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=work, name="mewm-chat", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_S)
            if not thread.is_alive():
                break
            if self._cancelled():
                guard.stopped = True
                raise Cancelled("The question to the policy model was cancelled; nothing was written.")
            if time.monotonic() - started > self.endpoint.deadline_s:
                guard.stopped = True
                sentence = f"{self.endpoint.name} gave no whole answer within {self.endpoint.deadline_s:g} s."
                raise ChatError(sentence, "timeout")
        found = outcome[0]
        if isinstance(found, BaseException):
            raise found
        return found
