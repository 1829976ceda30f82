"""The plain dynamics model: a mechanistic simulator of TACE on CT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.dynamics.appearance import render, true_tissue
from mewm.dynamics.fields import random_fields
from mewm.dynamics.response import ResponseField, respond
from mewm.dynamics.sensitivities import Sensitivities, estimate_sensitivities
from mewm.dynamics.space import lesion_space
from mewm.roi import Roi


class MechanisticDynamics:
    """Simulate the CT 4–6 weeks after a protocol from oil transport, cell kill and ischaemia.

    Implements :class:`mewm.roles.DynamicsModel`. Same ROI, protocol and seed give identical arrays; a seed gives
    every protocol the same random numbers. Work is confined to the lesion's neighbourhood, and what does not
    depend on the protocol is kept for the life of the ROI.

    Args:
        sensitivities: the lesion's answer to treatment; estimated from the ROI when omitted. A simulated world
            passes its hidden truth here.
    """

    name = "mechanistic"

    def __init__(self, sensitivities: Sensitivities | None = None):
        self.sensitivities = sensitivities

    def respond(self, roi: Roi, protocol: Protocol, seed: int) -> ResponseField:
        """Return what one future does to the lesion, on the box of :func:`mewm.dynamics.space.lesion_space`.

        Raises:
            InputError: the protocol holds an agent whose effect is unknown.
        """
        space = lesion_space(roi)
        sensitivities = self.sensitivities or estimate_sensitivities(space.phenotype, roi.facts)
        return respond(space.phenotype, space, protocol, sensitivities, random_fields(space, seed))

    def simulate(self, roi: Roi, protocol: Protocol, seeds: Sequence[int]) -> np.ndarray:
        """Return ``(len(seeds), 96, 96, 96)`` float32 HU, one future a seed; the input CT for no treatment.

        Raises:
            InputError: the protocol holds an agent whose effect is unknown.
        """
        post = np.empty((len(seeds), *roi.ct.shape), np.float32)
        for future, seed in zip(post, seeds, strict=True):
            future[...] = draw_ct(roi, self.respond(roi, protocol, seed), seed)
        return post

    def tissue(self, roi: Roi, protocol: Protocol, seed: int) -> np.ndarray:
        """Return the true tissue labels of one future, uint8 ``(96, 96, 96)``: what a perfect assistant would say.

        Raises:
            InputError: the protocol holds an agent whose effect is unknown.
        """
        return draw_tissue(roi, self.respond(roi, protocol, seed))


def draw_ct(roi: Roi, response: ResponseField, seed: int) -> np.ndarray:
    """Return the CT, float32 HU ``(96, 96, 96)``, of a response that was drawn with ``seed``."""
    space = lesion_space(roi)
    ct = roi.ct.astype(np.float32)
    ct[space.box] = render(space, response, random_fields(space, seed))
    return ct


def draw_tissue(roi: Roi, response: ResponseField) -> np.ndarray:
    """Return the true tissue labels of a response, uint8 ``(96, 96, 96)``."""
    space = lesion_space(roi)
    labels = roi.liver.astype(np.uint8)
    labels[space.box] = true_tissue(space, response)
    return labels
