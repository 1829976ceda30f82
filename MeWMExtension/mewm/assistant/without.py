"""What "without the assistant" means: labels that need nobody to read the CT."""

from __future__ import annotations

import numpy as np

from mewm.assistant.intensity import OIL_HU
from mewm.roi import Roi
from mewm.roles import Tissue


class LesionAssistant:
    """In place of the assistant: oil by attenuation alone, all the rest of the drawn lesion counted as viable.

    The survival model still gets labels, because it is made of them, but nobody told necrosis from viable tumour or
    looked where the lesion's border went.
    """

    name = "none (oil by attenuation, the rest viable)"

    def segment(self, roi: Roi, ct: np.ndarray) -> np.ndarray:
        """Label one CT ``(96, 96, 96)`` HU with :class:`mewm.roles.Tissue`, uint8."""
        labels = np.where(roi.liver, np.uint8(Tissue.LIVER), np.uint8(Tissue.BACKGROUND))
        labels[roi.lesion] = np.where(ct[roi.lesion] > OIL_HU, np.uint8(Tissue.LIPIODOL), np.uint8(Tissue.VIABLE))
        return labels
