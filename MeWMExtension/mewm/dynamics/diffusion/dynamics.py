"""The learned dynamics in the role of :class:`mewm.roles.DynamicsModel`."""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from mewm.actions.protocol import Action, Protocol
from mewm.bundle import Bundle, read_bundle
from mewm.compute import choose_device, mixed_precision
from mewm.dynamics.autoencoder.codec import load_autoencoder
from mewm.dynamics.autoencoder.network import REDUCTION
from mewm.dynamics.diffusion.action_encoder import Actions, ActionTokens
from mewm.dynamics.diffusion.condition import Codec, case_conditions
from mewm.dynamics.diffusion.model import ActionDiffusion, CaseConditions
from mewm.dynamics.diffusion.outcome import outcome_noise
from mewm.dynamics.diffusion.sampler import SamplerSettings, sample, seeded_noise
from mewm.errors import MewmError, ResourceError
from mewm.roi import Roi
from mewm.voxels import tight_box

TITLE = "dynamics model"
AUTOENCODER = "dynamics_autoencoder"
_REMEMBERED = 512
# PyTorch has no common exception: CUDA and MPS say the first, the allocator on CPU the others.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
# Latent voxels around the changed box that are decoded with it, where an autoencoder does not say how far it sees.
_MARGIN = 5


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What all protocols of a case share.

    Attributes:
        case: its conditions.
        box: voxels that can change, edges on the latent grid.
        part: the same box and a margin in latent voxels.
        inner: where ``box`` lies in the decoded part.
        feather: weight of a change in the box.
        before: decoded CT before treatment in the box, HU.
    """

    case: CaseConditions
    box: tuple[slice, slice, slice]
    part: tuple[slice, slice, slice]
    inner: tuple[slice, slice, slice]
    feather: np.ndarray
    before: np.ndarray


class DiffusionDynamics:
    """Simulate the CT after a protocol by action-conditioned latent diffusion.

    The change between the decoded futures and the decoded present is added to the scan, so its noise and detail stay
    and what is outside the feather is bit-identical. The same seed gives every protocol the same noise.

    Args:
        model: the trained denoiser and action encoder.
        codec: the autoencoder whose latents it was trained on.
        settings: solver, steps, batch.
        name: how tables call it.
        sha256: digest of the weights.
        notice: told once when memory runs short; a warning by default.

    Attributes:
        calls: how often the denoiser was called for one future so far, summed over all futures.
    """

    def __init__(
        self,
        model: ActionDiffusion,
        codec: Codec,
        settings: SamplerSettings | None = None,
        *,
        name: str = "action-conditioned diffusion",
        sha256: str = "",
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self.model = model.to(codec.device, memory_format=torch.channels_last_3d).eval().requires_grad_(False)
        self.codec, self.settings, self.name, self.sha256 = codec, settings or SamplerSettings(), name, sha256
        self.calls = 0
        self._notice = notice or (lambda message: warnings.warn(message, stacklevel=3))
        self._cases: weakref.WeakKeyDictionary[Roi, _Prepared] = weakref.WeakKeyDictionary()
        self._actions: dict[tuple[Action, ...], tuple[Actions, ActionTokens]] = {}
        self._lock = threading.Lock()

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return self.codec.device

    @torch.inference_mode()
    def simulate(self, roi: Roi, protocol: Protocol, seeds: Sequence[int]) -> np.ndarray:
        """Return ``(len(seeds), 96, 96, 96)`` float32 HU, one future a seed; the input CT for no treatment.

        Raises:
            InputError: the protocol holds an agent that the model was not trained on.
            MewmError: there is not enough memory for one future.
        """
        post = np.repeat(np.asarray(roi.ct, np.float32)[None], len(seeds), axis=0)
        if not protocol.actions:
            return post
        with self._lock:
            prepared, (said, action) = self._prepare(roi), self._action(protocol)
            first = 0
            while first < len(seeds):
                some = seeds[first : first + self.settings.batch]
                try:
                    decoded = self._draw(prepared, said, action, some)
                except (MemoryError, RuntimeError) as error:
                    self._smaller_batch(error, len(some))
                    continue
                for future, ct in zip(post[first : first + len(some)], decoded, strict=True):
                    future[prepared.box] += prepared.feather * (ct - prepared.before)
                first += len(some)
        return post

    def _draw(self, prepared: _Prepared, said: Actions, action: ActionTokens, seeds: Sequence[int]) -> np.ndarray:
        """Return the decoded futures in the box, (len(seeds), ...) HU."""
        count, device = len(seeds), self.codec.device
        pre = prepared.case.pre
        noise = torch.stack([seeded_noise(seed, pre.shape[1], pre.shape[2]) for seed in seeds]).to(device)
        repeated = ActionTokens(*(part.expand(count, *part.shape[1:]) for part in action))
        untold = None
        if self.settings.guidance != 1.0:
            untold = ActionTokens(*(part.expand(count, *part.shape[1:]) for part in self._action(None)[1]))
        case = prepared.case.repeat(count)
        given = Actions(*(part.expand(count, *part.shape[1:]) for part in said))
        outcome = self.model.draw_outcome(case, given, outcome_noise(seeds).to(device))
        with mixed_precision(device):
            latents = sample(self.model, case, repeated, noise, self.settings, untold, outcome)
        self.calls += self.settings.calls * count
        everything = slice(None)
        place = (everything, everything, *prepared.part)
        inside = (everything, 0, *prepared.inner)
        return self.codec.decode(latents[place])[inside].cpu().numpy()

    def _prepare(self, roi: Roi) -> _Prepared:
        found = self._cases.get(roi)
        if found is None:
            found = self._cases[roi] = self._build(roi)
        return found

    def _build(self, roi: Roi) -> _Prepared:
        with mixed_precision(self.codec.device):
            case = case_conditions(roi, self.codec)
        edge = case.pre.shape[-1]
        changed = tight_box((roi.feather > 0) & roi.inside)
        coarse = [(s.start // REDUCTION, -(-s.stop // REDUCTION)) for s in changed]
        box = _slices((low * REDUCTION, high * REDUCTION) for low, high in coarse)
        # The rest of the volume has no part in what is decoded here.
        margin = getattr(self.codec, "reach", _MARGIN)
        wide = [(max(low - margin, 0), min(high + margin, edge)) for low, high in coarse]
        inner = _slices(
            ((low - start) * REDUCTION, (high - start) * REDUCTION)
            for (low, high), (start, _) in zip(coarse, wide, strict=True)
        )
        part = _slices(wide)
        place, inside = (slice(None), slice(None), *part), (0, 0, *inner)
        before = self.codec.decode(case.pre[place])[inside].cpu().numpy()
        # Beyond the scan there is no tissue that could change.
        feather = np.ascontiguousarray(roi.feather[box] * roi.inside[box], np.float32)
        return _Prepared(case, box, part, inner, feather, before)

    def _action(self, protocol: Protocol | None) -> tuple[Actions, ActionTokens]:
        """Return a protocol and τ(a), of a hidden protocol for ``None``; agents in a fixed order: theirs is nothing."""
        key = () if protocol is None else protocol.merged().key
        found = self._actions.get(key)
        if found is None:
            actions = self.model.action.read([Protocol(key)]).to(self.codec.device)
            known = torch.full((1,), protocol is not None, device=self.codec.device)
            found = actions, self.model.encode_action(actions, known)
            if len(self._actions) >= _REMEMBERED:
                self._actions.clear()
            self._actions[key] = found
        return found

    def _smaller_batch(self, error: BaseException, count: int) -> None:
        """Halve the batch after memory ran out; raise whatever else it was."""
        told = str(error).lower()
        if not isinstance(error, MemoryError) and not any(words in told for words in _OUT_OF_MEMORY):
            raise error
        if count == 1:
            raise MewmError(
                f"There is not enough memory on {self.codec.device} to simulate one future; close other programs or "
                "use the device cpu."
            ) from error
        if self.codec.device.type == "cuda":
            torch.cuda.empty_cache()
        self.settings = replace(self.settings, batch=count // 2)
        self._notice(f"Memory is short on {self.codec.device}: futures are simulated {count // 2} at a time.")


def load_dynamics(
    folder: Path, *, autoencoder: Path | None = None, device: torch.device | str | None = None
) -> DiffusionDynamics:
    """Load a bundle; a second call with the same arguments returns the same model.

    Args:
        folder: bundle written by ``mewm train dynamics``.
        autoencoder: bundle of the autoencoder it was trained on; by default ``dynamics_autoencoder`` beside ``folder``,
            else the shipped one.
        device: where it runs; the fastest by default.

    Raises:
        ResourceError: a file is missing or was changed, or the autoencoder is another.
    """
    name = str(device) if device is not None else None
    return _load(Path(folder).resolve(), None if autoencoder is None else Path(autoencoder).resolve(), name)


@lru_cache(maxsize=4)
def _load(folder: Path, autoencoder: Path | None, device: str | None) -> DiffusionDynamics:
    bundle = read_bundle(folder, TITLE)
    beside = folder.parent / AUTOENCODER
    codec = load_autoencoder(autoencoder or (beside if beside.is_dir() else None), choose_device(device))
    wanted = bundle.inference.get("autoencoder_sha256")
    if wanted != codec.sha256:
        raise ResourceError(
            f"The dynamics model {folder} was trained on another autoencoder than the one found; give the bundle "
            "it was trained on, or train the dynamics again."
        )
    model = network_of(bundle)
    settings = SamplerSettings(**bundle.inference.get("sampler", {}))
    name = str(bundle.metadata.get("name", folder.name))
    return DiffusionDynamics(model, codec, settings, name=name, sha256=bundle.sha256)


def network_of(bundle: Bundle) -> ActionDiffusion:
    """Build the model that a bundle describes, with its weights.

    Raises:
        ResourceError: the weights are of another network.
    """
    model = ActionDiffusion(**bundle.network_arguments())
    bundle.load_into(model)
    return model


def _slices(ends: object) -> tuple[slice, slice, slice]:
    x, y, z = (slice(low, high) for low, high in ends)  # type: ignore[attr-defined]
    return x, y, z
