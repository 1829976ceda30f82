"""What the tests of the learned assistant share: a nnU-Net small enough to train, and stand-ins for a trained one."""

from pathlib import Path

from mewm.cohort.dataset import read_cohort, write_table
from mewm.cohort.simulate import simulate_cohort

SPLITS = ("train", "train", "val", "test", "test")
TINY = """
task: {task}
channels: {channels}
cases: 2
validation_cases: 1
simulated: {simulated}
spacing_mm: {spacing}
patch: 32
features: [4, 8, 8]
encoder_convolutions: [1, 1, 1]
decoder_convolutions: [1, 1]
epochs: {epochs}
iterations: {iterations}
validation_iterations: 1
learning_rate: 0.01
processes: 1
"""


def tiny_cohort(folder):
    """Five cases: two of the train split, one of the validation split, two of the test split."""
    out = simulate_cohort(folder, cases=5, seed=9, workers=1)
    rows = [{**row.values, "split": split} for row, split in zip(read_cohort(out).rows, SPLITS, strict=True)]
    write_table(out / "cases.csv", rows[0], rows)
    return read_cohort(out)


def train_command(cohort, folder, text, *more):
    """The arguments of ``mewm train assistant`` with the configuration ``text``, everything under ``folder``."""
    folder.mkdir(exist_ok=True)
    config = folder / "tiny.yaml"
    config.write_text(text, encoding="utf-8")
    where = ["--cohort", str(cohort.folder), "--work", str(folder / "work"), "--config", str(config)]
    return ["train", "assistant", *where, "--device", "cpu", *more]


class StandIn:
    """A network that finds what it is told to, to look at what is made of it."""

    sha256, notice, task, in_voxels, patch, folder = "0" * 64, "", "", False, (32, 32, 32), Path("own")
    channels, spacing, device = ("CT",), (3.0, 3.0, 3.0), "cpu"

    def __init__(self, labels, answer):
        self.labels, self.answer = labels, answer

    def predict(self, image, spacing, *, in_one=False):
        self.seen = image
        return self.answer(image[0])


class Beside:
    """A network that answers what it was given, whatever it sees."""

    sha256, notice, task, in_voxels, patch, folder = "0" * 64, "", "", True, (96, 96, 96), Path("beside")
    channels, device = ("CT",), "cpu"

    def __init__(self, tissue):
        self.labels = {"background": 0, "liver": 1, "viable": 2, "necrosis": 3, "lipiodol": 4}
        self._tissue = tissue

    def predict(self, image, spacing, *, in_one=False):
        return self._tissue
