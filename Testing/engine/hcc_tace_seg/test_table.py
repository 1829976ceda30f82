"""The clinical table, the agents in it, and which examinations are a pair."""

import csv
import datetime

import pytest

from mewm.cohort.hcc_tace_seg.clinical_table import read_clinical
from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.headers import Patient, Series, Study
from mewm.cohort.hcc_tace_seg.pairing import pair_studies
from mewm.cohort.hcc_tace_seg.treatment import protocol_of
from mewm.errors import InputError


def test_a_row_becomes_facts(write_table, tmp_path):
    rows = [
        {"TCIA_ID": "HCC_001", "AFP": "", "CPS": "B", "Metastasis": "1", "Portal Vein Thrombosis": "1"},
        {"TCIA_ID": "HCC_002", "AFP": "NOT STATED", "PS_bclc_0_0_1-2_1_3-4_3": "1", "Sex": "2.0", "OS": ""},
        {"TCIA_ID": "HCC_003", "age": "300"},
        {"TCIA_ID": ""},
    ]
    table = read_clinical(write_table(tmp_path / "t.csv", rows))
    assert list(table) == ["HCC_001", "HCC_002", "HCC_003"]
    first, second, third = table.values()
    assert first.facts.child_pugh == "B" and first.facts.afp_ng_ml is None and first.facts.extrahepatic_spread is True
    assert first.facts.portal_vein_thrombosis == "branch" and any("branch is assumed" in n for n in first.notes)
    assert second.facts.ecog == 1 and second.facts.sex == "female" and second.os_weeks is None
    assert any("1-2" in n for n in second.notes)
    assert third.facts.age is None and any("300" in n for n in third.notes)
    assert third.os_weeks == 101.25 and third.event is True and third.mrecist == "PR"


def test_xlsx_and_csv_say_the_same(write_table, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    path = write_table(tmp_path / "t.csv", [{"TCIA_ID": "HCC_001"}, {"TCIA_ID": "HCC_002", "chemotherapy": ""}])
    book = openpyxl.Workbook()
    book.active.append(["a glossary", "sheet"])
    sheet = book.create_sheet("data")
    with path.open(encoding="utf-8") as stream:
        lines = list(csv.reader(stream))
    sheet.append(lines[0])
    for line in lines[1:]:
        sheet.append([float(c) if c.replace(".", "", 1).isdigit() else c or None for c in line])
    book.save(tmp_path / "t.xlsx")
    assert read_clinical(tmp_path / "t.xlsx") == read_clinical(path)


def test_wrong_tables_are_refused(write_table, tmp_path):
    path = write_table(tmp_path / "t.csv", [{"TCIA_ID": "HCC_001"}, {"TCIA_ID": "HCC_001"}])
    with pytest.raises(InputError, match="twice"):
        read_clinical(path)
    (tmp_path / "no.csv").write_text("TCIA_ID,OS\nHCC_001,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks the column"):
        read_clinical(tmp_path / "no.csv")
    (tmp_path / "bad.xlsx").write_text("nothing", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        read_clinical(tmp_path / "bad.xlsx")
    with pytest.raises(InputError, match="neither xlsx nor csv"):
        (tmp_path / "t.ods").write_text("", encoding="utf-8")
        read_clinical(tmp_path / "t.ods")
    with pytest.raises(InputError, match="does not exist"):
        read_clinical(tmp_path / "none.csv")


@pytest.mark.parametrize("change", [lambda text: text[:-12], lambda text: text.replace('"', "")])
def test_a_torn_or_badly_exported_csv_is_refused(write_table, tmp_path, change):
    path = write_table(tmp_path / "t.csv", [{"TCIA_ID": "HCC_001"}, {"TCIA_ID": "HCC_002"}])
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match="another number of cells"):
        read_clinical(path)


def test_the_real_table(real_data):
    table = read_clinical(real_data / "hcc_tace_seg" / "clinical.csv")
    assert len(table) == 79 and sum(bool(r.event) for r in table.values()) == 72
    assert all(r.os_weeks for r in table.values())
    stated = [protocol_of(r.chemotherapy)[0] for r in table.values()]
    assert sum(p is not None for p in stated) == 65
    assert not [n for r in table.values() for n in r.notes if "cannot be used" in n]


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("Cisplatin, doxorubicin, Mitomycin-C", ("cisplatin", "doxorubicin", "mitomycin", "lipiodol")),
        ("doxorubicin LC beads", ("doxorubicin_eluting_beads",)),
        ("Cisplatin, Mitomycin-C", ("cisplatin", "mitomycin", "lipiodol")),
        ("Cisplastin", ("cisplatin", "lipiodol")),
        ("", None),
        ("Zauberol", None),
    ],
)
def test_agents(text, agents):
    protocol, notes = protocol_of(text)
    assert (protocol.agents if protocol else None) == agents
    assert any("Lipiodol" in note for note in notes) == bool(agents and "lipiodol" in agents)
    assert protocol is not None or len(notes) == 1


def patient(*weeks, pre=0):
    day = datetime.date(2001, 2, 3)
    studies = {}
    for k, week in enumerate(weeks):
        date = None if week is None else day + datetime.timedelta(days=round(7 * week))
        studies[f"s{k}"] = Study(f"s{k}", date, {f"c{k}": Series(f"c{k}", "CT", "")})
    return Patient("HCC_001", studies), studies[f"s{pre}"]


def test_the_follow_up_is_the_study_that_fits_the_interval():
    pair = pair_studies(*patient(0, -20, 3, 8, 40), 8.4)
    assert pair.weeks == 8 and pair.notes == ()
    assert pair_studies(*patient(0, 3, 8), None).weeks == 3
    assert pair_studies(*patient(0, 3, 8), -8.4).weeks == 8
    assert "the clinical table says 20.0" in pair_studies(*patient(0, 8), 20.0).notes[0]


def test_patients_without_a_pair_are_left_out():
    with pytest.raises(LeftOut, match="after TACE"):
        pair_studies(*patient(0), 8.0)
    with pytest.raises(LeftOut, match="later than"):
        pair_studies(*patient(0, -5), 8.0)
    with pytest.raises(LeftOut, match="no dates"):
        pair_studies(*patient(0, None, None), 8.0)
    assert "no dates" in pair_studies(*patient(None, None), 8.0).notes[0]
