"""The path of the search to a protocol, in words."""

from mewm.rows import spread_words
from MeWMModuleLib.why import path_of, why_html

LOBA = {"agent": "lobaplatin", "kind": "drug", "dose": 30.0, "unit": "mg", "size_um": None}
EPI = {"agent": "epirubicin", "kind": "drug", "dose": 50.0, "unit": "mg", "size_um": None}
OIL = {"agent": "lipiodol", "kind": "embolic", "dose": 10.0, "unit": "ml", "size_um": None}
CUT = {"rule": "one-platinum", "severity": "excluded", "message": "A & B are both platinum.", "source": "Someone 2020"}


def _candidate(actions, risk, taken, replicas=1):
    return {"protocol": {"actions": actions}, "risk": risk, "replicas": replicas, "taken": taken}


SEARCH = {
    "steps": [
        {
            "phase": "drugs",
            "branches": [
                {
                    "protocol": {"actions": []},
                    "candidates": [_candidate([LOBA], 0.5, False, 0), _candidate([EPI], 0.1, True)],
                    "cut": [],
                }
            ],
        },
        {
            "phase": "embolics",
            "branches": [
                {
                    "protocol": {"actions": [EPI]},
                    "candidates": [_candidate([EPI], 0.1, False), _candidate([EPI, OIL], -1.0, True)],
                    "cut": [
                        {**CUT, "agents": ["cisplatin", "lobaplatin"]},
                        {**CUT, "agents": ["nedaplatin", "lobaplatin"]},
                    ],
                }
            ],
        },
    ],
    "proposal": {"reasons": {"epirubicin": "Epirubicin: given often", "lobaplatin": "Lobaplatin: given often"}},
}


def test_an_agent_that_the_look_back_left_out_is_named():
    both = [EPI, LOBA, OIL]
    branch = {"protocol": {"actions": both}, "candidates": [_candidate([EPI, OIL], -1.0, True)], "cut": []}
    moves, complete = path_of(
        "Epirubicin 50 mg; Lipiodol 10 ml", {"steps": [{"phase": "look back", "branches": [branch]}]}
    )
    assert complete and [move.added for move in moves] == ["without Lobaplatin 30 mg"]


def _row(protocol, **changes):
    return {
        "protocol": protocol,
        "rank": 1,
        "risk": -1.0,
        "risk_sd": 0.1,
        "replicas": 5,
        "violations": "",
        "origin": "search",
        **changes,
    }


def test_the_path_leads_from_the_first_step_to_the_protocol():
    moves, complete = path_of("Epirubicin 50 mg; Lipiodol 10 ml", SEARCH)
    assert complete
    assert [(move.number, move.added, move.place, move.risk) for move in moves] == [
        (1, "Epirubicin 50 mg", 1, "+0.10"),
        (2, "Lipiodol 10 ml", 1, "−1.00"),
    ]


def test_what_the_rules_cut_is_told_once_a_rule():
    html = why_html(_row("Epirubicin 50 mg; Lipiodol 10 ml"), SEARCH)
    assert html.count("A &amp; B are both platinum.") == 1 and "Nedaplatin with Lobaplatin" in html
    assert "Epirubicin: given often" in html and "Lobaplatin: given often" not in html


def test_a_protocol_the_beams_left_behind_says_where():
    moves, complete = path_of("Lobaplatin 30 mg; Lipiodol 10 ml", SEARCH)
    assert not complete and [move.place for move in moves] == [2]
    html = why_html(_row("Lobaplatin 30 mg; Lipiodol 10 ml"), SEARCH)
    assert "2nd of 2 candidates (best: Epirubicin 50 mg, +0.10); no beam took it" in html
    assert "scored beside them" in html
    assert "risk +0.50 (estimated, not simulated)" in html and "+0.10 (estimated" not in html


def test_an_own_protocol_with_violations_says_so():
    html = why_html(_row("Mitomycin 10 mg; Lipiodol 10 ml", origin="yours", violations="Not <allowed>."), {})
    assert "Not &lt;allowed&gt;." in html and "You entered this protocol." in html and "no search tree" in html


def test_a_spread_that_rounds_to_nothing_is_not_told_as_none():
    assert spread_words(0.0) == " ± <0.01" and spread_words(0.123) == " ± 0.12" and spread_words(None) == ""
    assert "risk −1.00 ± &lt;0.01 over 1 simulated future<" in why_html(
        _row("Lipiodol 10 ml", risk=-1.0, risk_sd=0.001, replicas=1), {}
    )
