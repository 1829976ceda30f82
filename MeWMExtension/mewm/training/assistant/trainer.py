"""nnU-Net's trainer with this project's plan: AdamW, short epochs, repeatable draws, checkpoints that are never half.

Importing this module imports nnU-Net, which reads its folders from the environment once: it belongs into the process
of :mod:`mewm.training.assistant.nnunet_process`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mewm.compute import mixed_precision
from mewm.training.assistant.config import LABELS, AssistantConfig
from mewm.training.assistant.redraw import RedrawLesion

Tell = Callable[[dict[str, Any]], None]


class LesionTrainer(nnUNetTrainer):
    """Trains on regions around a lesion as an :class:`mewm.training.assistant.config.AssistantConfig` says.

    Attributes:
        config: the configuration.
        grown_cases: names of the training images whose tumour grew out of the drawn lesion.
        tell: called after every epoch with its number, loss, Dice by label and the time left.
    """

    config: ClassVar[AssistantConfig]
    grown_cases: ClassVar[frozenset[str]] = frozenset()
    tell: ClassVar[Tell]

    def __init__(
        self,
        plans: dict,
        configuration: str,
        fold: int,
        dataset_json: dict,
        device: torch.device = torch.device("cpu"),  # noqa: B008
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        config = self.config
        self.num_epochs, self.num_iterations_per_epoch = config.epochs, config.iterations
        self.num_val_iterations_per_epoch = config.validation_iterations
        self.initial_lr, self.weight_decay = config.learning_rate, 1e-4
        self.oversample_foreground_percent = config.foreground
        self.probabilistic_oversampling = True
        # Ctrl-C costs one epoch at most.
        self.save_every = 1
        self._began, self._first = time.monotonic(), 0

    def initialize(self) -> None:
        """Build network and optimizer from the seed; channels last, a quarter faster on CPU."""
        torch.manual_seed(self.config.seed)
        super().initialize()
        self.network: Any = self.network.to(memory_format=torch.channels_last_3d)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """Return AdamW, which needs fewer steps than nnU-Net's SGD, with nnU-Net's falling learning rate."""
        optimizer = torch.optim.AdamW(self.network.parameters(), self.initial_lr, weight_decay=self.weight_decay)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, bool, Any, Any]:
        """Return nnU-Net's choice with the configuration's mirroring, and patches of final size without rotation."""
        rotation, flat, initial, axes = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        axes = axes if self.config.mirror else None
        self.inference_allowed_mirroring_axes = axes
        if not self.config.augment:
            initial = np.array(self.configuration_manager.patch_size)
        return rotation, flat, initial, axes

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """Return nnU-Net's datasets; a case whose tumour grew out of the drawn lesion counts as often as configured."""
        training, validation = super().get_tr_and_val_datasets()
        again = [name for name in training.identifiers if name in self.grown_cases]
        training.identifiers = training.identifiers + again * (self.config.grown - 1)
        return training, validation

    @classmethod
    def get_training_transforms(
        cls,
        patch_size: Any,
        rotation_for_DA: Any,
        deep_supervision_scales: Any,
        mirror_axes: Any,
        do_dummy_2d_data_aug: bool,
        **others: Any,
    ) -> Any:
        """Return nnU-Net's augmentation, or the part of it that costs little; before it the lesion is drawn anew."""
        config = cls.config
        first: list[Any] = [OwnDraws()]
        if config.redrawn:
            first.append(RandomTransform(RedrawLesion(config.channels.index("lesion")), config.redrawn))
        if config.augment:
            usual = nnUNetTrainer.get_training_transforms(
                patch_size, rotation_for_DA, deep_supervision_scales, mirror_axes, do_dummy_2d_data_aug, **others
            )
            return ComposeTransforms([*first, usual])
        low, high = 0.85, 1.15
        steps: list[Any] = [
            *first,
            RandomTransform(
                GaussianNoiseTransform(noise_variance=(0, 0.05), p_per_channel=0.5, synchronize_channels=False), 0.15
            ),
            RandomTransform(
                GaussianBlurTransform(
                    blur_sigma=(0.5, 1.0),
                    synchronize_channels=False,
                    synchronize_axes=False,
                    p_per_channel=0.5,
                    benchmark=False,
                ),
                0.15,
            ),
            RandomTransform(
                MultiplicativeBrightnessTransform(BGContrast((low, high)), synchronize_channels=False, p_per_channel=1),
                0.15,
            ),
            RandomTransform(
                ContrastTransform(
                    BGContrast((low, high)), preserve_range=True, synchronize_channels=False, p_per_channel=1
                ),
                0.15,
            ),
        ]
        if mirror_axes:
            steps.append(MirrorTransform(allowed_axes=mirror_axes))
        steps.append(RemoveLabelTansform(-1, 0))
        if deep_supervision_scales is not None:
            steps.append(DownsampleSegForDSTransform(ds_scales=deep_supervision_scales))
        return ComposeTransforms(steps)

    def _build_loss(self) -> Any:
        """Return nnU-Net's loss, computed in 32 bits whatever the network answers in: it sums over a patch."""
        loss = super()._build_loss()

        def in_32_bits(answers: Any, labels: Any) -> torch.Tensor:
            many = isinstance(answers, list | tuple)
            return loss([answer.float() for answer in answers] if many else answers.float(), labels)

        return in_32_bits

    def train_step(self, batch: dict) -> dict:
        """Do one step; nnU-Net itself uses 16 bits on CUDA only."""
        with self._mixed_precision():
            return super().train_step(batch)

    def validation_step(self, batch: dict) -> dict:
        """Validate one batch, as precisely as it is trained."""
        with self._mixed_precision():
            return super().validation_step(batch)

    def _mixed_precision(self) -> AbstractContextManager[Any]:
        return mixed_precision(self.device, training=True) if self.device.type == "cpu" else nullcontext()

    def on_train_start(self) -> None:
        """Begin; what was trained before an interruption does not count for the time left."""
        super().on_train_start()
        self._began, self._first = time.monotonic(), self.current_epoch

    def on_train_epoch_start(self) -> None:
        """Draw an epoch from its number, so that a training that was stopped goes on as one that was not."""
        super().on_train_epoch_start()
        _seed(self.config.seed, 2 * self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Validate on the same patches every time."""
        super().on_validation_epoch_start()
        _seed(self.config.seed, 1)

    def on_epoch_end(self) -> None:
        """Write checkpoints as nnU-Net does, then tell how it goes."""
        done = self.current_epoch + 1
        super().on_epoch_end()
        seconds = (time.monotonic() - self._began) / (done - self._first)
        dice = self.logger.get_value("dice_per_class_or_region", step=-1)
        names = [name for name in LABELS[self.config.task] if name != "background"]
        type(self).tell(
            {
                "epoch": done,
                "epochs": self.num_epochs,
                "seconds_an_epoch": seconds,
                "seconds_left": seconds * (self.num_epochs - done),
                "loss": float(self.logger.get_value("train_losses", step=-1)),
                "dice": {name: float(value) for name, value in zip(names, dice, strict=True)},
            }
        )

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint: a reader sees the old file or the whole new one."""
        partial = Path(f"{filename}.partial")
        super().save_checkpoint(str(partial))
        partial.replace(filename)

    def plot_network_architecture(self) -> None:
        """Draw nothing: it needs a package that nobody keeps."""

    def _save_debug_information(self) -> None:
        """Write nothing: it would name the machine."""


class OwnDraws(BasicTransform):
    """Give each process that prepares patches draws of its own; nnU-Net's would all repeat those of their parent."""

    def __init__(self) -> None:
        super().__init__()
        self._process = os.getpid()

    def __call__(self, **data_dict: Any) -> dict[str, Any]:
        """Return the example as it is; at the first one of a new process, seed PyTorch from NumPy, as nnU-Net does."""
        if os.getpid() != self._process:
            self._process = os.getpid()
            torch.manual_seed(np.random.randint(2**31))
        return data_dict


def _seed(seed: int, number: int) -> None:
    state = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    random.seed(state)
    # nnU-Net draws patches from numpy's global generator.
    np.random.seed(state)
    torch.manual_seed(state)
