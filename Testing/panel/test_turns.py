"""Events and steps taken one a turn of the event loop."""

import pytest

from MeWMModuleLib.turns import Turns


class Loop:
    """An event loop that turns when the test says so."""

    def __init__(self):
        self.due = []

    def later(self, action):
        self.due.append(action)

    def turn(self):
        self.due.pop(0)()


@pytest.fixture
def loop():
    return Loop()


def test_the_steps_of_an_event_come_before_the_next_event(loop):
    done = []

    def take(event):
        done.append(event)
        if event == "future":
            turns.begin(iter(lambda: done.append("step") or len(done), 4))

    turns = Turns(loop.later, take, lambda action: action())
    for event in ("future", "row"):
        turns.add(event)
    assert done == [] and len(loop.due) == 1
    while loop.due:
        loop.turn()
        assert len(loop.due) <= 1
    assert done == ["future", "step", "step", "step", "row"]


def test_dropped_steps_are_closed_and_leave_nothing_to_do(loop):
    closed = []

    def steps():
        try:
            yield
            yield
        finally:
            closed.append(True)

    turns = Turns(loop.later, lambda event: turns.begin(steps()), lambda action: action())
    turns.add("future")
    loop.turn()
    loop.turn()
    turns.drop_steps()
    assert closed == [True]
    # The turn that was due for the next step finds none, and no event either.
    loop.turn()
    assert loop.due == []
