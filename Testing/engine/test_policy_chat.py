"""The chat client against a real local server: every form of answer, every failure, no key and no header too many."""

import json
import logging
import threading
import time

import pytest

pytest.importorskip("openai", reason="the 'policy' extra is not installed; `make setup` installs it")
from chat_server import Say, serving
from pydantic import BaseModel

from mewm.errors import Cancelled, InputError, MewmError
from mewm.policy.answer_text import Unreadable, plain, read_answer
from mewm.policy.chat import ChatClient, ChatError
from mewm.policy.messages import Message, Picture, digest

KEY = "sk-test-0123456789abcdef"
GOOD = json.dumps({"agents": ["cisplatin"], "why": "for a test"})


class Toy(BaseModel):
    agents: list[str]
    why: str = ""


QUESTION = (Message("system", "You are tested."), Message("user", "Which agents?"))
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def ask(server, accept=lambda messages: True, cancelled=lambda: False, messages=QUESTION, **values):
    return ChatClient(server.endpoint(**values), accept, cancelled).ask(messages, Toy)


def failure(server, **values):
    """Ask, expect a failure, and hold it to one sentence."""
    with pytest.raises(ChatError) as caught:
        ask(server, **values)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 300
    assert caught.value.__cause__ is None
    return caught.value


@both_ways
def test_an_answer_comes_back_as_data(stream):
    with serving(Say(GOOD)) as server:
        answer = ask(server, stream=stream)
    assert answer.value == Toy(agents=["cisplatin"], why="for a test")
    assert (answer.form, answer.model) == ("schema", "toy-served")
    assert answer.tokens == ({} if stream else {"prompt_tokens": 7, "completion_tokens": 5})
    body = server.requests[0].body
    assert server.requests[0].path == "/v1/chat/completions"
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["agents", "why"] and schema["additionalProperties"] is False
    assert body["max_tokens"] == 4096 and body["temperature"] == 0.0
    # Who answers in plain text is told the shape as well.
    assert json.dumps(schema) in body["messages"][0]["content"]


def test_pictures_travel_as_png_data_beside_their_captions():
    message = Message("user", "Look.", (Picture(b"\x89PNG", "axial"),))
    with serving(Say(GOOD)) as server:
        ask(server, messages=(QUESTION[0], message))
    content = server.requests[0].body["messages"][1]["content"]
    assert [part["type"] for part in content] == ["text", "text", "image_url"]
    assert content[2]["image_url"]["url"] == "data:image/png;base64,iVBORw=="


def test_a_model_without_eyes_gets_no_pictures():
    with serving(Say(GOOD)) as server, pytest.raises(InputError, match="reads no pictures"):
        ask(server, messages=(Message("user", "Look.", (Picture(b"", ""),)),), vision=False)
    assert server.requests == []


@both_ways
def test_servers_without_structured_output_are_asked_in_weaker_forms(stream):
    refusals = [Say("response_format json_schema is not supported", status=400), Say("unknown field", status=422)]
    with serving(*refusals, Say(f"<think>hm {{}}</think>Here it is:\n```json\n{GOOD}\n```")) as server:
        answer = ask(server, stream=stream)
    assert answer.form == "text"
    sent = [request.body.get("response_format", {}).get("type") for request in server.requests]
    assert sent == ["json_schema", "json_object", None]


def test_other_limits_and_azure_paths():
    with serving(Say(GOOD)) as server:
        ask(server, completion_tokens_field=True, temperature=None, seed=3, structured="text", max_tokens=99)
        body = server.requests[0].body
        assert body["max_completion_tokens"] == 99 and body["seed"] == 3
        assert "max_tokens" not in body and "temperature" not in body and "response_format" not in body
        root = server.url.removesuffix("/v1")
        ask(server, base_url=root, api="azure", api_version="2024-10-21", model="my-deployment")
    assert server.requests[1].path == ("/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21")


@both_ways
@pytest.mark.parametrize(
    ("say", "kind", "words", "requests"),
    [
        (Say("bad key", status=401), "key", "refused the key (401)", 1),
        (Say("not yours", status=403), "key", "refused the key (403)", 1),
        (Say("no such model", status=404), "not found", "no model 'toy'", 1),
        (Say("slow down", status=429), "busy", "(429), after 2 tries", 2),
        (Say("busy", status=429, headers={"retry-after-ms": "600000"}), "busy", "for now (429).", 1),
        (Say("oops", status=500), "server", "(500), after 2 tries", 2),
        (Say("away", status=503), "server", "(503), after 2 tries", 2),
        (Say("too big", status=413), "request", "(413): ", 1),
        (Say("gone", status=302, headers={"Location": "http://127.0.0.1:9/v1"}), "request", "not followed", 1),
        (Say("bad request", status=400), "form", "(400): ", 3),
        (Say('{"agents": ["cispl', end="length"), "truncated", "raise max_tokens", 1),
        (Say('{"agents": ["cispl'), "malformed", "no JSON object", 2),
        (Say("I would give cisplatin."), "malformed", "no JSON object", 2),
        (Say('{"agents": "cisplatin"}'), "malformed", "another form than asked for (agents", 2),
        (Say('{"agents": [NaN]}'), "malformed", "no JSON object", 2),
        (Say("[" * 100_000), "malformed", "no JSON object", 2),
        (Say('{"a":' * 50_000), "malformed", "no JSON object", 2),
        (Say(""), "malformed", "is empty", 1),
        (Say("", refusal="I cannot help with that."), "refused", "refused to answer", 1),
        (Say(GOOD, end="content_filter"), "refused", "refused to answer", 1),
        (Say(json.dumps({"agents": ["x" * 10_000_000]})), "too large", "too large", 1),
        (Say(raw=b"\x1f\x8b not gzip", headers={"Content-Encoding": "gzip"}), "too large", "packed", 1),
        (Say(GOOD, delay_s=1.0), "timeout", "within 0.3 s, after 2 tries", 2),
        (Say(raw=b"<html>Please log in</html>", headers={"Content-Type": "text/html"}), None, "local", 1),
        (Say(raw=b"{}"), None, "local", 1),
        (Say(raw=b'{"choices": []}'), None, "local", 1),
        (Say(raw=b"null"), None, "local", 1),
        (Say(raw=b"[" * 200_000), None, "local", 1),
        (Say(raw=b"data: " + b"[" * 200_000 + b"\n\n"), None, "local", 1),
        (Say(raw=b"\xff\xfe\x00"), None, "local", 1),
        (Say(raw=b""), None, "local", 1),
    ],
)  # fmt: skip
def test_every_failure_is_one_sentence(say, kind, words, requests, stream):
    with serving(say) as server:
        error = failure(server, stream=stream, timeout_s=0.3 if kind == "timeout" else 5.0)
    assert kind is None or error.kind == kind
    assert words in str(error)
    assert len(server.requests) == requests


@both_ways
def test_a_cut_connection(stream):
    with serving(Say(GOOD, cut=40)) as server:
        error = failure(server, stream=stream)
    assert error.kind == "connection"


def test_a_stream_that_ends_without_its_end():
    with serving(Say(GOOD, end=None)) as server:
        assert failure(server, stream=True).kind == "truncated"


def test_an_error_told_inside_a_stream():
    raw = b'data: {"error": {"message": "out of memory", "code": 500}}\n\n'
    with serving(Say(raw=raw)) as server:
        error = failure(server, stream=True)
    assert error.kind == "server" and "out of memory" in str(error)


def test_nobody_listens():
    with serving(Say(GOOD)) as server:
        endpoint = server.endpoint(retries=0)
    with pytest.raises(ChatError, match="cannot be reached"):
        ChatClient(endpoint, lambda messages: True).ask(QUESTION, Toy)


@both_ways
def test_a_server_that_trickles_meets_the_deadline(stream):
    with serving(Say(GOOD, trickle_s=0.05)) as server:
        error = failure(server, stream=stream, deadline_s=0.5)
    assert error.kind == "timeout" and "within 0.5 s" in str(error)


def test_cancel_ends_a_question_that_hangs():
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    started = time.monotonic()
    with serving(Say(GOOD, delay_s=5.0)) as server, pytest.raises(Cancelled):
        ask(server, cancelled=cancel.is_set, timeout_s=30.0)
    assert time.monotonic() - started < 4.0


@both_ways
def test_a_good_answer_after_failures(stream):
    script = [Say("x", status=503), Say("not JSON"), Say("x", status=429), Say(GOOD)]
    with serving(*script) as server:
        assert ask(server, stream=stream).value.agents == ["cisplatin"]
    assert len(server.requests) == 4


def test_only_what_was_accepted_is_sent():
    shown = []

    def accept(messages):
        shown.append(messages)
        return len(shown) > 1

    with serving(Say("x", status=503), Say(GOOD)) as server:
        with pytest.raises(InputError, match="Nothing was sent"):
            ask(server, accept)
        assert server.requests == []
        ask(server, accept)
    # Two requests, one question to the user; and the words shown are the words sent.
    assert len(shown) == 2 and len(server.requests) == 2
    sent = [message["content"] for message in server.requests[1].body["messages"]]
    assert sent == [message.text for message in shown[1]]
    # Anything but True, such as a dialog that returns None, is a no.
    with serving(Say(GOOD)) as server, pytest.raises(InputError):
        ask(server, lambda messages: "yes")


def test_no_header_tells_more_than_needed(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(Say(GOOD)) as server:
        ask(server)
    headers = server.requests[0].headers
    allowed = {"host", "content-type", "content-length", "accept", "accept-encoding", "authorization", "connection"}
    assert set(headers) <= allowed | {"user-agent"}
    assert headers["user-agent"] == "mewm"
    assert headers["authorization"] == "Bearer none"
    assert "secret" not in json.dumps(headers)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
@both_ways
def test_the_key_travels_in_its_header_and_nowhere_else(status, stream, monkeypatch, caplog, capfd):
    monkeypatch.setenv("TOY_KEY", KEY)
    told = []
    with caplog.at_level(logging.DEBUG), serving(Say(f"{GOOD} {KEY} {{'k': '{KEY}'}}", status=status)) as server:
        client = ChatClient(server.endpoint(key="env:TOY_KEY", stream=stream), lambda messages: True)
        try:
            told += [str(client.ask(QUESTION, Toy))]
        except MewmError as error:
            told += [str(error), repr(error), repr(vars(error))]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(server.requests[0].body)
    captured = capfd.readouterr()
    assert KEY not in "".join([*told, caplog.text, captured.out, captured.err, repr(vars(client))])


def test_text_around_and_several_objects():
    assert read_answer('First {"no": 1}, then {"agents": ["pva"]} and {"agents": []}', Toy).agents == ["pva"]
    with pytest.raises(Unreadable):
        read_answer("{" * 5000, Toy)


def test_foreign_text_is_made_plain():
    assert plain("\x1b[31mred\x07\u202e\nnext   line", 40) == "[31mred next line"
    assert plain("word " * 50, 20) == "word word word word…"


def test_the_digest_knows_every_change():
    base = (Message("user", "a", (Picture(b"png", "c"),)),)
    others = [
        (Message("system", "a", (Picture(b"png", "c"),)),),
        (Message("user", "b", (Picture(b"png", "c"),)),),
        (Message("user", "a", (Picture(b"pnh", "c"),)),),
        (Message("user", "a", (Picture(b"png", "d"),)),),
        (Message("user", "a"),),
        (*base, Message("user", "")),
    ]
    assert len({digest(messages) for messages in (base, *others)}) == 7
    assert digest("ab", "c") != digest("a", "bc")
