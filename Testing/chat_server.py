"""A server that speaks the chat-completions API over real HTTP, and fails in every way on request."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mewm.policy.endpoint import make_endpoint


@dataclass
class Say:
    """What to answer to one request.

    Attributes:
        text: content of the answer.
        status: HTTP status; other than 200 sends an error whose message is ``text``.
        end: finish_reason.
        refusal: refusal of the model.
        raw: the body as it is, instead of a completion.
        delay_s: wait before the answer.
        cut: close the connection after so many bytes of the body.
        trickle_s: send the body byte by byte with this pause.
        headers: further headers.
    """

    text: str = ""
    status: int = 200
    end: str | None = "stop"
    refusal: str | None = None
    raw: bytes | None = None
    delay_s: float = 0.0
    cut: int | None = None
    trickle_s: float = 0.0
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    """One request as it came in."""

    path: str
    headers: dict
    body: dict


class ChatServer:
    """Answers with ``script`` one by one; the last entry answers all that follow. ``requests`` keeps what came."""

    def __init__(self, *script):
        self.script = list(script)
        self.requests: list[Request] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def endpoint(self, name="local", **values):
        quick = {"timeout_s": 2.0, "deadline_s": 20.0, "connect_timeout_s": 2.0, "retries": 1}
        return make_endpoint(name, {"base_url": self.url, "model": "toy", **quick, **values})

    def start(self):
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def _next(self, body):
        say = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return say(body) if callable(say) else say

    def _handler(server):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                say = server._next(body)
                time.sleep(say.delay_s)
                stream = bool(body.get("stream")) and say.status == 200
                kind = "text/event-stream" if stream else "application/json"
                data = say.raw if say.raw is not None else _body(say, body.get("model", ""), stream)
                self.send_response(say.status)
                # The openai package waits as long as it is told between tries.
                headers = {"Content-Type": kind, "Content-Length": str(len(data)), "retry-after-ms": "10"}
                for name, value in {**headers, **say.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self._send(data, say)

            def _send(self, data, say):
                try:
                    if say.cut is not None:
                        self.wfile.write(data[: say.cut])
                        self.wfile.flush()
                        self.connection.close()
                        self.close_connection = True
                    elif say.trickle_s:
                        for k in range(len(data)):
                            self.wfile.write(data[k : k + 1])
                            self.wfile.flush()
                            time.sleep(say.trickle_s)
                    else:
                        self.wfile.write(data)
                except OSError:
                    self.close_connection = True

            def log_message(self, *arguments):
                pass

        return Handler


@contextmanager
def serving(*script):
    """A running server for the length of a test."""
    server = ChatServer(*script)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _body(say, model, stream):
    head = {"id": "1", "created": 1, "model": f"{model}-served"}
    if say.status != 200:
        return json.dumps({"error": {"message": say.text, "type": "error", "code": None}}).encode()
    if not stream:
        message = {"role": "assistant", "content": say.text, "refusal": say.refusal}
        choice = {"index": 0, "message": message, "finish_reason": say.end}
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        return json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    step = max(20, len(say.text) // 200)
    pieces = [say.text[k : k + step] for k in range(0, len(say.text), step)]
    deltas = [{"content": piece} for piece in pieces]
    deltas += [{"refusal": say.refusal}] if say.refusal else []
    chunks = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks += [{"index": 0, "delta": {}, "finish_reason": say.end}] if say.end else []
    lines = [json.dumps({**head, "object": "chat.completion.chunk", "choices": [chunk]}) for chunk in chunks]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
