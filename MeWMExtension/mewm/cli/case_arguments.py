"""The arguments that name a case, shared by every command that reads one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mewm.errors import InputError

if TYPE_CHECKING:
    from mewm.actions.formulary import Formulary
    from mewm.case import Case


def add_case_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`case_from` reads."""
    group = parser.add_argument_group("case")
    group.add_argument("--sample", action="store_true", help="use the installed sample, LiTS case 117 (real CT)")
    group.add_argument("--ct", type=Path, help="pre-treatment CT: NIfTI, NRRD, MHA, MRC or a DICOM series folder")
    group.add_argument("--lesion", type=Path, help="tumour mask, on the CT's grid or another")
    group.add_argument("--lesion-label", type=int, metavar="N", help="value of the tumour in a label map")
    group.add_argument("--component", type=int, metavar="K", help="which lesion, 1 = largest (default)")
    group.add_argument("--liver", type=Path, help="liver mask; may be the same file as --lesion")
    group.add_argument("--liver-label", type=int, metavar="N", help="value of the liver in a label map")
    group.add_argument(
        "--spacing", type=spacing_text, metavar="X,Y,Z", help="voxel spacing in mm for files that state none"
    )
    group.add_argument("--orientation", metavar="LPS", help="where the axes of such files point (default LPS)")
    group.add_argument("--facts", type=Path, help="clinical facts as JSON (child_pugh, afp_ng_ml, ...)")
    group.add_argument("--name", default=None, help="name of the case in results; no patient identifiers")
    treatment = parser.add_argument_group("what may be given")
    treatment.add_argument("--available", metavar="A,B", help="only these agents are in the formulary")
    treatment.add_argument("--unavailable", metavar="A,B", help="these agents are not in the formulary")


def add_dynamics_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that :func:`mewm.dynamics.choose.choose_dynamics` reads."""
    parser.add_argument(
        "--dynamics",
        metavar="MODEL",
        default="mechanistic",
        help="what simulates: mechanistic (default), the name of a trained model, or the folder of its bundle",
    )


def add_survival_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that :func:`mewm.survival.choose.choose_survival` reads."""
    parser.add_argument(
        "--survival",
        metavar="MODEL",
        default="cox",
        help="what predicts the risk: cox (default), attention, or the folder of a bundle; the weights that come with "
        "MeWM were trained on simulated patients",
    )


def add_assistant_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that :func:`mewm.assistant.choose.choose_assistant` reads."""
    parser.add_argument(
        "--assistant",
        metavar="MODEL",
        default="intensity",
        help="what reads liver, viable tumour, necrosis and lipiodol from a simulated CT: intensity (default), "
        "nnU-Net (demonstration weights trained on simulated cases), the folder of a bundle or of an nnU-Net of your "
        "own, or none",
    )


def spacing_text(text: str) -> tuple[float, float, float]:
    """Read one or three voxel edges in mm."""
    parts = [float(part) for part in text.split(",")]
    if len(parts) == 1:
        parts *= 3
    if len(parts) != 3 or min(parts) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not one or three positive numbers")
    return parts[0], parts[1], parts[2]


def case_from(args: argparse.Namespace) -> tuple[Case, str]:
    """Read the case the arguments name and return it with the name it goes by in results.

    Raises:
        InputError: arguments missing or contradicting, or the files cannot be used.
    """
    from mewm import api

    if args.sample:
        if args.ct or args.lesion:
            raise InputError("--sample already names a CT and a tumour mask; leave out --ct and --lesion.")
        return api.sample_case(facts=args.facts, component=args.component), args.name or "lits117"
    if args.ct is None or args.lesion is None:
        raise InputError(
            "name the CT with --ct and the tumour mask with --lesion, or use --sample; where nobody has drawn "
            "the tumour, draw it, or let an nnU-Net of your own propose it (mewm propose-masks --model FOLDER)."
        )
    case = api.read_case(
        args.ct,
        args.lesion,
        lesion_label=args.lesion_label,
        liver=args.liver,
        liver_label=args.liver_label,
        facts=args.facts,
        component=args.component,
        spacing=args.spacing,
        orientation=args.orientation,
    )
    return case, args.name or "case"


def formulary_from(args: argparse.Namespace) -> Formulary:
    """Return the formulary that ``--available`` or ``--unavailable`` describe; everything by default."""
    from mewm.actions.formulary import Formulary

    if args.available is not None and args.unavailable is not None:
        raise InputError("use either --available or --unavailable, not both.")
    if args.available is not None:
        return Formulary.only(_names(args.available))
    if args.unavailable is not None:
        return Formulary.without(_names(args.unavailable))
    return Formulary.everything()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def print_json(value: object) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
