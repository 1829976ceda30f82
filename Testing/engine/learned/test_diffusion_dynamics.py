"""The learned dynamics in its role: what it leaves alone, what it repeats, what it does when memory is short."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("open_clip", reason="the 'learned' extra is not installed")

from stand_in_codec import StandInCodec  # noqa: E402

from mewm import api  # noqa: E402
from mewm.actions.base import load_action_base  # noqa: E402
from mewm.actions.protocol import Protocol  # noqa: E402
from mewm.actions.text import parse_protocol  # noqa: E402
from mewm.dynamics.choose import BUNDLES, choose_dynamics, dynamics_names  # noqa: E402
from mewm.dynamics.diffusion.condition import FILL_HU, case_conditions, without_lesion  # noqa: E402
from mewm.dynamics.diffusion.dynamics import DiffusionDynamics  # noqa: E402
from mewm.dynamics.diffusion.model import ActionDiffusion  # noqa: E402
from mewm.dynamics.diffusion.sampler import SamplerSettings  # noqa: E402
from mewm.errors import InputError, MewmError  # noqa: E402
from mewm.evaluation.config import EvaluationConfig  # noqa: E402
from mewm.evaluation.registry import LEARNED, known_models, plain_models  # noqa: E402
from mewm.resources import resource_path  # noqa: E402
from mewm.roi import cut_roi, paste_ct  # noqa: E402

TINY = {
    "tower": {"merges": 128, "context_length": 24, "width": 16, "layers": 1, "heads": 2, "dim": 16},
    "widths": (16, 24),
    "blocks": (1, 1),
    "token_dim": 16,
}
ONE = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
OTHER = parse_protocol("Doxorubicin-eluting Beads 75 mg 100-300 µm").protocol


def make_model(**changes):
    """An untrained model that does something: its last layer is not zero."""
    torch.manual_seed(0)
    model = ActionDiffusion(tuple(load_action_base().agents), **{**TINY, **changes})
    torch.nn.init.normal_(model.denoiser.leave.weight, std=0.1)
    for level in (*model.denoiser.down, *model.denoiser.up):
        if level.attention is not None:
            torch.nn.init.normal_(level.attention.action_out.weight, std=0.3)
    model.spread.fill_(0.5)
    return model


def dynamics(model=None, **settings):
    return DiffusionDynamics(model or make_model(), StandInCodec(), SamplerSettings(**{"steps": 2, **settings}))


@pytest.fixture(scope="module")
def roi(phantom_case):
    return cut_roi(phantom_case)


@pytest.mark.parametrize("target", ["change", "post"])
def test_outside_the_feather_every_voxel_is_bit_identical(roi, phantom_case, target):
    post = dynamics(make_model(target=target)).simulate(roi, ONE, [1, 2])
    assert post.shape == (2, 96, 96, 96)
    assert post.dtype == np.float32
    outside = roi.feather == 0
    assert np.array_equal(post[:, outside], np.repeat(roi.ct[None, outside], 2, axis=0))
    assert np.abs(post[:, roi.lesion] - roi.ct[roi.lesion]).mean() > 5
    import SimpleITK as sitk

    pasted, before = (sitk.GetArrayFromImage(i) for i in (paste_ct(phantom_case, roi, post[0]), phantom_case.ct))
    assert 0 < (pasted != before).mean() < 0.25


def test_a_seed_repeats_itself_whoever_stands_beside_it(roi):
    model = dynamics()
    together = model.simulate(roi, ONE, [1, 2, 3])
    assert np.abs(together[1] - dynamics().simulate(roi, ONE, [2])[0]).max() < 0.05
    assert np.abs(together[0] - together[1])[roi.lesion].mean() > 1
    assert np.array_equal(together, model.simulate(roi, ONE, [1, 2, 3]))


def test_protocols_share_their_noise_and_differ_by_treatment(roi):
    model = dynamics()
    one, other = (model.simulate(roi, p, [1, 2]) for p in (ONE, OTHER))
    by_treatment = np.abs(one - other)[:, roi.lesion].mean()
    by_chance = np.abs(one[0] - one[1])[roi.lesion].mean()
    assert 0.01 < by_treatment < by_chance


def test_no_treatment_changes_nothing_and_order_neither(roi):
    model = dynamics()
    assert np.array_equal(model.simulate(roi, Protocol(), [1])[0], roi.ct)
    turned = Protocol(ONE.actions[::-1])
    assert np.array_equal(model.simulate(roi, ONE, [1]), model.simulate(roi, turned, [1]))


def test_a_model_that_knows_no_action_gives_every_protocol_the_same_future(roi):
    model = dynamics(make_model(action="none", see_lesion=False, target="post"))
    assert np.array_equal(model.simulate(roi, ONE, [1]), model.simulate(roi, OTHER, [1]))


def test_only_the_changed_box_is_decoded_and_the_case_is_encoded_once(roi):
    model = dynamics()
    encoded = []
    whole = model.codec.encode
    model.codec.encode = lambda ct: encoded.append(len(ct)) or whole(ct)
    model.simulate(roi, ONE, [1, 2])
    model.simulate(roi, OTHER, [1])
    assert encoded == [2]
    assert model.codec.decoded == 1 + 3
    prepared = model._prepare(roi)
    assert np.prod([s.stop - s.start for s in prepared.part]) < 24**3
    full = model.codec.decode(prepared.case.pre)[0, 0].numpy()
    assert np.allclose(full[prepared.box], prepared.before, atol=1e-3)


def test_guidance_doubles_the_calls_and_moves_the_future(roi):
    plain, guided = dynamics(), dynamics(guidance=3.0)
    futures = [model.simulate(roi, ONE, [1])[0] for model in (plain, guided)]
    assert (plain.calls, guided.calls) == (2, 4)
    assert np.abs(futures[0] - futures[1])[roi.lesion].mean() > 0.01


def short_of_memory(model, largest):
    """Let the model fail on more than ``largest`` futures at once, as PyTorch does on a full machine."""
    forward = model.model.forward

    def limited(noisy, *others):
        if len(noisy) > largest:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return forward(noisy, *others)

    model.model.forward = limited
    return model


def test_short_memory_means_smaller_batches_and_one_notice(roi):
    told = []
    model = DiffusionDynamics(make_model(), StandInCodec(), SamplerSettings(steps=2, batch=4), notice=told.append)
    found = short_of_memory(model, 2).simulate(roi, ONE, [1, 2, 3, 4])
    assert len(told) == 1 and "2 at a time" in told[0]
    assert np.allclose(found, dynamics(batch=2).simulate(roi, ONE, [1, 2, 3, 4]), atol=0.05)
    with pytest.raises(MewmError, match="not enough memory"):
        short_of_memory(dynamics(), 0).simulate(roi, ONE, [1])


def test_another_failure_is_not_taken_for_short_memory(roi):
    model = dynamics()
    model.model.forward = lambda *others: torch.zeros(2) + torch.zeros(3)
    with pytest.raises(RuntimeError, match="size of tensor"):
        model.simulate(roi, ONE, [1])


def test_the_lesion_is_taken_out_of_what_the_paper_shows_the_denoiser(roi):
    ct, mask = (torch.from_numpy(a.astype(np.float32))[None, None] for a in (roi.ct, roi.lesion))
    seen = without_lesion(ct, mask)[0, 0].numpy()
    assert np.all(seen[roi.lesion] == FILL_HU)
    assert np.array_equal(seen[~roi.lesion], np.clip(roi.ct, -175, 600)[~roi.lesion])
    case = case_conditions(roi, StandInCodec())
    assert case.pre.shape == case.masked.shape == (1, 8, 24, 24, 24)
    assert float(case.lesion.sum()) * 64 == pytest.approx(roi.lesion.sum())
    assert bool((case.gate[0, 0].numpy() > 0)[roi.lesion[::4, ::4, ::4]].all())


def test_it_can_be_explored_with(phantom_case):
    learned = dynamics()
    settings = api.Settings(beams=1, drugs=2, embolics=2, replicas=1, drug_horizon=1, embolic_horizon=1)
    found = api.explore(phantom_case, settings=settings, models=api.Models(dynamics=learned), confirm=1)
    assert found.to_dict()["models"]["dynamics"] == "action-conditioned diffusion"
    assert learned.calls == 2 * found.simulations["run"]


def test_models_are_chosen_by_name(tmp_path):
    assert choose_dynamics().name == dynamics_names()[0] == "mechanistic"
    assert set(BUNDLES) == set(LEARNED)
    with pytest.raises(InputError, match="'wizard' is unknown"):
        choose_dynamics("wizard")
    registry = known_models({"mask-only diffusion": str(tmp_path)})
    assert "mask-only diffusion" not in registry.untrained
    # A table says why a learned model has no figures.
    assert registry.absent(EvaluationConfig())["mask-only diffusion"] == "not asked for"
    assert "mask-only diffusion" not in registry.absent(EvaluationConfig(dynamics=("mask-only diffusion",)))
    assert set(plain_models().absent(EvaluationConfig()).values()) == {"not trained"}


def test_the_full_method_is_compared_without_the_contrastive_loss_only_with_it():
    dynamics = resource_path("Models/dynamics_diffusion")
    name = "text-conditioned diffusion without the contrastive loss"
    trained = plain_models().with_dynamics(name, partial(choose_dynamics, str(dynamics)))
    main = EvaluationConfig(dynamics=("action-conditioned diffusion",))
    assert plain_models().why_no_ablation(main) == "not trained"
    assert "first dynamics" in trained.why_no_ablation(EvaluationConfig())
    assert trained.why_no_ablation(main) == ""
    assert trained.identities(EvaluationConfig()) == {}
    both = trained.with_dynamics("action-conditioned diffusion", partial(choose_dynamics, str(dynamics)))
    found = both.identities(main)
    assert set(found) == {"action-conditioned diffusion", name} and found[name]["settings"]["solver"] == "multistep"
    with pytest.raises(InputError, match="holds 'action-conditioned diffusion', not 'mask-only diffusion'"):
        known_models({"mask-only diffusion": str(dynamics)}).dynamics["mask-only diffusion"]()
