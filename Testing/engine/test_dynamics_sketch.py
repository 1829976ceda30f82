"""A sketch tells protocols apart as the simulation does, at the same chance; the fast search needs no more of it."""

import numpy as np
import pytest
from lesion_phantoms import varied_roi

from mewm.actions.protocol import Protocol
from mewm.cohort.hazards import admissible
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.sketch import VOXELS, ResponseSketch
from mewm.explore.settings import ExploreSettings

SEEDS = (3, 17)


@pytest.fixture(scope="module")
def roi():
    return next(r for r in map(varied_roi, range(20)) if 2 * VOXELS < r.lesion.sum() < 10 * VOXELS)


def surviving(roi, protocol):
    dynamics = MechanisticDynamics()
    return [dynamics.respond(roi, Protocol(protocol.key), seed).surviving_ml for seed in SEEDS]


def test_a_sketch_counts_what_the_response_leaves_alive(roi):
    sketch = ResponseSketch(roi, SEEDS)
    for protocol in admissible(roi, ExploreSettings())[::37]:
        expected = np.array(surviving(roi, protocol))
        found = np.expm1(sketch(protocol)[:, 0])
        lesion_ml = roi.lesion.sum() * roi.spacing**3 / 1000
        assert found == pytest.approx(expected, abs=0.02 * lesion_ml)


def test_a_sketch_leaves_the_simulation_as_it_is(roi):
    """The random numbers of a seed are those of the whole lesion, whoever asks first."""
    protocol = admissible(roi, ExploreSettings())[5]
    fresh = next(r for r in map(varied_roi, range(20)) if 2 * VOXELS < r.lesion.sum() < 10 * VOXELS)
    ResponseSketch(fresh, SEEDS)(protocol)
    before, after = (MechanisticDynamics().simulate(r, protocol, SEEDS) for r in (roi, fresh))
    assert np.array_equal(before, after)


def test_a_sketch_tells_oil_and_what_it_hides_from_what_is_in_sight(roi):
    with_oil = next(p for p in admissible(roi, ExploreSettings()) if "lipiodol" in p.agents)
    beads = next(p for p in admissible(roi, ExploreSettings()) if any(a.kind == "bead" for a in p.actions))
    oily, dry = ResponseSketch(roi, SEEDS)(with_oil), ResponseSketch(roi, SEEDS)(beads)
    assert (oily[:, 7] > 0).all() and not dry[:, [4, 6, 7]].any()
    assert np.array_equal(dry[:, :2], dry[:, 2:4])
    assert (oily[:, 3] <= oily[:, 1]).all()


def test_toxicity_stands_in_the_last_columns(roi):
    one, two = admissible(roi, ExploreSettings())[0], None
    two = Protocol((*one.actions, *(a for a in admissible(roi, ExploreSettings())[-1].drugs if a not in one.actions)))
    sketch = ResponseSketch(roi, SEEDS)
    assert (sketch(two)[:, -2:] > sketch(one)[:, -2:]).all()
    assert sketch(one).shape == (len(SEEDS), 10)
