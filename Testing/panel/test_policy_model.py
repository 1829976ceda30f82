"""A chat model as the policy, from the panel: shown, accepted, sent; refused, nothing is sent; failing, the rules."""

import json
import os
from pathlib import Path

import mewm_self_test
import pytest
import slicer
from engine_steps import column
from shiboken6 import isValid
from test_whole_way import _Case

pytest.importorskip("openai", reason="the 'policy' extra is not installed; `make setup` installs it")
from chat_server import Say, serving

KEY = "sk-0123456789abcdef"
ANSWER = json.dumps(
    {
        "drugs": [{"agent": "Idarubicin", "reason": "dissolves in oil"}],
        "embolics": [{"agent": "Lipiodol"}, {"agent": "Gelatin Sponge"}],
        "contraindications": [],
    }
)
# Refuses every way out of the machine and into it, and writes down each attempt.
GUARD = """
import os, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(event + chr(10))
        raise PermissionError(event + " is forbidden in this test")
sys.addaudithook(refuse)
"""


@pytest.fixture
def served(request, monkeypatch, tmp_path):
    """Starts a chat server that the user's endpoint ``toy`` names: ``served(*script)``."""

    def serve(*script):
        manager = serving(*script)
        server = manager.__enter__()
        request.addfinalizer(lambda: manager.__exit__(None, None, None))
        entry = {"base_url": server.url, "model": "m", "key": "env:TOY_KEY", "timeout_s": 5, "retries": 0}
        (tmp_path / "endpoints.json").write_text(json.dumps({"toy": entry}), encoding="utf-8")
        return server

    monkeypatch.setenv("MEWM_ENDPOINTS", str(tmp_path / "endpoints.json"))
    monkeypatch.setenv("TOY_KEY", KEY)
    return serve


def _ready(desk):
    """Load the sample, choose the model as a user does, and press Explore."""
    panel, ui = desk.panel, desk.ui
    panel._offer_policies()
    mewm_self_test._load_sample(_Case(), panel)
    labels = [ui.policyComboBox.itemText(n) for n in range(ui.policyComboBox.count)]
    assert labels[0] == "Guideline rules, offline"
    ui.policyComboBox.currentIndex = labels.index("toy (on this machine)")
    for name, value in mewm_self_test.QUICK.items():
        setattr(panel.parameters, name, value)
    desk.wait(lambda: ui.exploreButton.enabled)
    ui.exploreButton.click()
    desk.wait(lambda: panel.policy_dialog is not None or not panel.controller.busy, 120, "the dialog")


def _files_with(folder, words):
    return [p for p in Path(folder).rglob("*") if p.is_file() and words.encode() in p.read_bytes()]


def test_what_is_accepted_is_sent_and_the_model_is_named(real_desk, served, tmp_path, caplog):
    server = served(Say(ANSWER))
    panel = real_desk.panel
    panel.parameters.keep_exchange = True
    _ready(real_desk)
    dialog = panel.policy_dialog
    assert server.requests == [] and dialog.dialog.visible
    shown = dialog.browser.plainText
    assert "toy (m) on this machine" in dialog.words.text
    dialog.accept.click()
    real_desk.wait(lambda: not panel.controller.busy, 120, "the search")
    real_desk.settle()
    assert len(server.requests) == 1, panel.ui.statusLabel.text
    sent = [part for message in server.requests[0].body["messages"] for part in _texts(message)]
    assert all("".join(part.split())[:400] in "".join(shown.split()) for part in sent if part.strip())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    model = panel.review.ranking.model
    assert {model.item(n, column(model, "Origin")).text() for n in range(model.rowCount())} == {"search, toy"}
    run = Path(panel.review.run.path)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["models"]["policy"] == "vision-language (toy)"
    assert (run / "policy" / "exchange.json").is_file()
    # The key is in no file, no log and no node of the scene.
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    assert _files_with(tmp_path, KEY) == [] and KEY not in caplog.text


def _texts(message):
    content = message["content"]
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]


@pytest.mark.parametrize("how", ["refuse", "close", "cancel", "close the scene"])
def test_without_acceptance_nothing_is_sent(real_desk, served, how):
    server = served(Say(ANSWER))
    panel, ui = real_desk.panel, real_desk.ui
    _ready(real_desk)
    dialog = panel.policy_dialog
    if how == "refuse":
        dialog.refuse.click()
    elif how == "close":
        dialog.dialog.close()
    elif how == "cancel":
        ui.exploreButton.click()
    else:
        real_desk.scene.Clear(False)
    real_desk.settle()
    assert not panel.controller.busy and panel.policy_dialog is None
    assert not isValid(dialog.dialog) or not dialog.dialog.visible
    assert server.requests == [] and panel.review.run is None
    if how in ("refuse", "close"):
        assert ui.statusLabel.text == "You did not accept what would be sent, so nothing was sent and no run began."
    # A late answer of the closed window changes nothing.
    dialog._answer(True)
    real_desk.settle()
    assert server.requests == [] and not panel.controller.busy


@pytest.mark.parametrize(
    "say", [Say(f"bad key {KEY}", status=401), Say("no JSON at all"), Say(ANSWER, cut=40)], ids=["401", "words", "cut"]
)
def test_where_the_model_fails_the_rules_take_over_and_that_is_said(real_desk, served, say):
    server = served(say)
    panel, ui = real_desk.panel, real_desk.ui
    _ready(real_desk)
    panel.policy_dialog.accept.click()
    real_desk.wait(lambda: not panel.controller.busy, 120, "the search")
    real_desk.settle()
    assert len(server.requests) >= 1 and panel.review.run.complete
    assert "the guideline rules proposed instead" in ui.statusLabel.text
    assert "guideline policy proposed instead" in ui.warningsLabel.text and KEY not in ui.warningsLabel.text
    model = panel.review.ranking.model
    assert {model.item(n, column(model, "Origin")).text() for n in range(model.rowCount())} == {
        "search, rules instead of toy"
    }
    manifest = json.loads((Path(panel.review.run.path) / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["models"]["policy"].startswith("guideline (in place of vision-language (toy)")
    # Loaded from disk, the run says so too.
    path = panel.review.run.path
    ui.removeRunButton.click()
    real_desk.settle()
    panel.load_run(path)
    assert {row["policy"] for row in panel.review.run.rows()} == {manifest["models"]["policy"]}


def test_a_goal_that_names_somebody_is_refused_before_the_dialog(real_desk, served):
    server = served(Say(ANSWER))
    real_desk.panel.parameters.goal = "spare the liver of Mr. Smith"
    _ready(real_desk)
    assert real_desk.panel.policy_dialog is None and server.requests == []
    assert "'Mr. Smith' (a name)" in real_desk.ui.statusLabel.text


def test_with_the_policy_off_the_engine_opens_no_socket(real_desk, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    log = tmp_path / "sockets.log"
    monkeypatch.setenv("SOCKET_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    panel = real_desk.panel
    mewm_self_test._load_sample(_Case(), panel)
    mewm_self_test._explore(_Case(), panel)
    assert panel.review.run.complete and not log.exists()


def test_the_guard_of_that_test_works(real_desk, served, monkeypatch, tmp_path):
    server = served(Say(ANSWER))
    (tmp_path / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    log = tmp_path / "sockets.log"
    monkeypatch.setenv("SOCKET_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    _ready(real_desk)
    assert not log.exists()
    real_desk.panel.policy_dialog.accept.click()
    real_desk.wait(lambda: not real_desk.panel.controller.busy, 120, "the search")
    real_desk.settle()
    assert log.exists() and server.requests == []


def test_a_broken_file_of_endpoints_leaves_the_guideline_rules(desk, monkeypatch, tmp_path):
    (tmp_path / "endpoints.json").write_text("{", encoding="utf-8")
    monkeypatch.setenv("MEWM_ENDPOINTS", str(tmp_path / "endpoints.json"))
    desk.panel._offer_policies()
    assert "cannot be read as JSON" in desk.ui.statusLabel.text
    assert desk.panel.parameters.policy == "guideline"
