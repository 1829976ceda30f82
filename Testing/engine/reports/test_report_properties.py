"""Readings do not depend on order, case, blanks or the unit a dose is written in."""

import re
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.errors import InputError
from mewm.reports.extract import extract
from mewm.reports.render import describe

BASE = load_action_base()
NAMES = st.text(alphabet=string.ascii_lowercase, min_size=9, max_size=14).map(lambda s: "Zq" + s)
UNITS = {
    "mg": (("mg", 1), ("g", 0.001), ("MG", 1)),
    "ml": (("ml", 1), ("cc", 1), ("mL", 1)),
    "µm": (("µm", 1), ("um", 1), ("micron", 1)),
}


@st.composite
def items(draw):
    """Actions in random order: known agents with a dose or size, and invented names with a dose."""
    agents = draw(
        st.lists(st.sampled_from(sorted(set(BASE.agents) - {"doxorubicin_eluting_beads"})), unique=True, max_size=4)
    )
    names = draw(st.lists(NAMES, unique=True, min_size=0 if agents else 1, max_size=2))
    actions = []
    for agent in (BASE.agents[a] for a in agents):
        dose = draw(st.integers(1, 200)) if agent.unit and not agent.size_range_um else None
        size = draw(st.tuples(st.integers(40, 900), st.integers(40, 900)).map(sorted)) if agent.size_range_um else None
        actions.append(Action(agent.id, agent.kind, dose, agent.unit if dose else None, tuple(size) if size else None))
    actions += [Action(name, "unknown", draw(st.integers(1, 200)), "mg") for name in names]
    return draw(st.permutations(actions))


@st.composite
def written(draw):
    """A report that gives the actions, in one of many ways of writing, and the actions."""
    actions = draw(items())
    first = draw(st.booleans())
    parts = []
    for action in actions:
        value, unit = (action.dose, action.unit) if action.dose else (action.size_um, "µm")
        word, factor = draw(st.sampled_from(UNITS[unit]))
        number = (
            f"{value[0]}-{value[1]}" if isinstance(value, tuple) else re.sub(r"\.?0+$", "", f"{value * factor:.4f}")
        )
        amount = f"{number}{draw(st.sampled_from(['', ' ']))}{word}"
        name = BASE.display_name(action.agent)
        parts.append(f"{amount} {name}" if first else f"{name} {amount}")
    joint = draw(st.sampled_from(["; ", ", ", " + ", ";\n", " and "]))
    return joint.join(parts), actions


def merged(text):
    return {a.agent.lower(): (a.dose, a.unit, a.size_um) for a in extract(text).protocol.actions}


@settings(max_examples=120, deadline=None)
@given(written())
def test_every_way_of_writing_gives_the_same_actions(case):
    text, actions = case
    reading = extract(text)
    assert [a.agent for a in reading.protocol.actions] == [a.agent for a in actions], text
    for found, meant in zip(reading.protocol.actions, actions, strict=True):
        assert found.dose == (meant.dose and float(meant.dose)) or abs(found.dose - meant.dose) < 1e-6, text
        assert found.size_um == meant.size_um, text
    assert set(reading.unknown) == {a.agent for a in actions if a.kind == "unknown"}


@settings(max_examples=60, deadline=None)
@given(written(), st.sampled_from([str.upper, str.lower, str.title]))
def test_case_changes_nothing(case, change):
    text, actions = case
    assert set(merged(change(text))) == {a.agent.lower() for a in actions}
    assert merged(change(text)) == merged(text)


@settings(max_examples=60, deadline=None)
@given(written(), st.sampled_from(["  ", "\t", "\u00a0", " \r\n "]))
def test_blanks_change_nothing(case, blank):
    text, _ = case
    assert merged(text.replace("; ", f";{blank}").replace(", ", f",{blank}")) == merged(text)


@settings(max_examples=60, deadline=None)
@given(items(), st.sampled_from([None, 1, 2, 3, 4]), st.sampled_from([None, "good", "moderate", "poor"]))
def test_the_description_comes_back(actions, level, deposition):
    stated = tuple(Action(a.agent, a.kind, a.dose and float(a.dose), a.unit, a.size_um) for a in actions)
    reading = extract("Lipiodol 1 ml").__class__(protocol=Protocol(stated), level=level, deposition=deposition)
    again = extract(describe(reading))
    assert (again.protocol, again.level, again.deposition) == (reading.protocol, level, deposition), describe(reading)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("abc lipiodol 10ml;-,.()µ㎎½%/+x\n:é\u202e5-FU"), max_size=200))
def test_garbage_is_read_or_told(text):
    try:
        reading = extract(text)
    except InputError:
        return
    for mention in reading.mentions:
        assert text[slice(*mention.span)] == mention.text
