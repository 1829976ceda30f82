"""What ``configs/train.yaml`` of the assistant's bundle says."""

from __future__ import annotations

from dataclasses import dataclass

from mewm.assistant.nnunet import CHANNELS
from mewm.errors import InputError

LABELS = {
    "post": {"background": 0, "liver": 1, "viable": 2, "necrosis": 3, "lipiodol": 4},
    "pre": {"background": 0, "liver": 1, "tumour": 2},
}
"""Labels by task, in nnU-Net's form; those of ``"post"`` are the values of :class:`mewm.roles.Tissue`."""


@dataclass(frozen=True)
class AssistantConfig:
    """The whole configuration.

    Attributes:
        task: ``"post"`` segments the CT after treatment, ``"pre"`` proposes liver and tumour before it.
        channels: what the network sees, of :data:`mewm.assistant.nnunet.CHANNELS`: ``"post"`` and ``"pre"``, the CTs
            after and before treatment; ``"lesion"``, the drawn one; ``"soft"``, the CT after treatment in a soft tissue
            window; ``"change"``, the smoothed difference of the CTs in that window.
        cases: cases of the train split that are used, in the table's order; 0 for all.
        validation_cases: the same of the val split.
        simulated: share of those cases that also give a simulated CT after treatment (mechanistic simulator, its own
            labels), so that the network is at home in both; task ``"post"`` only.
        spacing_mm: voxel edge the network works at; 0 means voxels of the model grid, whatever they measure;
            task ``"post"`` only, as a whole CT has no such grid.
        patch: edge of a training patch in voxels, a multiple of what the stages halve.
        batch: patches a step.
        features: channels by stage, from the finest; each stage halves the resolution.
        encoder_convolutions, decoder_convolutions: convolutions by stage, the decoder's from the coarsest.
        epochs, iterations: an epoch is ``iterations`` steps, then ``validation_iterations`` and a checkpoint.
        validation_iterations: batches of the val split an epoch.
        learning_rate: of AdamW at the start, then falling (nnU-Net's polynomial).
        foreground: share of patches centred on a labelled voxel.
        grown: how often an image counts whose tumour grew out of the drawn lesion, which is rare and easily missed;
            task ``"post"`` only.
        redrawn: share of patches in which the drawn lesion's border is moved at random, by up to 3 voxels; task
            ``"post"`` only.
        mirror: mirror patches at random.
        augment: turn, scale and degrade patches as nnU-Net does; without it noise, blur and density alone change, which
            is cheap.
        processes: for nnU-Net's preprocessing.
        loaders: processes that prepare patches, whose draws nobody can repeat; with 0 the training prepares them itself
            and is repeatable to the step.
        seed: of everything drawn.
    """

    task: str = "post"
    channels: tuple[str, ...] = ("post", "pre", "lesion", "soft", "change")
    cases: int = 500
    validation_cases: int = 40
    simulated: float = 0.5
    spacing_mm: float = 0.0
    patch: int = 64
    batch: int = 2
    features: tuple[int, ...] = (8, 16, 32, 64, 96)
    encoder_convolutions: tuple[int, ...] = (1, 2, 2, 2, 2)
    decoder_convolutions: tuple[int, ...] = (2, 2, 2, 1)
    epochs: int = 60
    iterations: int = 100
    validation_iterations: int = 10
    learning_rate: float = 1e-3
    foreground: float = 0.5
    grown: int = 1
    redrawn: float = 0.0
    mirror: bool = False
    augment: bool = False
    processes: int = 2
    loaders: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.task not in LABELS:
            raise InputError(f"The task is {self.task!r}; choose of {', '.join(LABELS)}.")
        allowed = ("pre",) if self.task == "pre" else tuple(CHANNELS)
        if not self.channels or len(set(self.channels)) < len(self.channels) or set(self.channels) - set(allowed):
            raise InputError(
                f"The channels of the task {self.task} are {', '.join(self.channels) or 'none'}; choose of "
                f"{', '.join(allowed)}, each once."
            )
        stages = len(self.features)
        if len(self.encoder_convolutions) != stages or len(self.decoder_convolutions) != stages - 1:
            raise InputError(
                f"{stages} stages need {stages} numbers in encoder_convolutions and {stages - 1} in "
                "decoder_convolutions."
            )
        # A network that sees a whole region at once is given edges that are multiples of 16.
        if not 2 <= stages <= 5 and self.spacing_mm == 0:
            raise InputError(f"The network has {stages} stages; give 2 to 5.")
        if self.patch % 2 ** (stages - 1) or self.patch < 2**stages:
            raise InputError(
                f"A patch of {self.patch} voxels cannot be halved {stages - 1} times; give a multiple of "
                f"{2 ** (stages - 1)}."
            )
        lowest = {"cases": 0, "validation_cases": 1, "batch": 1, "epochs": 1, "iterations": 1, "processes": 1}
        for name, low in {**lowest, "validation_iterations": 1, "grown": 1, "loaders": 0, "seed": 0}.items():
            if getattr(self, name) < low:
                raise InputError(f"The setting {name!r} is {getattr(self, name)}; give a whole number from {low} on.")
        shares = (self.simulated, self.foreground, self.redrawn)
        if not all(0 <= share <= 1 for share in shares) or self.spacing_mm < 0:
            raise InputError(
                "The settings 'simulated', 'foreground' and 'redrawn' are shares, and 'spacing_mm' is not negative."
            )
        if (self.redrawn or self.grown > 1) and "lesion" not in self.channels:
            add = "leave them out" if self.task == "pre" else "add 'lesion' to the channels"
            raise InputError(f"The settings 'redrawn' and 'grown' need the drawn lesion; {add}.")
        if self.task == "pre" and not self.spacing_mm:
            raise InputError("The task pre reads whole CTs and needs millimetres; give 'spacing_mm' above 0.")
