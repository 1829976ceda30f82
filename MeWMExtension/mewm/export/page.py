"""The page: one sheet of A4 that a colleague can read without MeWM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos
from PIL import Image

from mewm.errors import InputError
from mewm.export.chosen import Chosen, overrides
from mewm.rows import spread_words
from mewm.survival.curves import CURVE_STEP_WEEKS
from mewm.warning_words import told as told_warnings

_MARGIN = 14.0
_WIDTH = 210.0 - 2 * _MARGIN
_BOTTOM = 297.0 - 12.0
_PICTURES_HIGH = 74.0
_CURVE_HIGH, _CURVE_WEEKS = 48.0, 208
_GREY, _AMBER, _PALE = (96, 96, 96), (255, 233, 190), (240, 243, 247)
_BLUE, _RED, _LIGHT, _BAND = (0, 90, 160), (180, 30, 20), (170, 170, 170), (214, 230, 244)
_ALTERNATIVES = 5
# Signs that Latin-1 lacks and what is written instead.
_PLAIN = str.maketrans("\u2013\u2014\u2212\u2018\u2019\u201c\u201d\u03bc\u202f", "---''\"\"\u00b5 ") | {
    ord("\u2264"): "<=",
    ord("\u2265"): ">=",
    ord("\u2026"): "...",
}


def write_page(chosen: Chosen, pictures: Sequence[tuple[Path, str]], path: Path, *, patient_name: str = "") -> None:
    """Write the PDF.

    Args:
        chosen: the protocol.
        pictures: PNG files with captions; the first two are shown.
        path: the PDF.
        patient_name: printed at the top; nothing stands there without it.

    Raises:
        InputError: the name has letters that the page's font lacks, or a picture cannot be read.
    """
    if patient_name and _latin(patient_name) != patient_name:
        raise InputError(
            f"The patient's name {patient_name!r} has letters that the page cannot show; write it in Latin letters."
        )
    page = _Page(chosen)
    page.heading(patient_name)
    page.protocol()
    page.numbers()
    page.pictures(pictures[:2])
    page.curve_and_alternatives()
    page.cautions()
    page.provenance()
    page.pdf.output(str(path))


class _Page:
    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.pdf = FPDF(format="A4")
        self.pdf.set_creation_date(datetime.fromisoformat(chosen.manifest["created"]))
        self.pdf.set_title("MeWM: simulated TACE protocol")
        self.pdf.set_margins(_MARGIN, 11, _MARGIN)
        self.pdf.set_auto_page_break(False)
        self.pdf.c_margin = 0
        self.pdf.add_page()

    def text(self, words: str, size: float = 9, *, bold: bool = False, colour: Any = 0, high: float = 4.4) -> None:
        """Write a paragraph over the whole width."""
        self.pdf.set_font("helvetica", "B" if bold else "", size)
        self.pdf.set_text_color(*(colour if isinstance(colour, tuple) else (colour,) * 3))
        self.pdf.multi_cell(_WIDTH, high, _latin(words), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def section(self, words: str) -> None:
        """Write a small heading."""
        self.pdf.ln(1.8)
        self.text(words, 10, bold=True, colour=_BLUE, high=5)

    def heading(self, patient_name: str) -> None:
        run = self.chosen.manifest
        self.text("Simulated TACE protocol", 17, bold=True, high=8)
        who = f"Patient: {patient_name}   |   " if patient_name else ""
        self.text(
            f"{who}Case: {run['case_name']}   |   run of {run['created'][:16].replace('T', ' ')} UTC", 9, colour=_GREY
        )
        self.pdf.ln(1)
        self.pdf.set_fill_color(*_AMBER)
        self.pdf.set_font("helvetica", "B", 9)
        self.pdf.set_text_color(0, 0, 0)
        told = (
            "RESEARCH USE ONLY - not a medical device. The post-treatment CT is synthetic: it was simulated with "
            "demonstration models and is no prediction that may guide the treatment of a patient."
        )
        self.pdf.multi_cell(_WIDTH, 4.6, told, fill=True, padding=1, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def protocol(self) -> None:
        row = self.chosen.row
        self.section("Protocol")
        self.text(row["protocol"], 13, bold=True, high=6)
        origin = "entered by the user" if row["origin"] == "yours" else "found by the search"
        lowest = " (1 is the lowest predicted risk)"
        self.text(f"Rank {row['rank']} of {len(self.chosen.rows)}{lowest}, {origin}.", 9, colour=_GREY)
        if overrides(row):
            self.text("Clinical rules forbid this protocol, see below.", 9, colour=_RED)

    def numbers(self) -> None:
        row = self.chosen.row
        weeks = "not reached" if row["median_weeks"] is None else f"{row['median_weeks']:.0f} weeks"
        cells = (
            ("Risk (log hazard)", f"{row['risk']:+.2f}{spread_words(row['risk_sd'])}"),
            ("1-year survival", _share(row, 1)),
            ("2-year survival", _share(row, 2)),
            ("Median survival", weeks),
            ("Lesion volume", f"{row['volume_change_percent']:+.0f} %"),
            ("Viable tumour", f"{row['viable_fraction']:.0%}"),
            ("Lipiodol coverage", f"{row['lipiodol_coverage']:.0%}"),
            ("mRECIST-like", row["response"]),
        )
        self.pdf.ln(1)
        wide, top = _WIDTH / len(cells), self.pdf.get_y()
        self.pdf.set_fill_color(*_PALE)
        self.pdf.rect(_MARGIN, top, _WIDTH, 11.5, style="F")
        for number, (name, value) in enumerate(cells):
            for words, bold, size, down in ((name, "", 6.6, 1.2), (value, "B", 10.5, 5.2)):
                self.pdf.set_xy(_MARGIN + number * wide, top + down)
                self.pdf.set_font("helvetica", bold, size)
                self.pdf.set_text_color(*(_GREY if not bold else (0, 0, 0)))
                self.pdf.cell(wide, 4.5, _latin(words), align="C")
        self.pdf.set_xy(_MARGIN, top + 12.5)
        counted = "1 simulated future" if row["replicas"] == 1 else f"{row['replicas']} simulated futures"
        told = (
            f"Mean of {counted}. Risk and survival come from a demonstration model trained on simulated patients with "
            "hepatocellular carcinoma; risk is relative to their mean, lower is better."
        )
        self.text(told, 7.5, colour=_GREY, high=3.6)

    def pictures(self, pictures: Sequence[tuple[Path, str]]) -> None:
        self.section("Before treatment and simulated after it")
        if not pictures:
            self.text("No pictures: the run kept no volumes of this protocol.", 9, colour=_GREY)
            return
        wide = (_WIDTH - 4 * (len(pictures) - 1)) / len(pictures)
        top, lowest = self.pdf.get_y() + 0.5, 0.0
        for number, (path, caption) in enumerate(pictures):
            left = _MARGIN + number * (wide + 4)
            shown = _fitted(path, wide, _PICTURES_HIGH)
            self.pdf.image(str(path), left, top, *shown)
            self.pdf.set_xy(left, top + shown[1] + 0.8)
            self.pdf.set_font("helvetica", "", 7)
            self.pdf.set_text_color(*_GREY)
            self.pdf.multi_cell(wide, 3.2, _latin(caption), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
            lowest = max(lowest, self.pdf.get_y())
        self.pdf.set_y(lowest)

    def curve_and_alternatives(self) -> None:
        self.pdf.ln(1.8)
        top, half = self.pdf.get_y(), (_WIDTH - 6) / 2
        curves = [(row, row["survival_curve"]) for row in self._compared() if row["survival_curve"]]
        if curves:
            self._subtitle(_MARGIN, top, half, "Predicted survival")
            self._curve(_MARGIN, top + 6, half, curves)
            self._outlook(_MARGIN, top + 6, half)
        self._subtitle(_MARGIN + half + 6, top, half, "Beside it in the ranking")
        self._table(_MARGIN + half + 6, top + 6.5, half)
        self.pdf.set_xy(_MARGIN, top + 8 + _CURVE_HIGH + 8)

    def _compared(self) -> list[dict[str, Any]]:
        """Return the chosen row first, then the best of the others."""
        others = [row for row in self.chosen.rows if row["protocol_id"] != self.chosen.row["protocol_id"]]
        return [self.chosen.row, *others[:_ALTERNATIVES]]

    def _subtitle(self, x: float, y: float, wide: float, words: str) -> None:
        self.pdf.set_xy(x, y)
        self.pdf.set_font("helvetica", "B", 10)
        self.pdf.set_text_color(*_BLUE)
        self.pdf.cell(wide, 5, words)

    def _curve(self, x: float, y: float, wide: float, curves: list[tuple[dict[str, Any], list[float]]]) -> None:
        pdf, left, high = self.pdf, x + 9, _CURVE_HIGH
        wide -= 11
        pdf.set_font("helvetica", "", 7)
        pdf.set_text_color(*_GREY)
        pdf.set_line_width(0.15)
        pdf.set_draw_color(215, 215, 215)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            level = y + (1 - share) * high
            pdf.line(left, level, left + wide, level)
            pdf.set_xy(left - 9, level - 2)
            pdf.cell(8, 4, f"{share:.0%}", align="R")
        for weeks in range(0, _CURVE_WEEKS + 1, 52):
            place = left + weeks / _CURVE_WEEKS * wide
            pdf.line(place, y, place, y + high)
            pdf.set_xy(place - 6, y + high + 0.5)
            pdf.cell(12, 3.5, str(weeks), align="C")
        pdf.set_xy(left, y + high + 3.6)
        pdf.cell(
            wide,
            3.5,
            "weeks; blue: this protocol, shaded: its 95 % interval, grey: others",
            align="C",
        )
        ends: list[Any] = [self.chosen.row.get(f"survival_{end}") for end in ("low", "high")]
        if all(ends):
            below, above = (_points(end, left, y, wide) for end in ends)
            pdf.set_fill_color(*_BAND)
            pdf.polygon([*below, *reversed(above)], style="F")
        # The chosen one last, so that it lies on top.
        for row, curve in reversed(curves):
            mine = row is self.chosen.row
            pdf.set_draw_color(*(_BLUE if mine else _LIGHT))
            pdf.set_line_width(0.7 if mine else 0.3)
            pdf.polyline(_points(curve, left, y, wide))
        pdf.set_line_width(0.2)

    def _outlook(self, x: float, y: float, wide: float) -> None:
        """Draw what the patient's clinical facts alone predict, dashed: it belongs to no protocol."""
        outlook = self.chosen.manifest.get("outlook")
        if not outlook:
            return
        pdf, left = self.pdf, x + 9
        pdf.set_draw_color(*_GREY)
        pdf.set_line_width(0.4)
        pdf.set_dash_pattern(dash=1.2, gap=1.0)
        pdf.polyline(_points(outlook["survival_curve"], left, y, wide - 11))
        pdf.set_dash_pattern()
        pdf.set_line_width(0.2)
        pdf.set_xy(left, y + _CURVE_HIGH + 6.8)
        pdf.set_font("helvetica", "", 7)
        pdf.set_text_color(*_GREY)
        missing = len(outlook["not_stated"])
        words = "dashed: clinical facts alone, 79 real patients; no protocol"
        pdf.cell(wide - 11, 3.5, f"{words}; {missing} facts not stated" if missing else words, align="C")

    def _table(self, x: float, y: float, wide: float) -> None:
        pdf = self.pdf
        pdf.set_xy(x, y)
        columns = ((wide * 0.08, "#"), (wide * 0.62, "Protocol"), (wide * 0.14, "Risk"), (wide * 0.16, "1 year"))
        pdf.set_font("helvetica", "B", 7.5)
        pdf.set_text_color(*_GREY)
        for width, title in columns:
            pdf.cell(width, 4, title, align="L" if title in ("#", "Protocol") else "R")
        y += 4.6
        for row in sorted(self._compared(), key=lambda other: other["rank"]):
            pdf.set_font("helvetica", "B" if row is self.chosen.row else "", 7.5)
            pdf.set_text_color(0, 0, 0)
            pdf.set_xy(x + columns[0][0], y)
            mark = " (yours, against rules)" if row["overridden"] else " (yours)" if row["origin"] == "yours" else ""
            pdf.multi_cell(columns[1][0], 3.5, _latin(row["protocol"] + mark), align="L", new_y=YPos.NEXT)
            end = pdf.get_y()
            for place, width, words, align in (
                (x, columns[0][0], str(row["rank"]), "L"),
                (x + columns[0][0] + columns[1][0], columns[2][0], f"{row['risk']:+.2f}", "R"),
                (x + wide - columns[3][0], columns[3][0], f"{row['survival_1y']:.0%}", "R"),
            ):
                pdf.set_xy(place, y)
                pdf.cell(width, 3.5, words, align=align)
            y = end + 1.2

    def cautions(self) -> None:
        broken = overrides(self.chosen.row)
        if broken:
            self.section("Rules it breaks")
            for finding in broken:
                self.text(f"- {finding['message']} ({finding['source']})", 8, high=3.7)
        told = [finding["message"] for finding in self.chosen.row["findings"] if finding["severity"] == "warning"]
        # The sources are in manifest.json; here they would take the place of other warnings.
        told = list(dict.fromkeys(told_warnings([*told, *self.chosen.manifest["warnings"]])))
        if told:
            self.section("To be known")
            self._as_many_as_fit([f"- {sentence}" for sentence in told])

    def _as_many_as_fit(self, sentences: list[str]) -> None:
        room = _BOTTOM - 27
        for number, sentence in enumerate(sentences):
            self.pdf.set_font("helvetica", "", 8)
            lines = self.pdf.multi_cell(_WIDTH, 3.7, _latin(sentence), dry_run=True, output=MethodReturnValue.LINES)
            assert isinstance(lines, list)
            if self.pdf.get_y() + 3.7 * (len(lines) + 1) > room:
                self.text(f"- and {len(sentences) - number} more, see manifest.json", 8, colour=_GREY, high=3.7)
                return
            self.text(sentence, 8, high=3.7)

    def provenance(self) -> None:
        run = self.chosen.manifest
        hashes = ", ".join(f"{role} {value[:12]}" for role, value in run["model_hashes"].items()) or "none"
        models = ", ".join(f"{role}: {name}" for role, name in run["models"].items())
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        numbers = {name: value for name, value in run["parameters"].items() if not isinstance(value, bool)}
        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in numbers.items())
        self.pdf.set_y(max(self.pdf.get_y() + 1, _BOTTOM - 22))
        self.pdf.set_draw_color(*_LIGHT)
        self.pdf.line(_MARGIN, self.pdf.get_y(), _MARGIN + _WIDTH, self.pdf.get_y())
        self.pdf.ln(0.8)
        for words in (
            f"Provenance. Models: {models}. Weights (SHA-256): {hashes}. {versions}.",
            f"Settings: {settings}. Case in model space: lesion {run['lesion']['diameter_mm']:.0f} mm, "
            f"{run['lesion']['volume_ml']:.1f} ml. Everything else: manifest.json, protocol.json, ranking.csv.",
            "Method: Medical World Model, Yang et al., ICCV 2025, arXiv 2506.02327; an independent implementation.",
        ):
            self.text(words, 7, colour=_GREY, high=3.3)


def _share(row: Mapping[str, Any], years: int) -> str:
    """Return the share alive after some years with its 95 % interval, where the run says."""
    share, interval = row.get(f"survival_{years}y"), row.get(f"survival_{years}y_interval")
    if share is None:
        return "-"
    return f"{share:.0%}" + (f" ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})" if interval else "")


def _points(curve: Sequence[float], left: float, top: float, wide: float) -> list[tuple[float, float]]:
    """Return a survival curve as points of the page in mm."""
    return [
        (left + k * CURVE_STEP_WEEKS / _CURVE_WEEKS * wide, top + (1 - value) * _CURVE_HIGH)
        for k, value in enumerate(curve)
        if k * CURVE_STEP_WEEKS <= _CURVE_WEEKS
    ]


def _fitted(path: Path, wide: float, high: float) -> tuple[float, float]:
    """Return width and height in mm at which a picture fits."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except OSError as error:
        raise InputError(f"The picture {path} cannot be read; give PNG files.") from error
    scale = min(wide / width, high / height)
    return width * scale, height * scale


def _latin(text: str) -> str:
    """Return text in the letters of the PDF's built-in fonts (Latin-1); others become '?'."""
    return text.translate(_PLAIN).encode("latin-1", "replace").decode("latin-1")
