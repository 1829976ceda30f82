"""The outcome head: what it counts, what its draws depend on, and that they are as unsure as the world is."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("open_clip", reason="the 'learned' extra is not installed")

from mewm.actions.text import parse_protocol  # noqa: E402
from mewm.dynamics.diffusion.model import NUMBERS, ActionDiffusion, CaseConditions  # noqa: E402
from mewm.dynamics.diffusion.outcome import OutcomeHead, lesion_outcome, outcome_noise  # noqa: E402
from mewm.dynamics.diffusion.sampler import SamplerSettings, sample  # noqa: E402
from mewm.errors import InputError  # noqa: E402
from mewm.roles import Tissue  # noqa: E402
from mewm.training.dynamics.config import OutcomeTraining  # noqa: E402
from mewm.training.dynamics.latents import Latents  # noqa: E402
from mewm.training.dynamics.outcome import trained_head  # noqa: E402

AGENTS = ("lobaplatin", "lipiodol", "doxorubicin_eluting_beads")
TOWER = {"merges": 128, "context_length": 24, "width": 16, "layers": 1, "heads": 2, "dim": 16}
ONE = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
OTHER = parse_protocol("Doxorubicin-eluting Beads 75 mg 100-300 µm").protocol
EDGE = 8


def make_model(**outcome):
    torch.manual_seed(0)
    return ActionDiffusion(AGENTS, TOWER, 2, widths=(16, 24), blocks=(1, 1), token_dim=16, outcome=outcome)


def lesion_mask():
    lesion = torch.zeros(1, 1, EDGE, EDGE, EDGE)
    lesion[..., 2:6, 2:6, 2:6] = 1
    return lesion


def case_of(brightness):
    """Return conditions of lesions that enhance by ``brightness`` (N,)."""
    lesion = lesion_mask().expand(len(brightness), -1, -1, -1, -1)
    pre = lesion * brightness.view(-1, 1, 1, 1, 1) * torch.ones(1, 2, 1, 1, 1)
    return CaseConditions(pre, torch.zeros_like(pre), lesion, lesion, torch.zeros(len(brightness), NUMBERS))


def test_an_outcome_is_the_shares_and_the_change_of_volume():
    lesion = np.zeros((4, 4, 4), bool)
    lesion[:2] = True
    tissue = np.where(lesion, Tissue.NECROSIS, Tissue.LIVER).astype(np.uint8)
    tissue[0, :2] = Tissue.VIABLE
    tissue[0, 2] = Tissue.LIPIODOL
    viable, oil, volume = lesion_outcome(SimpleNamespace(lesion=lesion), tissue)
    assert (math.sin(viable) ** 2, math.sin(oil) ** 2, volume) == pytest.approx((8 / 32, 4 / 32, 0.0))
    tissue[1] = Tissue.LIVER
    assert lesion_outcome(SimpleNamespace(lesion=lesion), tissue)[2] == pytest.approx(math.log(0.5))
    gone = np.full(lesion.shape, Tissue.LIVER, np.uint8)
    assert lesion_outcome(SimpleNamespace(lesion=lesion), gone) == pytest.approx((0.0, 0.0, math.log(0.05)))


def test_a_draw_depends_on_lesion_protocol_and_seed_and_on_nothing_else():
    model = make_model(width=16, dropout=0.5)
    case, noise = case_of(torch.tensor([1.0, 1.0, -1.0])), outcome_noise([4, 4, 4])
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], outcome_noise([5])[0])

    def drawn(*protocols, phrases=None):
        return model.draw_outcome(case, model.action.read(protocols, phrases), noise)

    told = drawn(ONE, ONE, ONE)
    assert torch.equal(told[0], told[1])
    assert not torch.equal(told[0], told[2]), "another lesion"
    assert not torch.equal(told[0], drawn(OTHER, ONE, ONE)[0]), "another protocol"
    said_otherwise = [["platinum drug", "oil"]] * 3
    assert torch.equal(told, drawn(ONE, ONE, ONE, phrases=said_otherwise)), "words are not read"
    model.train()
    assert torch.equal(told, drawn(ONE, ONE, ONE)), "dropout belongs to learning"
    assert model.outcome.training


def test_draws_stay_possible_whatever_the_noise():
    model = make_model(width=16)
    drawn = model.draw_outcome(
        case_of(torch.zeros(2)), model.action.read([ONE, ONE]), torch.tensor([[90.0] * 3, [-90.0] * 3])
    )
    assert drawn.min() >= math.log(0.05) and drawn[:, :2].min() >= 0
    assert drawn[:, :2].max() <= math.pi / 2 + 1e-6


def world(count, seed):
    """Cases whose viable share follows from enhancement, protocol and luck, as :class:`Latents` on no disk."""
    rng = np.random.default_rng(seed)
    brightness, which = rng.uniform(-1, 1, count), rng.integers(0, 2, count)
    # Under one protocol what becomes of a lesion is fairly sure, under the other it is anybody's guess.
    spread = np.where(which == 1, 0.1, 0.3)
    viable = np.clip(0.8 + 0.3 * brightness * (2 * which - 1) + spread * rng.normal(size=count), 0, math.pi / 2)
    case = case_of(torch.from_numpy(brightness).float())
    volumes = np.zeros((count, 4, 2, EDGE, EDGE, EDGE), np.float32)
    volumes[:, 0] = case.pre
    masks = np.concatenate([case.lesion, case.gate], axis=1)
    outcomes = np.stack([viable, rng.uniform(0, 1, count), np.zeros(count)], axis=1).astype(np.float32)
    rows = [SimpleNamespace(protocol=(ONE, OTHER)[k], case_id=str(n)) for n, k in enumerate(which)]
    return Latents(rows, volumes, masks, np.zeros((count, NUMBERS), np.float32), outcomes), case, which


@pytest.fixture(scope="module")
def trained():
    model = make_model(width=48)
    learning, held = world(600, 1)[0], world(150, 2)[0]
    head, figures = trained_head(model, OutcomeTraining(steps=600, batch=128), learning, held, seed=1)
    model.outcome.load_state_dict(head.state_dict())
    return model, head, figures, learning, held


def test_trained_draws_know_what_can_be_known_and_are_as_unsure_as_the_world(trained):
    model, head = trained[:2]
    unseen, case, which = world(300, 3)
    actions = model.action.read([row.protocol for row in unseen.rows])
    drawn = torch.stack(
        [model.draw_outcome(case, actions, outcome_noise(range(k, k + 300))) for k in range(0, 9000, 300)]
    )
    viable = (drawn * head.outcome_spread + head.outcome_centre)[..., 0].numpy()
    truth = unseen.outcomes[:, 0]
    sure = which == 1
    assert np.corrcoef(viable.mean(axis=0)[sure], truth[sure])[0, 1] > 0.8  # luck leaves 0.87
    low, high = np.quantile(viable, [0.1, 0.9], axis=0)
    for kind in (sure, ~sure):
        covered = ((truth >= low - 1e-6) & (truth <= high + 1e-6))[kind].mean()
        assert 0.65 < covered < 0.93
    assert viable[:, ~sure].std(axis=0).mean() > 1.7 * viable[:, sure].std(axis=0).mean()


def test_a_training_repeats_itself_and_keeps_the_best(trained):
    _, head, figures, learning, held = trained
    again, same = trained_head(make_model(width=48), OutcomeTraining(steps=600, batch=128), learning, held, seed=1)
    assert same == figures and 0 < figures["step"] <= 600
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), head.state_dict().values(), strict=True))
    assert not any(p.requires_grad for p in head.parameters())
    unlearnt = trained_head(make_model(width=48), OutcomeTraining(steps=1), learning, held, seed=1)[1]
    assert figures["loss"] < 0.9 * unlearnt["loss"]


def test_a_network_without_a_head_has_none_to_train(trained):
    plain = ActionDiffusion(AGENTS, TOWER, 2, widths=(16, 24), blocks=(1, 1), token_dim=16)
    assert plain.draw_outcome(case_of(torch.zeros(1)), plain.action.read([ONE]), outcome_noise([1])) is None
    with pytest.raises(InputError, match="no outcome head"):
        trained_head(plain, OutcomeTraining(), trained[3], trained[4], seed=1)


def test_the_denoiser_does_what_the_outcome_says():
    """In a world where the first number of an outcome is the lesion's later brightness, a future shows it."""
    model = make_model(width=16)
    case = case_of(torch.zeros(8))
    actions = model.action.read([ONE] * 8)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        outcome = torch.randn(8, 3, generator=generator)
        clean = outcome[:, :1, None, None, None] * case.lesion.expand(-1, 2, -1, -1, -1)
        t, noise = torch.rand(8, generator=generator), torch.randn(clean.shape, generator=generator)
        told = outcome.masked_fill(torch.rand(8, 1, generator=generator) < 0.1, torch.nan)
        said = model(model.process.mix(clean, noise, t), t, case, model.encode_action(actions), told)
        error = (said - model.process.target(clean, noise, t)).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    told = torch.tensor([[-1.0, 0, 0], [1.0, 0, 0]] + [[torch.nan] * 3] * 6)
    with torch.no_grad():
        noise = torch.randn(1, 2, EDGE, EDGE, EDGE, generator=generator).expand(8, -1, -1, -1, -1)
        action = model.encode_action(actions)
        plain, guided = (
            sample(model, case, action, noise, SamplerSettings(steps=4, outcome_guidance=g), outcome=told)
            for g in (1.0, 2.0)
        )
    inside, further = (post[..., 2:6, 2:6, 2:6].mean(dim=(1, 2, 3, 4)) for post in (plain, guided))
    # Both see the same noise, so that only what they were told sets them apart.
    assert inside[1] - inside[0] > 1
    assert further[1] - further[0] > 1.2 * (inside[1] - inside[0])
    assert torch.allclose(inside[2:], further[2:], atol=1e-4), "who is told nothing is not guided"
    assert SamplerSettings(steps=4, outcome_guidance=2.0).calls == 8
    assert all(not p.requires_grad for p in model.outcome.parameters())
    assert isinstance(model.outcome, OutcomeHead)
