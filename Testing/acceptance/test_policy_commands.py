"""The policy model from the command line: off unless switched on, shown before it is sent, no key on disk."""

import io
import json
import os
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
import SimpleITK as sitk

pytest.importorskip("openai", reason="the 'policy' extra is not installed; `make setup` installs it")
from chat_server import Say, serving

from mewm.cli import main

QUICK = ["--replicas", "1", "--beams", "1", "--drugs", "2", "--embolics", "2", "--keep", "1"]
KEY = "sk-0123456789abcdef"
ANSWER = json.dumps(
    {
        "drugs": [
            {"agent": "Idarubicin", "reason": "dissolves in oil", "guideline": "Favelier 2013"},
            {"agent": "Sorafenib"},
        ],
        "embolics": [{"agent": "Lipiodol"}, {"agent": "Gelatin Sponge"}],
        "contraindications": [],
    }
)
# Refuses every way out of the machine and into it, in this process and in every child.
GUARD = """
import os, sys
def refuse(event, arguments):
    # urllib3 asks at its import whether this machine knows IPv6: a free port of its own, neither listened to nor left.
    if event == "socket.bind" and arguments[1][:2] == ("::1", 0):
        return
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(f"{event} {arguments!r}\\n")
        raise PermissionError(f"{event} is forbidden in this test")
sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def case(phantom_case, tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("case")
    arguments = []
    for name in ("ct", "lesion", "liver"):
        sitk.WriteImage(getattr(phantom_case, name), str(folder / f"{name}.nrrd"))
        arguments += [f"--{name}", str(folder / f"{name}.nrrd")]
    return arguments


@pytest.fixture()
def endpoints(tmp_path, monkeypatch):
    """Write the user's file of endpoints for a server."""
    monkeypatch.setenv("TOY_KEY", KEY)

    def write(server, **values):
        path = tmp_path / "endpoints.json"
        quick = {"timeout_s": 5, "retries": 0, "key": "env:TOY_KEY"}
        path.write_text(
            json.dumps({"toy": {"base_url": server.url, "model": "m", **quick, **values}}), encoding="utf-8"
        )
        return ["--policy", "toy", "--endpoints", str(path)]

    return write


def files_with(folder: Path, words: str) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and words.encode() in p.read_bytes()]


def test_a_run_with_a_policy_model(case, endpoints, tmp_path, capsys):
    out = tmp_path / "run"
    with serving(Say(f"{ANSWER} {KEY}")) as server:
        chosen = endpoints(server)
        assert main(["explore", *case, *QUICK, *chosen, "--send-accepted", "--keep-exchange", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert len(server.requests) == 1 and server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "Idarubicin" in printed.out and "'Sorafenib', which is not in the action base" in printed.out
    assert "Candidates: vision-language (toy)" in printed.out
    # The payload was shown, pictures included, before it was sent.
    assert "== To toy: model m at this machine" in printed.err
    assert (tmp_path / "run.payload" / "picture_1.png").is_file()
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["models"]["policy"] == "vision-language (toy)"
    assert (out / "policy" / "exchange.json").is_file()
    tree = json.loads((out / "search.json").read_text(encoding="utf-8"))
    assert "dissolves in oil" in tree["proposal"]["reasons"]["idarubicin"]
    assert files_with(tmp_path, KEY) == []
    assert KEY not in printed.out + printed.err


def test_a_run_whose_policy_model_fails(case, endpoints, tmp_path, capsys):
    out = tmp_path / "run"
    with serving(Say(f"Incorrect API key provided: {KEY}", status=401)) as server:
        assert main(["explore", *case, *QUICK, *endpoints(server), "--send-accepted", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "note: toy refused the key (401)" in printed.out and "guideline policy proposed instead" in printed.out
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["models"]["policy"].startswith("guideline (in place of vision-language (toy)")
    assert any("refused the key" in warning for warning in manifest["warnings"])
    assert not (out / "policy").exists()
    assert files_with(tmp_path, KEY) == [] and KEY not in printed.out + printed.err


def test_what_was_previewed_is_what_can_be_accepted(case, endpoints, tmp_path, capsys):
    out, shown = tmp_path / "run", tmp_path / "shown"
    with serving(Say(ANSWER)) as server:
        chosen = endpoints(server)
        sizes = ["--drugs", "2", "--embolics", "2"]
        assert main(["policy", "preview", *case, *chosen, *sizes, "--goal", "few drugs", "--out", str(shown)]) == 0
        assert server.requests == []
        digest = capsys.readouterr().out.split("--send-accepted ")[1].split()[0]
        assert (shown / "payload.html").is_file()
        command = ["explore", *case, *QUICK, *chosen, "--out", str(out), "--send-accepted", digest]
        assert main([*command, "--goal", "many drugs"]) == 2
        assert "differ from what was shown" in capsys.readouterr().err
        assert server.requests == [] and not out.exists()
        assert main([*command, "--goal", "few drugs"]) == 0
        assert len(server.requests) == 1


def test_without_acceptance_nothing_is_sent_and_nothing_is_written(case, endpoints, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    out = tmp_path / "run"
    with serving(Say(ANSWER)) as server:
        assert main(["explore", *case, *QUICK, *endpoints(server), "--out", str(out)]) == 2
    assert server.requests == [] and not out.exists()
    assert "Nothing was sent." in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("answer", "status", "requests"), [("y\n", 0, 1), ("n\n", 2, 0), ("\n", 2, 0)])
def test_the_question_on_a_terminal(case, endpoints, tmp_path, capsys, monkeypatch, answer, status, requests):
    class Terminal:
        def isatty(self):
            return True

        def readline(self):
            return answer

    monkeypatch.setattr(sys, "stdin", Terminal())
    with serving(Say(ANSWER)) as server:
        command = ["explore", *case, *QUICK, *endpoints(server), "--out", str(tmp_path / "run")]
        assert main(command) == status
    assert len(server.requests) == requests
    assert "Send this? [y/N]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "gpt5"], "no endpoint 'gpt5'"),
        (["--policy", "deepseek-r1"], "reads no pictures"),
        (["--policy", "gpt-4o"], "no key for the endpoint gpt-4o"),
        (["--send-accepted"], "need --policy"),
        (["--keep-exchange"], "need --policy"),
        (["--policy", "ollama", "--goal", "for Mr. Smith", "--send-accepted"], "'Mr. Smith' (a name)"),
        (["--policy", "ollama", "--endpoints", "gone.json"], "does not exist"),
    ],
)
def test_a_mistake_is_one_sentence(case, tmp_path, capsys, monkeypatch, arguments, told):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    out = tmp_path / "run"
    assert main(["explore", *case, *QUICK, *arguments, "--out", str(out)]) == 2
    printed = capsys.readouterr().err
    assert told in printed and "Traceback" not in printed and not out.exists()


def test_a_preview_overwrites_nothing_else(case, tmp_path, capsys):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter.txt").write_text("keep me", encoding="utf-8")
    assert main(["policy", "preview", *case, "--policy", "ollama", "--out", str(tmp_path / "letters")]) == 2
    assert "holds no payload" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "letters").iterdir()] == ["letter.txt"]


def test_doctor_and_list_show_endpoints_and_no_key(monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    main(["doctor"])
    assert "gpt-4o (key in the environment)" in capsys.readouterr().out
    assert main(["policy", "list"]) == 0
    printed = capsys.readouterr().out
    assert "env:OPENAI_API_KEY (environment)" in printed and "ollama" in printed
    main(["doctor", "--json"])
    assert main(["policy", "list", "--json"]) == 0
    assert KEY not in printed + capsys.readouterr().out


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """Run mewm in a process that may open no connection; return its output."""
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "sitecustomize.py").write_text(GUARD, encoding="utf-8")

    def run(*arguments):
        log = folder / "sockets.log"
        log.unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(folder), "SOCKET_LOG": str(log), "OPENAI_API_KEY": KEY}
        command = [sys.executable, "-m", "mewm", *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder, check=False)
        return done, log.read_text(encoding="utf-8") if log.exists() else ""

    return run


def test_with_the_policy_off_no_command_opens_a_socket(case, sealed, tmp_path):
    protocol = ["--protocol", "Lobaplatin 30 mg; Lipiodol 10 ml"]
    run, cohort, one = tmp_path / "run", tmp_path / "cohort", tmp_path / "one"
    (tmp_path / "report.txt").write_text("Lobaplatin 30 mg; Lipiodol 10 ml", encoding="utf-8")
    # Two cases are too few to fit or to evaluate on: those commands get as far as they can.
    commands = [
        (["doctor"], (0, 1)),
        (["policy", "list"], (0,)),
        (["policy", "preview", *case, "--policy", "gpt-4o", "--out", tmp_path / "shown"], (0,)),
        (["explore", *case, *QUICK, "--goal", "avoid platinum", *protocol, "--out", run], (0,)),
        (["simulate", *case, *protocol, "--replicas", "1", "--out", one], (0,)),
        (["export", one, "--out", tmp_path / "export"], (0, 2)),
        (["cohort", "simulate", "--cases", "2", "--seed", "1", cohort], (0,)),
        (["cohort", "check", cohort], (0, 1, 2)),
        (["train", "cox", "--cohort", cohort, "--out", tmp_path / "cox"], (0, 2)),
        (["evaluate", "--cohort", cohort, "--cases", "1", "--workers", "1", "--out", tmp_path / "evaluation"], (0, 2)),
        (["report", "extract", tmp_path / "report.txt"], (0,)),
    ]
    for command, statuses in commands:
        done, sockets = sealed(*command)
        assert sockets == "", command
        assert done.returncode in statuses, (command, done.stderr)
        assert "Traceback" not in done.stderr, (command, done.stderr)


def test_the_scene_opens_no_socket(case, sealed, tmp_path):
    if util.find_spec("slicer") is None:
        pytest.skip("the 'scene' extra is not installed; `make setup` installs it")
    run = tmp_path / "run"
    assert (
        main(
            ["simulate", *case, "--protocol", "Lobaplatin 30 mg; Lipiodol 10 ml", "--replicas", "1", "--out", str(run)]
        )
        == 0
    )
    _, sockets = sealed("scene", run)
    assert sockets == ""


def test_the_guard_of_that_test_works(case, sealed, tmp_path):
    """With a policy on and accepted, the same guard sees the attempt, so its silence above means something."""
    chosen = ["--policy", "ollama", "--send-accepted"]
    done, sockets = sealed("explore", *case, *QUICK, *chosen, "--out", tmp_path / "run")
    assert "socket." in sockets
    assert done.returncode == 0 and "guideline policy proposed instead" in done.stdout
