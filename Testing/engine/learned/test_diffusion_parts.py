"""The parts of the learned dynamics: noise, sampler, action encoder, attenuation, contrastive loss, examples."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("open_clip", reason="the 'learned' extra is not installed")

from mewm.actions.base import load_action_base  # noqa: E402
from mewm.actions.protocol import Action, Protocol  # noqa: E402
from mewm.actions.text import parse_protocol, render_action  # noqa: E402
from mewm.dynamics.diffusion.action_encoder import ActionEncoder  # noqa: E402
from mewm.dynamics.diffusion.action_text import TowerSettings, load_clip_text, text_tower, tokenise  # noqa: E402
from mewm.dynamics.diffusion.denoiser import Denoiser  # noqa: E402
from mewm.dynamics.diffusion.model import ActionDiffusion, CaseConditions  # noqa: E402
from mewm.dynamics.diffusion.noise import PREDICTIONS, TRAIN_STEPS, NoiseProcess  # noqa: E402
from mewm.dynamics.diffusion.sampler import SamplerSettings, sample, seeded_noise  # noqa: E402
from mewm.errors import InputError  # noqa: E402
from mewm.training.dynamics.attenuation import LEVELS, attenuate, report_level  # noqa: E402
from mewm.training.dynamics.contrastive import combo_loss, future_features  # noqa: E402
from mewm.training.dynamics.phrases import HELD_OUT, TRAINING, phrase, random_action  # noqa: E402
from mewm.training.dynamics.text import TextTraining, trained_tower  # noqa: E402

TINY_TOWER = TowerSettings(merges=256, context_length=28, width=32, layers=1, heads=2, dim=32)
AGENTS = tuple(load_action_base().agents)


def protocol(text):
    return parse_protocol(text).protocol


def encoder(**changes):
    torch.manual_seed(0)
    return ActionEncoder(AGENTS, TINY_TOWER, dim=32, **changes)


@pytest.fixture(scope="module")
def tower():
    return trained_tower(TINY_TOWER, TextTraining(steps=100, batch=32, learning_rate=6e-3), AGENTS, seed=1)


# Noise and sampler


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_what_the_network_should_say_gives_the_clean_volume_back(prediction):
    process = NoiseProcess(prediction)
    clean, noise = torch.randn(2, 5, 2, 3, 4, 4).unbind(0)
    t = torch.tensor([0.05, 0.3, 0.5, 0.7, 0.9])
    noisy = process.mix(clean, noise, t)
    assert torch.allclose(process.clean(process.target(clean, noise, t), noisy, t), clean, atol=2e-4)


def test_at_pure_noise_flow_v_asks_for_the_clean_volume_and_near_it_for_the_noise():
    process = NoiseProcess("flow_v")
    clean, noise = torch.randn(2, 2, 8, 4, 4, 4).unbind(0)
    assert torch.allclose(process.target(clean, noise, torch.ones(2)), -clean)
    assert torch.allclose(process.target(clean, noise, torch.full((2,), 1e-4)), noise, atol=1e-2)
    # What is asked for has the size of the data at every time.
    for t in (0.1, 0.5, 0.9):
        assert process.target(clean, noise, torch.full((2,), t)).std() == pytest.approx(1.0, abs=0.1)


def test_an_error_of_flow_sample_counts_as_the_error_of_the_velocity_it_amounts_to():
    process, velocity = NoiseProcess("flow_sample"), NoiseProcess("flow")
    clean, noise = torch.randn(2, 3, 8, 4, 4, 4).unbind(0)
    t = torch.tensor([0.35, 0.6, 1.0])
    noisy, said = process.mix(clean, noise, t), clean + 0.3
    # The velocity of an answer is the way from the noisy volume to it in the time that is left.
    of_answer = (said - noisy) / t.view(-1, 1, 1, 1, 1)
    error = (of_answer - velocity.target(clean, noise, t)).square()
    assert torch.allclose(process.weight(t) * (said - clean).square(), error, rtol=1e-3)
    # Near the clean volume it does not grow without bounds.
    assert float(process.weight(torch.tensor([0.001])).max()) < 20
    assert all(NoiseProcess(p).weight(t).eq(1).all() for p in PREDICTIONS if p != "flow_sample")


class Says:
    """A model whose word is a fixed function of what it sees."""

    def __init__(self, prediction):
        self.process = NoiseProcess(prediction)
        self.calls = 0

    def __call__(self, x, t, case, action, outcome=None):
        self.calls += 1
        return torch.tanh(x) * 0.3 - 0.2 * t.view(-1, 1, 1, 1, 1)

    def from_target(self, clean, case):
        return clean


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_sampling_is_that_of_monais_schedulers(prediction):
    schedulers = pytest.importorskip("monai.networks.schedulers")
    model, steps, noise = Says(prediction), 4, torch.randn(2, 8, 6, 6, 6)
    ours = sample(model, None, None, noise, SamplerSettings("ddim", steps=steps, shift=1.0))
    x = noise
    if prediction.startswith("flow"):
        scheduler = schedulers.RFlowScheduler(num_train_timesteps=TRAIN_STEPS)
        scheduler.set_timesteps(steps)
        times = [*scheduler.timesteps.tolist(), 0]
        for now, following in itertools.pairwise(times):
            t = torch.full((2,), now / TRAIN_STEPS)
            # MONAI asks for the velocity, the way from noise to clean volume in the time that is left.
            velocity = (model.process.clean(model(x, t, None, None), x, t) - x) / t.view(-1, 1, 1, 1, 1)
            x, _ = scheduler.step(velocity, now, x, following)
    else:
        scheduler = schedulers.DDIMScheduler(
            num_train_timesteps=TRAIN_STEPS, prediction_type=prediction, clip_sample=False, steps_offset=0
        )
        scheduler.set_timesteps(steps)
        # MONAI counts its steps from 0 (noise of step k) where we count times from 0 (no noise).
        for k in range(steps):
            now = TRAIN_STEPS - k * TRAIN_STEPS // steps
            x, _ = scheduler.step(model(x, torch.full((2,), now / TRAIN_STEPS), None, None), now - 1, x)
    assert torch.allclose(ours, x, atol=2e-3, rtol=1e-3)


def test_the_multistep_solver_comes_nearer_to_many_steps_at_the_same_calls():
    noise = torch.randn(4, 8, 6, 6, 6, generator=torch.Generator().manual_seed(3))

    class Posterior(Says):
        """The exact word for data of one dimension: normal with mean 1 and spread 0.5."""

        def __call__(self, x, t, case, action, outcome=None):
            self.calls += 1
            alpha, sigma = self.process.levels(t)
            gain = alpha * 0.25 / (alpha**2 * 0.25 + sigma**2)
            clean = 1 + gain * (x - alpha)
            return (clean - x) / sigma

    model = Posterior("flow")
    reference = sample(model, None, None, noise, SamplerSettings("ddim", steps=400, shift=1.0))
    errors = {}
    for solver in ("ddim", "multistep"):
        model.calls = 0
        found = sample(model, None, None, noise, SamplerSettings(solver, steps=5, shift=1.0))
        errors[solver] = float((found - reference).square().mean())
        assert model.calls == 5 == SamplerSettings(solver, steps=5).calls
    assert errors["multistep"] < 0.5 * errors["ddim"]


def test_noise_belongs_to_its_seed():
    assert torch.equal(seeded_noise(5, 8, 6), seeded_noise(5, 8, 6))
    assert not torch.equal(seeded_noise(5, 8, 6), seeded_noise(6, 8, 6))


@pytest.mark.parametrize("wrong", [{"solver": "best"}, {"steps": 0}, {"shift": 0.0}])
def test_a_wrong_sampler_is_one_sentence(wrong):
    with pytest.raises(InputError, match="sampler cannot take"):
        SamplerSettings(**wrong)


# Action encoder


def test_the_order_of_agents_changes_nothing_and_dose_size_and_agent_do():
    told = [
        "Lobaplatin 30 mg; Lipiodol 10 ml; PVA 300-500 µm",
        "PVA 300-500 µm; Lipiodol 10 ml; Lobaplatin 30 mg",
        "Lobaplatin 60 mg; Lipiodol 10 ml; PVA 300-500 µm",
        "Lobaplatin 30 mg; Lipiodol 10 ml; PVA 100-300 µm",
        "Cisplatin 30 mg; Lipiodol 10 ml; PVA 300-500 µm",
    ]
    model = encoder()
    whole = model(model.read([protocol(text) for text in told])).whole
    distance = (whole - whole[0]).norm(dim=1)
    assert distance[1] < 1e-5
    assert distance[2:].min() > 1e-2


def test_what_angiography_showed_never_reaches_the_encoder():
    model = encoder()
    plain = model.read([protocol("Lobaplatin 30 mg; Lipiodol 10 ml")])
    told = model.read([protocol("Lobaplatin 30 mg; Lipiodol 10 ml; tumour staining disappeared completely")])
    assert all(torch.equal(a, b) for a, b in zip(plain, told, strict=True))


def test_unused_places_and_hidden_protocols_have_their_own_tokens():
    model = encoder(places=5)
    found = model(model.read([protocol("Lipiodol 10 ml")]), torch.tensor([True]))
    assert found.tokens.shape == (1, 6, 32)
    assert torch.equal(found.tokens[0, 1], found.tokens[0, 4])
    hidden = model(model.read([protocol("Lipiodol 10 ml")]), torch.tensor([False]))
    assert torch.equal(hidden.tokens[0, 0], hidden.whole[0])


def test_an_agent_it_was_not_trained_on_and_too_many_are_one_sentence():
    model = encoder(places=2)
    with pytest.raises(InputError, match="not trained on the agent 'curcumin'"):
        model.read([Protocol((Action("curcumin", "unknown"),))])
    with pytest.raises(InputError, match="3 agents"):
        model.read([protocol("Lobaplatin 30 mg; Lipiodol 10 ml; PVA 300-500 µm")])


def test_other_words_for_the_same_are_nearly_the_same_condition(tower):
    model = encoder()
    model.text = tower
    rng = np.random.default_rng(0)
    actions = [random_action(rng, AGENTS) for _ in range(60)]
    alone = [Protocol((action,)) for action in actions]
    usual = model(model.read(alone)).tokens[:, 0]
    said = [[phrase(action, rng, HELD_OUT)] for action in actions]
    other = model(model.read(alone, said)).tokens[:, 0]
    likeness = torch.nn.functional.cosine_similarity(usual[:, None], other[None], dim=-1)
    assert likeness.diagonal().mean() > 0.9
    strangers = likeness[~torch.eye(len(actions), dtype=torch.bool)].mean()
    assert likeness.diagonal().mean() - strangers > 0.3


def test_the_text_tower_knows_an_action_by_other_words(tower):
    rng = np.random.default_rng(1)
    actions = [random_action(rng, AGENTS) for _ in range(40)]
    features = [
        torch.nn.functional.normalize(tower(tokenise(texts, TINY_TOWER)), dim=-1)
        for texts in ([render_action(a) for a in actions], [phrase(a, rng, HELD_OUT) for a in actions])
    ]
    nearest = (features[0] @ features[1].T).argmax(dim=1)
    named = [actions[k].agent == action.agent for k, action in zip(nearest.tolist(), actions, strict=True)]
    assert np.mean(named) > 0.6


def test_phrases_name_what_is_given_and_no_outcome():
    assert not {t for kind in TRAINING for t in TRAINING[kind]} & {t for kind in HELD_OUT for t in HELD_OUT[kind]}
    rng = np.random.default_rng(2)
    for _ in range(200):
        action = random_action(rng, AGENTS)
        said = phrase(action, rng, HELD_OUT if rng.random() < 0.3 else TRAINING)
        read = [a for a in parse_protocol(said).protocol.actions if a.agent == action.agent]
        assert read and read[0].size_um == action.size_um, said
        assert report_level(said) is None


def test_clip_weights_on_disk_can_be_taken(tmp_path):
    from safetensors.torch import save_file

    other = text_tower(TINY_TOWER)
    state = {f"text.{name}": value.clone() + 1 for name, value in other.state_dict().items()}
    state["visual.transformer.weight"] = torch.zeros(1)
    save_file(state, str(tmp_path / "clip.safetensors"))
    mine = text_tower(TINY_TOWER)
    load_clip_text(mine, tmp_path / "clip.safetensors")
    assert torch.equal(mine.token_embedding.weight, other.token_embedding.weight + 1)
    with pytest.raises(InputError, match="do not fit"):
        load_clip_text(
            text_tower(TowerSettings(merges=200, width=32, layers=1, heads=2)), tmp_path / "clip.safetensors"
        )
    with pytest.raises(InputError, match="cannot be read"):
        load_clip_text(mine, tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt"])
@pytest.mark.parametrize("content", [b"", b"not a file of weights"])
def test_damaged_clip_weights_are_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read") as caught:
        load_clip_text(text_tower(TINY_TOWER), tmp_path / name)
    assert "\n" not in str(caught.value)


def test_clips_architecture_wants_weights():
    with pytest.raises(InputError, match="has to come with weights"):
        trained_tower(TowerSettings(tower="ViT-B-32-quickgelu"), TextTraining(), AGENTS, seed=1)


# Denoiser


@pytest.mark.parametrize("fine", [0, 16])
@pytest.mark.parametrize(("widths", "patch"), [((16, 24), 2), ((16, 24, 32), 1)])
def test_the_denoiser_answers_on_the_latent_grid(widths, patch, fine):
    levels = len(widths)
    net = Denoiser(10, 8, widths, (1,) * levels, (False,) * (levels - 1) + (True,), patch, token_dim=32, fine=fine)
    torch.nn.init.normal_((net.fine or net).leave.weight)
    inputs = [torch.randn(2, 8, 24, 24, 24), torch.randn(2, 2, 24, 24, 24), torch.rand(2), torch.randn(2, 2)]
    said = net(*inputs, torch.randn(2, 3, 32), torch.randn(2, 32))
    assert said.shape == (2, 8, 24, 24, 24)
    assert said.std() > 0


def test_the_fine_block_sees_every_latent_voxel_as_it_was_given():
    """Noise within a patch reaches the answer by itself, however narrow the levels are."""
    torch.manual_seed(0)
    net = Denoiser(10, 8, (8,), (1,), (False,), patch=2, token_dim=16, fine=16)
    torch.nn.init.normal_(net.fine.leave.weight)
    torch.nn.init.zeros_(net.enter.weight)
    noisy = torch.randn(1, 8, 8, 8, 8)
    rest = [torch.randn(1, 2, 8, 8, 8), torch.rand(1), torch.randn(1, 2), torch.randn(1, 3, 16), torch.randn(1, 16)]
    other = noisy.clone()
    other[0, :, 4, 4, 4] += 1
    difference = (net(noisy, *rest) - net(other, *rest)).abs().sum(dim=1)[0]
    assert difference[4, 4, 4] > 10 * difference[0, 0, 0]


def test_a_change_is_nothing_where_nothing_is_treated():
    model = ActionDiffusion(AGENTS, vars(TINY_TOWER), widths=(16, 24), token_dim=32)
    gate = torch.zeros(1, 1, 24, 24, 24)
    gate[..., 8:16, 8:16, 8:16] = 1
    case = CaseConditions(*torch.randn(2, 1, 8, 24, 24, 24).unbind(0), gate, gate, torch.zeros(1, 2))
    model.spread.fill_(0.5)
    post = case.pre + gate * torch.randn(1, 8, 24, 24, 24)
    assert torch.allclose(model.from_target(model.to_target(post, case), case), post, atol=1e-5)
    assert torch.equal(model.from_target(torch.ones_like(post), case) == case.pre, (gate == 0).expand_as(post))


# Attenuation


def ball(radius, edge=64):
    axis = torch.arange(edge) - edge / 2 + 0.5
    return (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None] ** 2) <= radius**2


@pytest.mark.parametrize("radius", [4, 9, 18])
def test_a_higher_level_leaves_a_smaller_and_softer_mask(radius):
    mask = ball(radius)
    masks = [attenuate(mask, level) for level in LEVELS]
    volumes = [float(m.sum()) for m in masks]
    assert all(a >= b - 1e-3 * volumes[0] for a, b in itertools.pairwise(volumes))
    assert volumes[3] < 0.8 * volumes[0]
    # Softness: how many voxels lie between in and out, relative to the surface.
    soft = [float(((m > 0.1) & (m < 0.9)).sum()) / max(float(m.sum()), 1e-6) ** (2 / 3) for m in masks]
    assert all(a <= b + 1e-6 for a, b in itertools.pairwise(soft))
    assert all(float(m.min()) >= 0 and float(m.max()) <= 1 for m in masks)


def test_the_kernel_grows_with_the_lesion():
    lost = [float(ball(r).sum() ** (1 / 3) - attenuate(ball(r), 4).sum() ** (1 / 3)) for r in (9, 24)]
    assert lost[1] > lost[0] + 1


def test_an_empty_mask_stays_empty_and_a_wrong_level_is_refused():
    assert attenuate(torch.zeros(8, 8, 8), 4).sum() == 0
    with pytest.raises(ValueError, match="level 5"):
        attenuate(ball(4), 5)


def test_the_level_comes_from_the_reports_words():
    given = "Lobaplatin 30 mg was infused. Final angiography: "
    words = (
        "tumour staining unchanged",
        "staining partially reduced",
        "staining mostly disappeared",
        "no staining left",
    )
    assert [report_level(given + w) for w in words[:3]] == [1, 2, 3]
    assert report_level(given + "tumour staining disappeared") == 4
    assert report_level("Lobaplatin 30 mg was infused.") is None


# Combo contrastive learning


def test_the_contrastive_loss_pulls_like_to_like():
    anchor = torch.tensor([[1.0, 0.0, 0.0]])
    near, far = torch.tensor([[0.9, 0.1, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    yes, no = torch.tensor([True]), torch.tensor([False])
    for decoupled in (False, True):
        good = combo_loss(anchor, near, far, yes, 0.2, decoupled=decoupled)
        assert good < combo_loss(anchor, far, near, yes, 0.2, decoupled=decoupled)
    assert combo_loss(anchor, far, near, no, 0.2) == 0


def test_futures_of_lesions_of_other_shapes_can_be_compared():
    torch.manual_seed(0)
    small, large = (ball(r, 24).float()[None, None] for r in (4, 8))
    dark = torch.full((1, 8, 1, 1, 1), -1.0)
    bright = torch.linspace(-1, 2, 8).view(1, 8, 1, 1, 1)

    def looks(lesion, value):
        return future_features(lesion * value + 0.1 * torch.randn(1, 8, 24, 24, 24), lesion)

    like = torch.nn.functional.cosine_similarity(looks(small, dark), looks(large, dark))
    unlike = torch.nn.functional.cosine_similarity(looks(small, dark), looks(small, bright))
    assert like > 0.9 > unlike
