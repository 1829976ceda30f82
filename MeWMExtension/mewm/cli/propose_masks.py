"""``mewm propose-masks``: masks of liver and tumour where nobody has drawn them, marked as proposed."""

from __future__ import annotations

import argparse
from pathlib import Path

from mewm.cli.case_arguments import print_json, spacing_text

BUNDLE = "Models/proposal_nnunet"
EXAMPLES = """examples:
  mewm propose-masks --ct ct.nii.gz --model models/proposal_nnunet --out proposed/
  mewm propose-masks --ct dicom/ --model nnUNet_results/Dataset003_Liver/nnUNetTrainer__nnUNetPlans__3d_fullres --out p/
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "propose-masks",
        help="let a network propose masks of liver and tumour on a CT, for you to check",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ct", type=Path, required=True, help="CT before treatment: a file or a DICOM series folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new or empty folder")
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="bundle of mewm train assistant --task pre, or an nnU-Net of your own"
    )
    parser.add_argument("--device", help="cpu, cuda, mps (default: the fastest)")
    parser.add_argument("--spacing", type=spacing_text, metavar="X,Y,Z", help="voxel spacing in mm for files without")
    parser.add_argument("--orientation", metavar="LPS", help="where the axes of such files point (default LPS)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Propose masks, write them, say that they are proposals."""
    from mewm.assistant.network import load_network
    from mewm.assistant.proposal import propose_masks
    from mewm.errors import InputError, ResourceError
    from mewm.image_io import read_image
    from mewm.resources import resource_path
    from mewm.run_proposal import write_proposal

    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise InputError(f"The folder {args.out} is not empty; choose a new folder for the masks.")
    folder = args.model
    if folder is None:
        try:
            folder = resource_path(f"{BUNDLE}/models/model.safetensors").parents[1]
        except ResourceError:
            raise InputError(
                "No network that proposes masks has weights here; train one (mewm train assistant --task pre) or name "
                "an nnU-Net of your own with --model."
            ) from None
    ct = read_image(args.ct, name="CT", spacing=args.spacing, orientation=args.orientation)
    network = load_network(folder, args.device)
    proposal = propose_masks(ct, network)
    record = write_proposal(proposal, network, ct, args.out)
    if args.json:
        print_json(record)
        return 0
    for name, mask in record["masks"].items():
        print(f"{mask['file']}: {name} as a network proposes it, {mask['ml']:.1f} ml in {mask['parts']} part(s)")
    for sentence in (*record["warnings"], record["notice"]):
        print(sentence)
    return 0
