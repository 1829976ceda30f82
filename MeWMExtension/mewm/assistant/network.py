"""An nnU-Net kept warm: read from a bundle of this project or from a folder that nnU-Net wrote, run in memory.

nnU-Net (Isensee et al., Nature Methods 2021, doi 10.1038/s41592-020-01008-z) keeps its weights in pickles. A bundle
holds them as safetensors beside the rest of the nnU-Net folder; they are put into the network that ``plans.json``
describes and handed to ``nnUNetPredictor.manual_initialization``. Of a user's own folder the pickles are read as
tensors and numbers only, so that no code in them runs (:mod:`mewm.assistant.nnunet_folder`).
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mewm.assistant.nnunet_folder import CHECKPOINTS, read_nnunet_folder
from mewm.bundle import CHECKSUMS, Bundle, read_bundle, verified_bytes
from mewm.errors import InputError, ResourceError, how_to_install

if TYPE_CHECKING:
    import torch

NNUNET = "nnunet"
"""Folder of a bundle that holds nnU-Net's own: ``dataset.json``, ``plans.json``, ``fold_0``."""
PLANS = f"{NNUNET}/plans.json"
DATASET = f"{NNUNET}/dataset.json"
TASKS = {"post": "assistant", "pre": "mask proposal"}
"""What a bundle does: segments the CT after treatment, or proposes masks on the one before."""
_TRUSTED = ("dynamic_network_architectures.", "torch.nn.")


@dataclass(frozen=True, eq=False)
class SegmentationNetwork:
    """A loaded nnU-Net. Several threads may share one: it answers them one after the other.

    Attributes:
        predictor: nnU-Net's ``nnUNetPredictor``, weights in place.
        folder: whence it was read.
        sha256: digest of its weights.
        dataset: its ``dataset.json``.
        task: ``"post"`` or ``"pre"`` for a bundle, ``""`` for a user's folder, which says nothing of it.
        in_voxels: whether it was trained in voxels of the model grid, whatever they measure, and not in mm.
        notice: what a user must know of its weights.
    """

    predictor: Any
    folder: Path
    sha256: str
    dataset: Mapping[str, Any]
    task: str
    in_voxels: bool
    notice: str
    # nnU-Net's predictor holds the patch, and with several folds the weights, that an answer is made with.
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        device: torch.device = self.predictor.device
        return device

    @property
    def channels(self) -> list[str]:
        """Names of the input channels in order."""
        return list(self.dataset["channel_names"].values())

    @property
    def labels(self) -> dict[str, Any]:
        """Name → value of what it finds."""
        return dict(self.dataset["labels"])

    @property
    def patch(self) -> tuple[int, int, int]:
        """Voxels of the patches it was trained on, (z, y, x)."""
        with self._lock:
            z, y, x = self.predictor.configuration_manager.patch_size
        return int(z), int(y), int(x)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edges it works at, (z, y, x), mm."""
        z, y, x = self.predictor.configuration_manager.spacing
        return float(z), float(y), float(x)

    def predict(self, image: np.ndarray, spacing: Sequence[float], *, in_one: bool = False) -> np.ndarray:
        """Segment an image.

        Args:
            image: float32 (channels, z, y, x).
            spacing: voxel edges (z, y, x) in mm, or 1 each for a network that counts in voxels.
            in_one: look at the whole image at once instead of in overlapping patches; its edges must be multiples of
                16 and it must need no resampling.

        Returns:
            uint8 (z, y, x) in the network's own labels.
        """
        predictor = self.predictor
        configuration = predictor.configuration_manager.configuration
        with self._lock:
            trained, gaussian = configuration["patch_size"], predictor.use_gaussian
            try:
                if in_one:
                    # One tile of the image's own size: nothing to blend.
                    configuration["patch_size"], predictor.use_gaussian = list(image.shape[1:]), False
                with _precision(predictor.device):
                    found = predictor.predict_single_npy_array(image, {"spacing": [float(s) for s in spacing]})
            finally:
                configuration["patch_size"], predictor.use_gaussian = trained, gaussian
        return found.astype(np.uint8)


def _precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which the network runs: nnU-Net itself uses 16 bits on CUDA only, and none on MPS."""
    from mewm.compute import mixed_precision

    return mixed_precision(device) if device.type == "cpu" else contextlib.nullcontext()


def load_network(folder: Path, device: str | None = None, *, mirroring: bool = False) -> SegmentationNetwork:
    """Load a bundle of ``mewm train assistant``, or a model folder of nnU-Net (``Trainer__plans__configuration``).

    Args:
        folder: the bundle or the folder with ``plans.json``, ``dataset.json`` and ``fold_…``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; without it the fastest there is.
        mirroring: average over mirrored images where the training allows it; eight times the work.

    Raises:
        InputError: the folder is neither, or its network cannot be built here.
        ResourceError: nnunetv2 is not installed, or a file of a bundle is missing or was changed.
    """
    from mewm.compute import choose_device

    folder = Path(folder)
    where = choose_device(device)
    with quiet():
        try:
            import nnunetv2  # noqa: F401
        except ImportError as error:
            raise ResourceError(
                f"An nnU-Net needs {error.name}, which is not installed; {how_to_install('learned')}."
            ) from error
        if (folder / CHECKSUMS).is_file():
            return _from_bundle(folder, where, mirroring)
        if (folder / "plans.json").is_file() and (folder / "dataset.json").is_file():
            return _from_folder(folder, where, mirroring)
    raise InputError(
        f"The folder {folder} is neither a bundle of mewm train assistant nor an nnU-Net model folder (plans.json, "
        "dataset.json, fold_0); name the folder nnU-Net calls Trainer__Plans__configuration."
    )


def _from_bundle(folder: Path, device: torch.device, mirroring: bool) -> SegmentationNetwork:
    bundle = read_bundle(folder, "assistant")
    settings = bundle.inference.get("nnunet", {})
    task = settings.get("task")
    if task not in TASKS:
        raise ResourceError(f"The bundle {folder} is no nnU-Net of mewm train assistant; choose another.")
    plans, dataset = (json.loads(verified_bytes(folder, name, TASKS[task])[0]) for name in (PLANS, DATASET))
    network, managers = build_network(plans, settings["configuration"], dataset, folder)
    _fill(network, bundle)
    predictor = _predictor(network, managers, [network.state_dict()], dataset, device, None, mirroring)
    return SegmentationNetwork(
        predictor, folder, bundle.sha256, dataset, task, bool(settings["in_voxels"]), bundle.metadata.get("notice", "")
    )


def single_names(network: torch.nn.Module) -> dict[str, str]:
    """Return name in the ``state_dict`` → the one name under which a bundle keeps that weight.

    nnU-Net's decoder holds the encoder and a convolution block its layers twice: most weights have three names.
    """
    kept = {id(weight): name for name, weight in network.named_parameters()}
    state = network.state_dict(keep_vars=True)
    return {name: kept.get(id(weight), name) for name, weight in state.items()}


def _fill(network: torch.nn.Module, bundle: Bundle) -> None:
    import safetensors
    from safetensors.torch import load

    try:
        weights = load(bundle.weights)
        network.load_state_dict({name: weights[kept] for name, kept in single_names(network).items()})
    except (KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise ResourceError(
            f"The weights of the {bundle.title} in {bundle.folder} do not fit its network "
            f"({str(error).splitlines()[0]}); train it again."
        ) from error


def _from_folder(folder: Path, device: torch.device, mirroring: bool) -> SegmentationNetwork:
    found = read_nnunet_folder(folder)
    network, managers = build_network(found.plans, found.configuration, found.dataset, folder)
    try:
        for state in reversed(found.states):
            network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"The weights in {folder} do not fit the network of its plans.json ({str(error).splitlines()[0]}); "
            "networks of trainers with an architecture of their own cannot be used."
        ) from error
    predictor = _predictor(network, managers, found.states, found.dataset, device, found.axes, mirroring)
    return SegmentationNetwork(predictor, folder, found.sha256, found.dataset, "", False, "")


def build_network(
    plans: dict[str, Any], configuration: str, dataset: dict[str, Any], folder: Path
) -> tuple[torch.nn.Module, tuple[Any, Any]]:
    """Return the network of a plan, without deep supervision and untrained, and nnU-Net's two managers of the plan.

    Args:
        plans: content of ``plans.json``.
        configuration: which of its configurations.
        dataset: content of ``dataset.json``.
        folder: where they lie, for messages.

    Raises:
        InputError: the plan names something that is not part of nnU-Net.
    """
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(plans)
    settings = manager.get_configuration(configuration)
    named = [settings.network_arch_class_name]
    named += [settings.network_arch_init_kwargs[key] for key in settings.network_arch_init_kwargs_req_import]
    for name in named:
        # Names are imported: a plan from elsewhere must not choose what.
        if name is not None and not name.startswith(_TRUSTED):
            raise InputError(f"The nnU-Net in {folder} is made of {name}, which is not part of nnU-Net; it is not run.")
    network = get_network_from_plans(
        settings.network_arch_class_name,
        settings.network_arch_init_kwargs,
        settings.network_arch_init_kwargs_req_import,
        determine_num_input_channels(manager, settings, dataset),
        manager.get_label_manager(dataset).num_segmentation_heads,
        deep_supervision=False,
    )
    return network, (manager, settings)


def _predictor(
    network: torch.nn.Module,
    managers: tuple[Any, Any],
    states: list[Any],
    dataset: dict[str, Any],
    device: torch.device,
    axes: Any,
    mirroring: bool,
) -> Any:
    from mewm.assistant.one_piece import OnePiecePredictor

    predictor = OnePiecePredictor(
        use_mirroring=mirroring, device=device, perform_everything_on_device=True, allow_tqdm=False
    )
    # nnU-Net itself does this where it reads an image in several tiles.
    network.eval()
    predictor.manual_initialization(network.to(device), *managers, states, dataset, "nnUNetTrainer", axes)
    return predictor


def write_nnunet_folder(bundle: Path, out: Path) -> Path:
    """Write a bundle as a model folder that nnU-Net's own commands take (``nnUNetv2_predict_from_modelfolder``).

    Args:
        bundle: a bundle of ``mewm train assistant``.
        out: folder to write: ``plans.json``, ``dataset.json``, ``fold_0/checkpoint_final.pth``.

    Raises:
        ResourceError: a file of the bundle is missing or was changed.
        InputError: the folder cannot be written.
    """
    import torch

    network = load_network(bundle, "cpu").predictor.network
    settings = read_bundle(bundle, "assistant").inference["nnunet"]
    try:
        (out / "fold_0").mkdir(parents=True, exist_ok=True)
        for name in (PLANS, DATASET):
            (out / Path(name).name).write_bytes(verified_bytes(bundle, name, "assistant")[0])
        checkpoint = {
            "network_weights": network.state_dict(),
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": settings["configuration"]},
            "inference_allowed_mirroring_axes": None,
        }
        torch.save(checkpoint, out / "fold_0" / CHECKPOINTS[0])
    except OSError as error:
        raise InputError(f"The nnU-Net folder cannot be written to {out} ({error.strerror or error}).") from error
    return out


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep nnU-Net's notes (folders of the environment that inference does not need) off the standard output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
