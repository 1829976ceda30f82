"""``mewm report extract``: one report, a table, JSON, and one sentence for every mistake."""

import csv
import io
import json

import pytest

from mewm.cli import main

REPORT = "Adasone 30 mg and Lobaplatin 20 mg were infused; 10 ml Lipiodol; no gelfoam was used. Staining disappeared.\n"


@pytest.fixture()
def report(tmp_path):
    file = tmp_path / "report.txt"
    file.write_text(REPORT, encoding="utf-8")
    return file


@pytest.fixture()
def table(tmp_path):
    file = tmp_path / "reports.csv"
    file.write_text(f'id,text\nA1,"{REPORT.strip()}"\nA2,"Lipiodol 5 ml;\nstaining unchanged"\nA3,\n', encoding="utf-8")
    return file


def call(capsys, *arguments):
    status = main(["report", "extract", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_one_report_in_words(capsys, report):
    status, out, _ = call(capsys, report)
    assert status == 0
    assert "Adasone 30 mg; Lobaplatin 20 mg; Lipiodol 10 ml" in out
    assert "Adasone: not in the action base" in out and "gelfoam (negated)" in out and "4 (complete)" in out


def test_one_report_as_json(capsys, report):
    value = json.loads(call(capsys, report, "--json")[1])
    assert value["unknown"] == ["Adasone"] and value["level"] == 4
    start, end = value["mentions"][1]["span"]
    assert REPORT[start:end] == "Lobaplatin"


def test_a_table_becomes_a_table(capsys, table, tmp_path):
    status, out, told = call(capsys, table, "--id", "id")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and [r["report"] for r in rows] == ["A1", "A2", "A3"]
    assert [r["level"] for r in rows] == ["4", "1", ""]
    assert rows[0]["unknown"] == "Adasone" and "no words" in rows[2]["problem"]
    assert "2 of 3 reports read" in told
    assert call(capsys, table, "--out", tmp_path / "out.csv")[1] == ""
    assert len(list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))) == 3


def test_other_tables_and_encodings(capsys, tmp_path):
    file = tmp_path / "r.tsv"
    file.write_bytes("nr\tbefund\n1\tPVA 300 µm\n".encode("cp1252"))
    assert "PVA 300 µm" in call(capsys, file, "--column", "befund")[1]
    text = tmp_path / "r.txt"
    text.write_text("PVA 300 µm", encoding="utf-16")
    assert "PVA 300 µm" in call(capsys, text)[1]


def test_a_sheet_is_read_like_a_table(capsys, tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="the 'dicom' extra is not installed; `make setup` installs it")
    book = openpyxl.Workbook()
    for cells in (("nr", "text"), (7, "Lipiodol 5 ml; staining unchanged"), (8, None)):
        book.active.append(cells)
    book.save(tmp_path / "reports.xlsx")
    status, out, told = call(capsys, tmp_path / "reports.xlsx", "--id", "nr")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and [(r["report"], r["level"]) for r in rows] == [("7", "1"), ("8", "")]
    assert rows[0]["protocol"] == "Lipiodol 5 ml" and "1 of 2 reports read" in told
    (tmp_path / "damaged.xlsx").write_bytes(b"text\nPVA\n")
    assert "no xlsx file" in call(capsys, tmp_path / "damaged.xlsx")[2]


@pytest.mark.parametrize(
    ("name", "content", "arguments", "says"),
    [
        ("none.txt", None, (), "does not exist"),
        ("empty.txt", b"", (), "no words"),
        ("scan.pdf", b"%PDF", (), "save it as text"),
        ("binary.txt", b"\x00\x01\x02", (), "is no text"),
        ("chinese.txt", "洛铂 30 mg, Lipiodol 10 ml".encode("gb18030"), (), "no text in UTF-8"),
        ("long.txt", b"Lobaplatin 30 mg. " * 6000, (), "at most"),
        ("text.txt", b"PVA", ("--column", "text"), "are for tables"),
        ("none.xlsx", None, (), "does not exist"),
        ("empty.csv", b"text\n", (), "has no reports"),
        ("two.csv", b"a,b\n1,2\n", (), "--column"),
        ("two.csv", b"a,b\n1,2\n", ("--column", "c"), "no column 'c'"),
        ("r.txt", b"PVA", ("--models", "one"), "two models"),
        ("r.csv", b"text\nPVA\n", ("--models", "one+other"), "one report at a time"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, tmp_path, name, content, arguments, says):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    status, out, told = call(capsys, file, *arguments)
    assert status == 2 and not out
    assert says in told and told.count("\n") == 1


def test_models_are_asked_only_after_acceptance(capsys, tmp_path, monkeypatch):
    pytest.importorskip("openai", reason="the 'policy' extra is not installed; `make setup` installs it")
    from chat_server import Say, serving

    from mewm.policy import presets

    file = tmp_path / "report.txt"
    file.write_text("Lobaplatin 30 mg was infused. Staining disappeared.", encoding="utf-8")
    agent = {"name": "Lobaplatin", "quote": "Lobaplatin 30 mg", "dose": 30, "unit": "mg"}
    with serving(Say(json.dumps({"agents": [agent], "attenuation_level": 3}))) as server:
        ends = {name: server.endpoint(name) for name in ("one", "other")}
        monkeypatch.setattr(presets, "find_endpoint", ends.__getitem__)
        status, out, _ = call(capsys, file, "--models", "one+other")
        assert status == 0 and not server.requests and "Lobaplatin 30 mg was infused" in out
        shown = out.split("--accept ")[1].strip()
        assert call(capsys, file, "--models", "one+other", "--accept", "0000")[0] == 2
        assert not server.requests
        status, out, _ = call(capsys, file, "--models", "one+other", "--accept", shown)
    assert status == 0 and len(server.requests) == 2
    assert "protocol    Lobaplatin 30 mg" in out and "level       3" in out and "rules: 4; taken: 3" in out


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["report", "extract", "--help"])
    assert stop.value.code == 0
    assert "examples:" in capsys.readouterr().out
