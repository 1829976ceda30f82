"""The small plan: nnU-Net's own, with a configuration of ours that inherits from its full-resolution one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mewm.training.assistant.config import AssistantConfig
from mewm.training.assistant.nnunet_process import CONFIGURATION, PLANS
from mewm.training.assistant.raw_dataset import DATASET_ID

_FIRST = f"{PLANS}Begun"
"""How nnU-Net's own plan is called until the configuration is added."""


def write_plan(path: Path, config: AssistantConfig) -> None:
    """Let nnU-Net plan, then add the configuration ``3d_lesion`` (nnU-Net's documentation, "How to edit plans").

    Args:
        path: ``MewmPlans.json`` in nnU-Net's folder of preprocessed data; its fingerprint is there. It appears whole or
            not at all.
        config: patch, batch and network.
    """
    from nnunetv2.experiment_planning.plan_and_preprocess_api import plan_experiment_dataset

    spacing = [config.spacing_mm or 1.0] * 3
    plan_experiment_dataset(DATASET_ID, overwrite_target_spacing=(spacing[0],) * 3, overwrite_plans_name=_FIRST)
    first = path.with_name(f"{_FIRST}.json")
    plans: dict[str, Any] = json.loads(first.read_text(encoding="utf-8"))
    plans["plans_name"] = PLANS
    # All axes are alike; the order that nnU-Net prefers for flat voxels is not needed.
    plans["transpose_forward"] = plans["transpose_backward"] = [0, 1, 2]
    plans["configurations"][CONFIGURATION] = {
        "inherits_from": "3d_fullres",
        "data_identifier": f"{PLANS}_{CONFIGURATION}",
        "spacing": spacing,
        "patch_size": [config.patch] * 3,
        "batch_size": config.batch,
        "batch_dice": True,
        "normalization_schemes": [
            "NoNormalization" if word == "lesion" else "CTNormalization" for word in config.channels
        ],
        "use_mask_for_norm": [False] * len(config.channels),
        "architecture": _architecture(config),
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(plans, indent=1), encoding="utf-8")
    partial.replace(path)
    first.unlink()


def _architecture(config: AssistantConfig) -> dict[str, Any]:
    stages = len(config.features)
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": list(config.features),
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * stages,
            "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
            "n_conv_per_stage": list(config.encoder_convolutions),
            "n_conv_per_stage_decoder": list(config.decoder_convolutions),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
