"""The sample case: a real CT that any machine can install."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Any

from mewm.case import Case, read_case
from mewm.doctor import SAMPLE_PACKAGE
from mewm.errors import InputError

# The package's files state no geometry. The spacing is an estimate that fits a liver of 1.7 litres.
SAMPLE_SPACING_MM = (1.40625, 1.40625, 1.40625)
# Seen in the anatomy: the first axis runs to the dome of the liver, the second to the spine, the third to the
# stomach.
SAMPLE_ORIENTATION = "SPL"
# The three larger lesions reach the edge of the crop; this one of 25 ml lies whole inside the liver.
SAMPLE_COMPONENT = 4
SAMPLE_LIVER, SAMPLE_TUMOUR = 1, 2


def sample_case(*, facts: Any = None, component: int | None = None) -> Case:
    """Read the sample case: LiTS case 117, a real CT with many metastases, from an installed package.

    The fourth largest lesion is the target. It is not a hepatocellular carcinoma and had no TACE; voxel spacing and
    orientation are estimates, because the files state none.

    Args:
        facts: clinical facts, as for :func:`read_case`; none are known of this patient.
        component: which lesion, 1 = largest; the fourth by default, the largest that is not cut off.

    Raises:
        InputError: the package is not installed.
    """
    spec = util.find_spec(SAMPLE_PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError(
            "The sample case is not installed; run pip install --no-deps liver-ct-segmentation-package==1.6.0."
        )
    data = Path(spec.origin).parent / "data"
    return read_case(
        data / "img_117.mrc",
        data / "lab_117.mrc",
        lesion_label=SAMPLE_TUMOUR,
        liver=data / "lab_117.mrc",
        liver_label=SAMPLE_LIVER,
        facts=facts,
        component=SAMPLE_COMPONENT if component is None else component,
        spacing=SAMPLE_SPACING_MM,
        orientation=SAMPLE_ORIENTATION,
    )
