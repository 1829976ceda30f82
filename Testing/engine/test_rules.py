"""The rules: what may be combined, for whom, and that the search can always finish what it begins."""

import copy
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mewm.actions.base import load_action_base, read_data_file
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.actions.rulebook import build_rules, load_rules
from mewm.actions.rules import (
    agent_findings,
    allergy_notes,
    check,
    contraindications,
    extensions,
    is_complete,
    require_admissible,
)
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError, ResourceError

BASE = load_action_base()
ALL = Formulary.everything()
NOBODY = ClinicalFacts()
DRUGS = [BASE.usual(a.id) for a in BASE.agents.values() if a.kind != "embolic"]
EMBOLICS = [BASE.usual(a.id) for a in BASE.agents.values() if a.kind == "embolic"]
SEVERE_SHUNT = ClinicalFacts(arteriovenous_shunt="severe")


def protocol(*agents: str) -> Protocol:
    return Protocol(tuple(BASE.usual(a) for a in agents))


def broken(p: Protocol, facts=NOBODY, formulary=ALL, **horizons) -> set[str]:
    return {f.rule for f in check(p, facts, formulary, **horizons) if f.severity == "excluded"}


@pytest.mark.parametrize(
    ("agents", "rule"),
    [
        (("cisplatin", "lobaplatin", "lipiodol"), "one-platinum"),
        (("oxaliplatin", "nedaplatin", "lipiodol"), "one-platinum"),
        (("epirubicin", "pirarubicin", "lipiodol"), "one-anthracycline"),
        (("idarubicin", "doxorubicin", "lipiodol"), "one-anthracycline"),
        (("lobaplatin", "lipiodol", "pva", "gelatin_sponge"), "pva-alone-among-particles"),
        (("lobaplatin", "lipiodol", "absolute_alcohol", "pva"), "pva-alone-among-particles"),
        (("lobaplatin", "gelatin_sponge"), "conventional-needs-lipiodol"),
        (("doxorubicin_eluting_beads", "raltitrexed"), "beads-own-arm"),
        (("lipiodol", "doxorubicin_eluting_beads"), "beads-own-arm"),
    ],
)
def test_forbidden_combinations_say_why(agents, rule):
    findings = [f for f in check(protocol(*agents), NOBODY, ALL) if f.rule == rule]
    assert findings
    assert findings[0].message.endswith(".")
    assert findings[0].source
    assert "{" not in findings[0].message


@pytest.mark.parametrize(
    "agents",
    [
        ("lobaplatin", "lipiodol"),
        ("raltitrexed", "lobaplatin", "lipiodol", "gelatin_sponge"),
        ("cisplatin", "doxorubicin", "mitomycin", "lipiodol"),
        ("epirubicin", "lipiodol", "absolute_alcohol", "gelatin_sponge"),
        ("doxorubicin_eluting_beads",),
    ],
)
def test_published_protocols_are_complete_and_free_of_exclusions(agents):
    assert is_complete(protocol(*agents))
    assert broken(protocol(*agents)) == set()


@pytest.mark.parametrize(
    "agents", [(), ("lobaplatin",), ("lipiodol",), ("doxorubicin_eluting_beads", "lipiodol"), ("gelatin_sponge",)]
)
def test_incomplete_protocols(agents):
    assert not is_complete(protocol(*agents))


def test_untreated_and_bland_and_unknown():
    assert [f.severity for f in check(Protocol(), NOBODY, ALL)] == ["note"]
    assert "no-drug" in {f.rule for f in check(protocol("lipiodol"), NOBODY, ALL)}
    unknown = Protocol((Action("Adasone", "unknown", 30.0, "mg"), BASE.usual("lipiodol"), BASE.usual("lobaplatin")))
    (finding,) = [f for f in check(unknown, NOBODY, ALL) if f.severity == "excluded"]
    assert finding.message == "Adasone is not in the action base and cannot be simulated."


def test_twice_the_same_agent_and_horizons():
    assert "listed-twice" in broken(protocol("lobaplatin", "lipiodol", "lipiodol"))
    three = protocol("cisplatin", "doxorubicin", "mitomycin", "lipiodol")
    assert "horizon" in broken(three, max_drugs=2)
    assert "horizon" not in broken(three, max_drugs=3, max_embolics=1)


def test_a_wrong_dose_is_found():
    assert "dose-range" in broken(Protocol((Action("lobaplatin", "drug", 900.0, "mg"), BASE.usual("lipiodol"))))


@pytest.mark.parametrize(
    ("facts", "agent", "rule"),
    [
        (ClinicalFacts(creatinine_mg_dl=1.5), "cisplatin", "renal-cisplatin"),
        (ClinicalFacts(creatinine_mg_dl=1.8), "mitomycin", "renal-mitomycin"),
        (ClinicalFacts(child_pugh="B8"), "epirubicin", "hepatic-anthracycline-child-pugh"),
        (ClinicalFacts(child_pugh="C"), "doxorubicin_eluting_beads", "hepatic-anthracycline-child-pugh"),
        (ClinicalFacts(bilirubin_mg_dl=3.1), "idarubicin", "hepatic-anthracycline-bilirubin"),
        (ClinicalFacts(portal_vein_thrombosis="main"), "pva", "main-portal-thrombosis-permanent"),
        (ClinicalFacts(allergies=("CDDP",)), "cisplatin", "allergy"),
        (ClinicalFacts(allergies=("platinum",)), "oxaliplatin", "allergy"),
        (ClinicalFacts(allergies=("Anthracyclines",)), "doxorubicin_eluting_beads", "allergy"),
        (ClinicalFacts(allergies=("doxorubicin",)), "doxorubicin_eluting_beads", "allergy"),
        (ClinicalFacts(allergies=("iodine",)), "lipiodol", "allergy"),
        (ClinicalFacts(allergies=("gelatin",)), "embosphere", "allergy"),
    ],
)
def test_limits_of_the_patient(facts, agent, rule):
    findings = {f.rule: f for f in agent_findings(agent, facts, ALL)}
    assert findings[rule].severity == "excluded"
    assert not agent_findings(agent, NOBODY, ALL)


@pytest.mark.parametrize(
    ("facts", "agent"),
    [
        (ClinicalFacts(creatinine_mg_dl=1.4), "cisplatin"),
        (ClinicalFacts(child_pugh="B7"), "epirubicin"),
        (ClinicalFacts(child_pugh="A"), "epirubicin"),
        (ClinicalFacts(bilirubin_mg_dl=3.0), "doxorubicin"),
        (ClinicalFacts(portal_vein_thrombosis="branch"), "pva"),
        (ClinicalFacts(portal_vein_thrombosis="main"), "gelatin_sponge"),
        (ClinicalFacts(allergies=("doxorubicin",)), "epirubicin"),
    ],
)
def test_just_inside_the_limits(facts, agent):
    assert not [f for f in agent_findings(agent, facts, ALL) if f.severity == "excluded"]


def test_an_allergy_that_matches_nothing_is_told():
    (note,) = allergy_notes(ClinicalFacts(allergies=("penicillin", "iodine")))
    assert "'penicillin'" in note.message


def test_severe_shunt_needs_an_occluder_beside_lipiodol():
    assert "severe-shunt-needs-occlusion" in broken(protocol("lobaplatin", "lipiodol"), SEVERE_SHUNT)
    assert broken(protocol("lobaplatin", "pva", "lipiodol"), SEVERE_SHUNT) == set()
    assert broken(protocol("lobaplatin", "lipiodol"), ClinicalFacts(arteriovenous_shunt="mild")) == set()


def test_extensions_cut_with_a_reason_and_keep_the_order():
    allowed, findings = extensions(protocol("lobaplatin"), DRUGS, NOBODY, ALL, 3)
    names = [a.agent for a in allowed]
    assert names == [a.agent for a in DRUGS if a.agent in names]
    assert {"cisplatin", "oxaliplatin", "nedaplatin", "lobaplatin", "doxorubicin_eluting_beads"}.isdisjoint(names)
    assert {a for f in findings for a in f.agents} >= {"cisplatin", "doxorubicin_eluting_beads"}


def test_last_step_belongs_to_lipiodol():
    allowed, findings = extensions(protocol("lobaplatin"), EMBOLICS, NOBODY, ALL, 1)
    assert [a.agent for a in allowed] == ["lipiodol"]
    assert all("Lipiodol" in f.message for f in findings)
    allowed, _ = extensions(protocol("lobaplatin", "lipiodol"), EMBOLICS, NOBODY, ALL, 1)
    assert "pva" in [a.agent for a in allowed]


def test_severe_shunt_takes_both_steps():
    first, _ = extensions(protocol("lobaplatin"), EMBOLICS, SEVERE_SHUNT, ALL, 2)
    assert {a.agent for a in first} == {"lipiodol", "gelatin_sponge", "pva", "absolute_alcohol", "nbca"}
    second, _ = extensions(protocol("lobaplatin", "lipiodol"), EMBOLICS, SEVERE_SHUNT, ALL, 1)
    assert {a.agent for a in second} == {"gelatin_sponge", "pva", "absolute_alcohol", "nbca"}


def test_no_drug_where_lipiodol_cannot_follow():
    no_oil = Formulary.without(["Lipiodol"])
    allowed, findings = extensions(Protocol(), DRUGS, NOBODY, no_oil, 3)
    assert [a.agent for a in allowed] == ["doxorubicin_eluting_beads"]
    assert any("Lipiodol: not in the formulary" in f.message for f in findings)


FACTS = st.builds(
    ClinicalFacts,
    child_pugh=st.sampled_from([None, "A5", "B7", "B9", "C"]),
    bilirubin_mg_dl=st.sampled_from([None, 0.8, 2.0, 4.0]),
    creatinine_mg_dl=st.sampled_from([None, 1.0, 1.6, 2.5]),
    portal_vein_thrombosis=st.sampled_from([None, "none", "branch", "main", "main_without_collaterals"]),
    arteriovenous_shunt=st.sampled_from([None, "none", "mild", "severe"]),
    allergies=st.sampled_from([(), ("iodine",), ("platinum",), ("gelatin",)]),
)


@settings(max_examples=150, deadline=None)
@given(facts=FACTS, missing=st.sets(st.sampled_from(sorted(BASE.agents)), max_size=8), data=st.data())
def test_any_walk_ends_complete_and_unbroken(facts, missing, data):
    """Whatever a search picks among the extensions, H_d = H_e = 2, it ends in an admissible whole protocol."""
    formulary = Formulary(frozenset(BASE.agents) - missing)
    p = Protocol()
    for step in range(2):
        allowed, _ = extensions(p, DRUGS, facts, formulary, 3)
        if not allowed or (step and data.draw(st.booleans())):
            break
        p = p.with_action(data.draw(st.sampled_from(allowed)))
    if not p.actions:
        with pytest.raises(InputError):
            require_admissible(facts, formulary)
        return
    require_admissible(facts, formulary)
    for steps_left in (2, 1):
        allowed, _ = extensions(p, EMBOLICS, facts, formulary, steps_left)
        if not allowed:
            break
        p = p.with_action(data.draw(st.sampled_from(allowed)))
    assert is_complete(p)
    assert broken(p, facts, formulary, max_drugs=2, max_embolics=2) == set()


def test_extensions_agree_with_check_on_every_pair_of_drugs():
    for first, second in itertools.permutations(DRUGS, 2):
        allowed, _ = extensions(Protocol((first,)), [second], NOBODY, ALL, 3)
        violated = broken(Protocol((first, second, BASE.usual("lipiodol"))))
        assert bool(allowed) == (not violated), (first.agent, second.agent)


@pytest.mark.parametrize(
    ("formulary", "facts", "says"),
    [
        (Formulary.only(["cisplatin", "embosphere"]), NOBODY, "Lipiodol: not in the formulary"),
        (Formulary.only(["lipiodol", "pva"]), NOBODY, "No drug or bead"),
        (Formulary.only(["lipiodol", "cisplatin"]), ClinicalFacts(creatinine_mg_dl=3.0), "No drug or bead"),
        (Formulary.only(["lipiodol", "lobaplatin"]), SEVERE_SHUNT, "shunt is occluded first"),
        (ALL, ClinicalFacts(allergies=("iodine", "anthracycline")), "allergy to iodine"),
    ],
)
def test_no_protocol_left_is_a_clear_error(formulary, facts, says):
    with pytest.raises(InputError, match=says) as error:
        require_admissible(facts, formulary)
    assert "no complete protocol" in str(error.value)


def test_beads_alone_are_enough_and_horizons_count():
    require_admissible(ClinicalFacts(allergies=("iodine",)), Formulary.only(["LC Beads"]))
    with pytest.raises(InputError, match="at most 1"):
        require_admissible(SEVERE_SHUNT, Formulary.only(["lobaplatin", "lipiodol", "pva"]), max_embolics=1)


@pytest.mark.parametrize(
    ("facts", "rule", "level"),
    [
        (ClinicalFacts(child_pugh="B8"), "tace-decompensated", "Absolute"),
        (ClinicalFacts(child_pugh="c"), "tace-decompensated", "Absolute"),
        (ClinicalFacts(child_pugh="B"), "tace-child-pugh-b-unscored", "Relative"),
        (ClinicalFacts(jaundice=True), "tace-jaundice", "Absolute"),
        (ClinicalFacts(encephalopathy=True), "tace-encephalopathy", "Absolute"),
        (ClinicalFacts(ascites="refractory"), "tace-refractory-ascites", "Absolute"),
        (ClinicalFacts(hepatorenal_syndrome=True), "tace-hepatorenal-syndrome", "Absolute"),
        (ClinicalFacts(portal_vein_thrombosis="main_without_collaterals"), "tace-portal-flow", "Absolute"),
        (ClinicalFacts(creatinine_mg_dl=2.0), "tace-renal", "Absolute"),
        (ClinicalFacts(ecog=3), "tace-bclc-d", "Absolute"),
        (ClinicalFacts(extrahepatic_spread=True), "tace-extrahepatic", "Relative"),
        (ClinicalFacts(tumour_burden_percent=80.0), "tace-burden", "Relative"),
        (ClinicalFacts(bile_duct_obstruction=True), "tace-bile-duct", "Relative"),
        (ClinicalFacts(untreated_varices=True), "tace-varices", "Relative"),
    ],
)
def test_contraindications_warn_with_their_source(facts, rule, level):
    (finding,) = [f for f in contraindications(facts) if f.rule == rule]
    assert finding.severity == "warning"
    assert finding.message.startswith(f"{level} contraindication: ")
    assert "doi" in finding.source


def test_nothing_stated_warns_of_nothing_and_false_is_not_true():
    assert contraindications(NOBODY) == ()
    assert contraindications(ClinicalFacts(jaundice=False, child_pugh="A5", ecog=0)) == ()
    (finding,) = contraindications(NOBODY, lesion_diameter_mm=112.4)
    assert "112.4 mm" in finding.message


def _rules(change):
    data = copy.deepcopy(read_data_file("rules.json"))
    change(data["rules"])
    return data


def _rule(**entry):
    base = {"id": "new", "severity": "excluded", "message": "{agent}.", "sources": ["mewm"]}
    return {**base, **entry}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (_rule(type="excludes", agents=["lobaplatin"], **{"with": ["lipiodol"]}), r"contradicts.*needs-lipiodol.*new"),
        (_rule(type="forbids", agents=["lipiodol"]), r"contradicts.*needs-lipiodol.*new"),
        (_rule(type="requires", agents=["kind:bead"], one_of=["lipiodol"]), r"contradicts.*only alone"),
        (
            _rule(
                type="forbids",
                agents=["pva", "absolute_alcohol", "nbca", "gelatin_sponge"],
                **{"if": {"fact": "arteriovenous_shunt", "in": ["severe"]}},
            ),
            r"contradicts.*severe-shunt.*new",
        ),
        (_rule(type="forbids", agents=["arsenic"]), "'arsenic'"),
        (_rule(type="forbids", agents=["class:alkaloid"]), "'class:alkaloid'"),
        (_rule(type="forbids", agents=["pva"], **{"if": {"fact": "mood", "in": ["bad"]}}), "'mood'"),
        (_rule(type="forbids", agents=["pva"], **{"if": {"fact": "ecog", "about": 2}}), "'ecog'"),
        (_rule(type="forbids", agents=["pva"], sources=["rumour"]), "'rumour'"),
        (_rule(type="suggests", agents=["pva"]), "unknown type"),
        (_rule(type="forbids", agents=["pva"], message="{patient}"), "damaged"),
        (_rule(type="forbids", agents=["pva"], id="one-platinum"), "twice"),
    ],
)
def test_contradicting_or_damaged_rules_are_refused_at_load(entry, says):
    with pytest.raises(ResourceError, match=says):
        build_rules(_rules(lambda rules: rules.append(entry)), BASE)


def test_every_shipped_rule_has_reason_and_source():
    rules = load_rules()
    assert len({r.id for r in rules}) == len(rules)
    assert all(r.message.endswith(".") and len(r.source) > 10 for r in rules)
