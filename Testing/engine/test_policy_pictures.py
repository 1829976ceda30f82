"""The pictures that are sent: the right planes, the right way round, an outline, no metadata."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL.Image", reason="the 'policy' extra is not installed; `make setup` installs it")
from PIL import Image

from mewm.clinical import ClinicalFacts
from mewm.dynamics.phenotype import read_phenotype
from mewm.policy.pictures import OUTLINE, PANEL, choose_slices, encode_png, lesion_pictures
from mewm.roi import Roi, cut_roi


def make_roi(lesion: np.ndarray) -> Roi:
    ct = np.where(lesion, 60.0, 110.0).astype(np.float32)
    everywhere = np.ones_like(lesion)
    return Roi(ct, lesion, everywhere, everywhere, lesion.astype(np.float32), 1.0, (0.0, 0.0, 0.0), ClinicalFacts())


def grid():
    return np.ogrid[:96, :96, :96]


@pytest.fixture(scope="module")
def off_centre() -> Roi:
    """A lesion on the patient's right, anterior, and wider in its lower part."""
    z, y, x = grid()
    wide = (z - 40) ** 2 + (y - 30) ** 2 + (x - 24) ** 2 < 14**2
    tall = ((y - 30) ** 2 + (x - 24) ** 2 < 6**2) & (z >= 40) & (z < 76)
    return make_roi(wide | tall)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))


def outline(picture):
    return np.argwhere((pixels(picture) == OUTLINE).all(axis=-1))


def test_the_slices_show_the_lesion_where_it_is_largest_and_at_both_ends(off_centre):
    chosen = choose_slices(off_centre)
    assert [s.plane for s in chosen] == ["axial", "axial", "axial", "coronal"]
    areas = off_centre.lesion.sum(axis=(1, 2))
    assert areas[chosen[0].index] == areas.max()
    assert chosen[1].index < chosen[0].index < chosen[2].index
    assert off_centre.lesion[chosen[1].index].any() and off_centre.lesion[chosen[2].index].any()
    across = off_centre.lesion.sum(axis=(0, 2))
    assert across[chosen[3].index] == across.max()


def test_a_flat_lesion_gets_no_slice_twice():
    lesion = np.zeros((96, 96, 96), bool)
    lesion[47:49, 40:60, 40:60] = True
    assert [s.plane for s in choose_slices(make_roi(lesion))] == ["axial", "coronal"]


def test_only_what_was_scanned_is_shown(off_centre):
    inside = off_centre.inside.copy()
    inside[30:] = False
    assert all(s.index < 30 for s in choose_slices(replace(off_centre, inside=inside)) if s.plane == "axial")


def test_patients_right_is_on_the_left_and_front_and_head_are_up(off_centre):
    axial, *_, coronal = lesion_pictures(off_centre, read_phenotype(off_centre))
    for picture, row in ((axial, 30), (coronal, 95 - 50)):
        line = outline(picture)
        assert (line[:, 1] > PANEL).all()
        middle = (line.min(axis=0) + line.max(axis=0)) / 2
        assert middle[1] - (PANEL + 8) == pytest.approx(24 * PANEL / 96, abs=8)
        assert middle[0] == pytest.approx(row * PANEL / 96, abs=20)
        assert "patient's right on the left" in picture.caption


def test_the_outline_hides_nothing_of_the_lesion(off_centre):
    picture = pixels(lesion_pictures(off_centre, read_phenotype(off_centre))[0])
    plain, outlined = picture[:, :PANEL], picture[:, PANEL + 8 :]
    rows = slice(0, 420)  # below is the bar
    changed = (plain != outlined).any(axis=-1)[rows]
    np.testing.assert_array_equal(outlined[rows][changed], np.broadcast_to(OUTLINE, (changed.sum(), 3)))
    # The lesion is dark on a bright liver: no dark pixel was painted over, but for those at its very edge.
    assert plain[rows][changed].mean() > 120


def test_the_file_holds_pixels_and_nothing_else(phantom_case):
    roi = cut_roi(phantom_case)
    for picture in lesion_pictures(roi, read_phenotype(roi)):
        assert picture.png[:8] == b"\x89PNG\r\n\x1a\n"
        assert set(chunks(picture.png)) == {b"IHDR", b"IDAT", b"IEND"}
        assert pixels(picture).shape == (PANEL, 2 * PANEL + 8, 3)
        assert len(picture.png) < 400_000


def test_metadata_of_an_image_is_left_behind():
    image = Image.new("RGB", (4, 4))
    image.info = {"dpi": (72, 72), "Comment": "Doe^Jane", "icc_profile": b"x"}
    assert set(chunks(encode_png(image))) == {b"IHDR", b"IDAT", b"IEND"}


def test_the_same_case_gives_the_same_pictures(off_centre):
    seen = read_phenotype(off_centre)
    assert lesion_pictures(off_centre, seen) == lesion_pictures(off_centre, seen)


def chunks(png: bytes):
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8]
        at += 12 + length
