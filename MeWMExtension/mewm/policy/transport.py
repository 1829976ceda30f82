"""The HTTP client under the chat client: no header but the needed, no redirect, no endless answer.

The ``openai`` package adds headers about the machine and picks up organisations and projects from the
environment. What may leave is listed here; everything else is taken off each request before it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2

from mewm.policy.endpoint import Endpoint

MOST_BYTES = 2_000_000
"""An answer is cut here; a proposal takes a few thousand."""
_HEADERS = ("host", "content-type", "content-length", "accept", "authorization", "api-key", "connection")


class Guard:
    """Watches one question: bounds what its answers bring in and can end them.

    Attributes:
        too_large: whether an answer was cut.
        stopped: set to end the answer that is coming in.
        tries: requests sent so far.
    """

    def __init__(self) -> None:
        self.too_large = False
        self.stopped = False
        self.tries = 0

    def on_request(self, request: Any) -> None:
        """Take every header off a request that need not be there."""
        self.tries += 1
        for name in list(request.headers):
            if name.lower() not in _HEADERS:
                del request.headers[name]
        # A packed answer could unfold to any size.
        request.headers["Accept-Encoding"] = "identity"
        request.headers["User-Agent"] = "mewm"

    def on_response(self, response: Any) -> None:
        """Bound the body of a response that is about to be read."""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            self.too_large = True
            self.stopped = True
        response.stream = _Bounded(response.stream, self)


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: Any, guard: Guard) -> None:
        self._stream, self._guard = stream, guard

    def __iter__(self) -> Iterator[bytes]:
        taken = 0
        for piece in self._stream:
            taken += len(piece)
            if taken > MOST_BYTES:
                self._guard.too_large = True
            # Ending quietly keeps the openai package from asking again; the guard tells why it ended.
            if self._guard.too_large or self._guard.stopped:
                return
            yield piece

    def close(self) -> None:
        self._stream.close()


def http_client(endpoint: Endpoint, guard: Guard) -> httpx2.Client:
    """Return a client that follows no redirect: what was accepted for one host goes to no other.

    Proxies of the environment are used, except for an address of this machine, which must not leave it.
    """
    return httpx2.Client(
        follow_redirects=False,
        trust_env=not endpoint.is_local,
        timeout=httpx2.Timeout(endpoint.timeout_s, connect=endpoint.connect_timeout_s),
        event_hooks={"request": [guard.on_request], "response": [guard.on_response]},
    )
