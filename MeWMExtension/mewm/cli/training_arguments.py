"""What every training asks of its arguments."""

from __future__ import annotations

import argparse

from mewm.errors import InputError


def check_training_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that cannot work, before the seconds that PyTorch takes to load.

    Args:
        args: with ``cohort``, ``config``, ``out`` and ``export_only``.

    Raises:
        InputError: there is no cohort or no configuration, or a bundle is asked for and no place named.
    """
    from mewm.cohort.dataset import read_cohort

    if args.export_only and args.out is None:
        raise InputError("--export-only writes a bundle; say where with --out.")
    if args.config is not None and not args.config.is_file():
        raise InputError(f"The configuration {args.config} does not exist; check the path.")
    read_cohort(args.cohort)
