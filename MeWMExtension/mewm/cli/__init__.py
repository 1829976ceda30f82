"""The command line: ``mewm explore``, ``mewm simulate``, ``mewm train`` and so on."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from mewm import __version__
from mewm.errors import Cancelled, MewmError

NOTICE = "Research use only; not a medical device. Simulated volumes are synthetic."


NO_MEMORY = "not enough memory; close other programs or use fewer replicas (--replicas)."
_ADVICE = {
    errno.ENOSPC: "free some space or name another place",
    errno.EDQUOT: "free some space or name another place",
    errno.EROFS: "name a place that may be written to",
    errno.EACCES: "name a place that may be read and written",
    errno.EPERM: "name a place that may be read and written",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Tell a mistake in one sentence like every other; argparse would print the whole usage before it."""
        self.exit(2, f"mewm: {message}; see {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """Assemble the parser of every subcommand; nothing heavy is imported."""
    from mewm.cli import (
        cohort,
        doctor,
        evaluate,
        explore,
        export,
        policy,
        propose_masks,
        report_extract,
        scene,
        simulate,
        train,
    )

    parser = _Parser(prog="mewm", description="Medical World Model for planning TACE of a liver tumour. " + NOTICE)
    parser.add_argument("--version", action="version", version=f"mewm {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = (explore, simulate, propose_masks, scene, export, doctor, cohort, train, evaluate, policy, report_extract)
    for module in modules:
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 done, 1 a check failed, 2 a mistake that the printed sentence explains, 130 cancelled.
    """
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except (KeyboardInterrupt, Cancelled):
        resumes = getattr(args, "resumes", False)
        return _fail(f"cancelled; {'the same command goes on' if resumes else 'nothing was written'}.", 130)
    except MewmError as error:
        return _fail(str(error), 2)
    except MemoryError:
        return _fail(NO_MEMORY, 2)
    except ModuleNotFoundError as error:
        return _fail(f"the package {error.name} is not installed; mewm doctor names the command that installs it.", 2)
    except ImportError as error:
        # A library that is damaged, or for which there was no memory.
        why = str(error).splitlines()[0]
        return _fail(f"a library cannot be loaded ({why}); free memory, or see mewm doctor.", 2)
    except RuntimeError as error:
        # ITK and PyTorch tell so what Python tells as MemoryError.
        if not any(word in str(error).lower() for word in ("allocate memory", "bad_alloc", "out of memory")):
            raise
        return _fail(NO_MEMORY, 2)
    except BrokenPipeError:
        # The reader (head, less) went away: say nothing and keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        advice = _ADVICE.get(error.errno or 0, "check the path and the disk")
        return _fail(f"{what}{error.strerror or error}; {advice}.", 2)


def _fail(sentence: str, status: int) -> int:
    print(f"mewm: {sentence}", file=sys.stderr)
    return status
