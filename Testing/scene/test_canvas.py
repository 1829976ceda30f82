import numpy as np
import pytest

pytest.importorskip("vtkmodules", reason="the 'scene' extra is not installed; `make setup` installs it")
from MeWMModuleLib.canvas import Canvas, text_width, wrapped


def test_text_is_drawn_where_it_is_anchored():
    for anchor, columns in ((0.0, np.s_[100:]), (1.0, np.s_[:101])):
        canvas = Canvas(200, 60)
        width = canvas.text(100, 10, "Lipiodol", 24, (1.0, 0.5, 0.0), anchor=anchor)
        assert width == text_width("Lipiodol", 24) < 100
        lit = canvas.pixels[..., 0] > 0.5
        assert lit.any()
        assert lit.sum() == lit[:, columns].sum()
        assert not lit[:8].any()
        assert canvas.pixels[..., 2].max() == 0


@pytest.mark.parametrize("sign", ["µ", "±", "·", "−", "–", "≤", "≥"])
def test_the_font_has_every_sign_of_the_captions(sign):
    canvas = Canvas(60, 60)
    canvas.text(10, 10, sign, 30)
    assert canvas.pixels.max() > 0.5


def test_text_beyond_the_edge_is_cut_without_error():
    canvas = Canvas(40, 20)
    canvas.text(-30, -8, "necrosis", 24)
    canvas.text(35, 15, "necrosis", 24)
    canvas.text(300, 300, "necrosis", 24)
    assert canvas.pixels.any()


def test_lines_break_between_agents_only():
    agents = ["Lobaplatin 30 mg", "Lipiodol 10 ml", "Gelatin Sponge 350 µm"]
    lines = wrapped(agents, "; ", 20, 360)
    assert lines == ["Lobaplatin 30 mg; Lipiodol 10 ml;", "Gelatin Sponge 350 µm"]
    assert wrapped(agents, "; ", 20, 5000) == ["; ".join(agents)]


def test_a_saved_picture_is_read_back_upright(tmp_path):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOImage import vtkPNGReader

    canvas = Canvas(30, 20, (0.0, 0.0, 1.0))
    canvas.rectangle(2, 1, 10, 5, (1.0, 0.0, 0.0))
    canvas.save(tmp_path / "a.png")
    reader = vtkPNGReader()
    reader.SetFileName(str(tmp_path / "a.png"))
    reader.Update()
    pixels = vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars()).reshape(20, 30, 3)[::-1]
    np.testing.assert_array_equal(pixels, (canvas.pixels * 255).astype(int))


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match="could not be written"):
        Canvas(4, 4).save(tmp_path / "no" / "such" / "a.png")
