"""Clinical facts: what is accepted, what it becomes, and scores against published examples."""

import json

import pytest

from mewm.clinical import (
    ClinicalFacts,
    albi_grade,
    albi_score,
    child_pugh_class,
    child_pugh_points,
    read_facts,
)
from mewm.errors import InputError


def test_nothing_known_is_no_facts():
    assert read_facts(None) == ClinicalFacts()
    assert read_facts({}) == ClinicalFacts()
    assert read_facts({"ecog": None}) == ClinicalFacts()


def test_a_file_and_a_mapping_give_the_same(tmp_path):
    values = {
        "age": 63,
        "sex": "Male",
        "child_pugh": "a 5",
        "albumin_g_dl": 3.9,
        "bclc": "b",
        "ecog": 0,
        "portal_vein_thrombosis": "branch",
        "jaundice": False,
        "allergies": ["cisplatin"],
    }
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    facts = read_facts(path)
    assert facts == read_facts(values) == read_facts(read_facts(values))
    assert facts.sex == "male" and facts.child_pugh == "A5" and facts.bclc == "B" and facts.ecog == 0
    assert facts.allergies == ("cisplatin",)


@pytest.mark.parametrize(
    ("text", "letter", "points"), [("A", "A", None), ("B8", "B", 8), ("10", "C", 10), ("c15", "C", 15)]
)
def test_child_pugh(text, letter, points):
    facts = read_facts({"child_pugh": text})
    assert child_pugh_class(facts) == letter
    assert child_pugh_points(facts) == points


def test_child_pugh_unknown():
    assert child_pugh_class(ClinicalFacts()) is None
    assert child_pugh_points(ClinicalFacts()) is None


def test_albi_follows_the_formula_of_its_paper():
    # 17.1 µmol/l and 40 g/l: 0.66 * 1.233 - 0.085 * 40
    facts = ClinicalFacts(albumin_g_dl=4.0, bilirubin_mg_dl=1.0)
    assert albi_score(facts) == pytest.approx(-2.586, abs=0.001)
    assert albi_grade(facts) == 2
    assert albi_grade(ClinicalFacts(albumin_g_dl=4.5, bilirubin_mg_dl=0.6)) == 1
    assert albi_grade(ClinicalFacts(albumin_g_dl=2.0, bilirubin_mg_dl=5.0)) == 3
    assert albi_score(ClinicalFacts(albumin_g_dl=4.0)) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"child_pug": "A5"}, ["child_pug", "did you mean child_pugh"]),
        ({"favourite_colour": "red"}, ["favourite_colour", "known are"]),
        ({"PatientName": "X"}, ["can identify the patient", "remove"]),
        ({"patient_id": 12}, ["can identify the patient"]),
        ({"date of birth": "1950"}, ["can identify the patient"]),
        ({"MRN": "1"}, ["can identify the patient"]),
        ({"albumin_g_dl": 38}, ["albumin_g_dl is 38", "g/l"]),
        ({"bilirubin_mg_dl": 90}, ["µmol/l"]),
        ({"creatinine_mg_dl": 88}, ["µmol/l"]),
        ({"afp_ng_ml": -1}, ["afp_ng_ml is -1"]),
        ({"age": 220}, ["age is 220"]),
        ({"age": "63"}, ["'63'", "number"]),
        ({"age": float("nan")}, ["nan", "number"]),
        ({"ecog": 5}, ["ecog is 5"]),
        ({"ecog": 1.5}, ["whole number"]),
        ({"ecog": True}, ["True", "number"]),
        ({"tumour_number": 0}, ["tumour_number is 0"]),
        ({"tumour_burden_percent": 130}, ["130"]),
        ({"sex": "m"}, ["'m'", "male, female"]),
        ({"bclc": "E"}, ["'E'", "0, A, B, C, D"]),
        ({"portal_vein_thrombosis": True}, ["True", "main_without_collaterals"]),
        ({"jaundice": "no"}, ["'no'", "true or false"]),
        ({"child_pugh": "D4"}, ["'D4'", "A, B or C"]),
        ({"child_pugh": "A9"}, ["'A9'", "9 points are class B"]),
        ({"child_pugh": "A3"}, ["5 to 15"]),
        ({"child_pugh": ""}, ["''"]),
        ({"allergies": "cisplatin"}, ["'cisplatin'", "list"]),
        ({"allergies": [3]}, ["list of agent names"]),
    ],
)
def test_wrong_facts_are_named(values, words):
    with pytest.raises(InputError) as error:
        read_facts(values)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value) and str(error.value)[-1] in ".?"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"age": 63,}', ["not valid JSON at line 1"]),
        (b"[1, 2]", ["list", "object"]),
        (b"", ["not valid JSON"]),
        (b"\xff\xfe\x00\x01", ["not text"]),
    ],
)
def test_wrong_files_are_named(tmp_path, content, words):
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_facts(path)
    for word in words:
        assert word in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_facts(tmp_path / "none.json")
    with pytest.raises(InputError, match="folder"):
        read_facts(tmp_path)


def test_the_patients_value_is_not_repeated_in_the_message():
    with pytest.raises(InputError) as error:
        read_facts({"patient_name": "Jane Doe"})
    assert "Jane" not in str(error.value)
