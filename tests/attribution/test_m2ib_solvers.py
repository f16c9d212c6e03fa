"""The solvers of M2IB on a tiny tower in float64: one objective, several ways down, each against a slow one."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from medaudit.attribution.adam import AdamPlan, solve_by_adam, solve_for_capacity
from medaudit.attribution.bottleneck import blocked_at_price, capacity, capacity_of_blocked, price
from medaudit.attribution.fixed_point import START, STRIDE, solve_by_fixed_point
from medaudit.attribution.m2ib import M2IBSettings, solve
from medaudit.attribution.problem import Problem, Sampler
from medaudit.metrics.agreement import rank_correlation
from medaudit.models.calibration import Statistics
from medaudit.models.hf_clip import load_weights, towers
from medaudit.models.interface import Hidden

BLOCK = 1


def stream(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator)


@pytest.fixture(scope="module")
def vision(random_clip):
    return towers(load_weights(random_clip).double())[0]


@pytest.fixture(scope="module")
def statistics(vision):
    with torch.no_grad():
        pixels = torch.randn(24, 3, 112, 112, generator=torch.Generator().manual_seed(9)).double()
        states = vision.run(vision.embed(pixels), 0, BLOCK + 1).states
    return Statistics(states.mean(0), states.std(0))


@pytest.fixture
def problem(vision, statistics):
    """One image, standardised, held against a direction of its own; ``make(samples=4, ...)``."""

    def make(samples=4, beta=0.002, items=1, common=True, other=False):
        generator = torch.Generator().manual_seed(3)
        pixels = torch.randn(items, 3, 112, 112, generator=generator).double()
        with torch.no_grad():
            hidden = vision.run(vision.embed(pixels), 0, BLOCK + 1)
            target = vision.suffix(hidden, BLOCK + 1)
        if other:
            target = torch.nn.functional.normalize(torch.randn(target.shape, generator=generator).double(), dim=-1)
        sampler = Sampler([stream(i) for i in range(items)], hidden, samples, antithetic=True, common=common)
        weight = torch.full((items,), beta, dtype=torch.float64)
        return Problem(vision, hidden, BLOCK, target, weight, sampler, statistics, nullcontext)

    return make


def unseen(problem, pairs=12):
    noise = torch.randn((1, pairs, *problem.hidden.states.shape[1:]), generator=torch.Generator().manual_seed(77))
    return torch.cat([noise, -noise], dim=1).double()


def test_the_root_is_where_the_price_is_paid():
    power = torch.tensor([0.0, 1e-6, 0.3, 1.0, 40.0, 1e4], dtype=torch.float64)[:, None]
    paid = torch.tensor([1e-6, 0.01, 0.5, 1.0, 30.0, 1e6], dtype=torch.float64)[None]
    blocked = blocked_at_price(power, paid)
    assert ((blocked > 0) & (blocked < 1)).all()
    assert torch.allclose(price(power, blocked), paid.expand_as(blocked), rtol=1e-6)
    shut = blocked_at_price(power, torch.tensor([[-3.0, 0.0]], dtype=torch.float64))
    assert torch.allclose(shut, torch.ones_like(shut), rtol=1e-9)


def test_the_price_is_the_slope_of_the_capacity():
    power, blocked = torch.rand(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    blocked.requires_grad_()
    (slope,) = torch.autograd.grad(capacity_of_blocked(power, blocked).sum(), [blocked])
    assert torch.allclose(-slope, price(power, blocked.detach()))


def test_both_ways_to_write_the_capacity_agree():
    x, alpha = torch.randn(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(capacity(x, alpha), capacity_of_blocked(x**2, 1 - alpha.sigmoid()))


@pytest.mark.parametrize("per_token", [True, False])
def test_the_fixed_point_is_a_plain_reading_of_its_derivation(problem, per_token):
    """No quadratic: the root by bisection, the whole suffix for every token; prices turn, and strides bind."""
    made = problem(samples=2)
    found = solve_by_fixed_point(made, 6, damping=0.5, per_token=per_token)

    half = stream(0)((1, *made.hidden.states.shape[1:])).double()
    noise = torch.stack([half[0], -half[0]])
    x = (made.hidden.states[0] - made.statistics.mean) / made.statistics.deviation
    shared = x.shape[1] if per_token else 1

    def pooled(values):
        return values.mean(-1, keepdim=True) if per_token else values

    def due(share):
        return pooled(1 / (1 - share) - (1 - share) + share * x**2)

    passed = torch.full_like(pooled(x), 0.8)
    owed, gains, shares = 0.002 * due(passed), [], torch.full_like(passed, 0.5)
    bound = 0
    for _ in range(6):
        given = passed.clone().requires_grad_()
        z = (given * x + (1 - given) * noise) * made.statistics.deviation + made.statistics.mean
        after = made.tower.head(made.tower.run(made.hidden.with_states(z), BLOCK + 1, made.tower.depth))
        (gain,) = torch.autograd.grad((after @ made.target[0]).mean(), [given])
        gains.append(x.numel() * gain / shared - owed)
        if len(gains) > 1:
            shares = torch.where(gains[-1] * gains[-2] < 0, 1 / (1 / shares + 1), shares)
        wanted = owed + shares * gains[-1]
        least, most = 0.002 * due(passed - 0.2), 0.002 * due((passed + 0.2).clamp(max=1 - 1e-6))
        owed = torch.minimum(torch.maximum(wanted, least), most)
        bound += int((owed != wanted).sum())
        low, high = torch.zeros_like(given), torch.full_like(given, 1 - 1e-6)
        for _ in range(60):
            middle = (low + high) / 2
            below = due(middle) < owed / 0.002
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        passed = low.detach()
    assert bound
    assert (shares < 0.5).any()
    assert (shares == 0.5).any()
    kl = -0.5 * (1 + torch.log((1 - passed) ** 2) - (passed * x) ** 2 - (1 - passed) ** 2)
    assert torch.allclose(found.nats[0].double(), kl.sum(-1), rtol=1e-4, atol=1e-4)


def test_rounds_come_as_low_as_a_converged_optimiser_in_a_sixth_of_its_passes(problem):
    beta = 0.02
    plan = AdamPlan(updates=60, learning_rate=0.3, initial_alpha=0.0, per_token=True)
    slow = solve_by_adam(problem(samples=4, beta=beta, common=False), plan)
    made = problem(samples=4, beta=beta, common=False)
    fast = solve_by_fixed_point(made, 8, per_token=True)
    noise = unseen(made)
    one, two = (made.objective(found.passed, noise).item() for found in (slow, fast))
    assert two < one + 0.01 * abs(one)
    assert rank_correlation(slow.nats[0], fast.nats[0]) > 0.8
    assert len(slow.loss[0]) > 6 * len(fast.loss[0])


def test_a_round_moves_no_lambda_further_than_its_stride(problem):
    found = [solve_by_fixed_point(problem(beta=2e-5, common=False), rounds, per_token=True) for rounds in range(1, 8)]
    passed = torch.stack([one.passed for one in found])
    moved = (passed[1:] - passed[:-1]).abs()
    assert moved.max() <= STRIDE + 1e-9
    assert moved.max() > 0.9 * STRIDE  # it binds
    assert (passed[0] - START).abs().max() <= STRIDE + 1e-9


def test_noise_alone_moves_later_rounds_less(problem):
    """Each price that turns round becomes a mean over rounds: what a round still changes shrinks, with fresh noise."""
    found = [
        solve_by_fixed_point(problem(beta=0.02, common=False), rounds, per_token=True) for rounds in (6, 7, 30, 31)
    ]
    early, late = ((found[i + 1].passed - found[i].passed).abs().mean() for i in (0, 2))
    assert late < early / 2


def test_rounds_bring_the_loss_and_the_residual_down(problem):
    found = [solve_by_fixed_point(problem(beta=0.02), rounds, per_token=True) for rounds in (2, 10)]
    assert found[0].residual[0] > found[1].residual[0]
    assert found[1].loss[0][0] > found[1].loss[0][1] > found[1].loss[0][-1]


@pytest.mark.parametrize("nats", [5.0, 60.0])
def test_a_wanted_capacity_is_reached(problem, nats):
    rounds = solve_by_fixed_point(problem(items=2), 4, per_token=True, nats=nats)
    assert rounds.nats.sum(1).tolist() == pytest.approx([nats, nats], rel=1e-3)
    plan = AdamPlan(updates=5, learning_rate=1.0, initial_alpha=0.0, per_token=True)
    steps = solve_for_capacity(problem(items=2), plan, nats)
    assert steps.nats.sum(1).tolist() == pytest.approx([nats, nats], rel=0.05)  # few steps of Adam jump with beta


def test_the_stopping_rule_stops_early_and_each_item_for_itself(problem):
    plan = AdamPlan(updates=80, learning_rate=0.5, initial_alpha=0.0, tolerance=2e-2, per_token=True)
    both = solve_by_adam(problem(items=2), plan)
    assert len(both.loss[0]) < 80
    made = problem(items=2)
    first = Hidden(made.hidden.states[:1], made.hidden.pooled[:1])
    alone = solve_by_adam(
        replace(
            made,
            hidden=first,
            target=made.target[:1],
            beta=made.beta[:1],
            sampler=Sampler([stream(0)], first, 4, antithetic=True, common=True),
        ),
        plan,
    )
    assert torch.allclose(alone.nats[0], both.nats[0], rtol=1e-6)


def test_antithetic_noise_comes_in_pairs_and_common_noise_stands_still(vision):
    hidden = Hidden(torch.zeros(2, 5, 8), None)
    fresh = Sampler([stream(1), stream(2)], hidden, 6, antithetic=True)
    first, second = fresh.next(), fresh.next()
    assert torch.equal(first[:, :3], -first[:, 3:])
    assert not torch.equal(first, second)
    still = Sampler([stream(1), stream(2)], hidden, 6, common=True)
    assert torch.equal(still.next(), still.next())
    assert not torch.equal(still.next()[0], still.next()[1])


def test_noise_of_an_item_does_not_depend_on_longer_ones_beside_it():
    mask = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    short = Sampler([stream(1)], Hidden(torch.zeros(1, 3, 8), None), 4).next()
    both = Sampler([stream(1), stream(2)], Hidden(torch.zeros(2, 5, 8), None, mask), 4).next()
    assert torch.equal(both[:1, :, :3], short)
    assert not both[0, :, 3:].any()


def test_antithetic_noise_leaves_less_to_chance(problem):
    """Over many draws the objective at half open scatters less with 4 opposed samples than with 4 of their own.

    Against another's embedding: at its own the cosine is at its top, where opposed samples say the same.
    """
    made = problem(other=True)
    passed = torch.full_like(made.hidden.states, 0.5)

    def spread(antithetic):
        draw = stream(5)
        values = [
            made.objective(passed, Sampler([draw], made.hidden, 4, antithetic=antithetic).next()).item()
            for _ in range(40)
        ]
        return torch.tensor(values).std()

    assert spread(antithetic=True) < 0.7 * spread(antithetic=False)


def test_standardising_makes_the_map_blind_to_the_scale_of_features(vision, statistics):
    """Features scaled by any number a channel, with statistics that say so, give the same nats."""
    states = statistics.standardise(
        torch.randn(1, 197, vision.embed(torch.zeros(1, 3, 112, 112).double()).states.shape[2]).double()
    )
    scale = torch.rand(states.shape[-1]).double() + 0.5
    other = Statistics(statistics.mean * scale, statistics.deviation * scale)
    assert torch.allclose(other.standardise(states * scale), statistics.standardise(states))
    assert torch.allclose(statistics.restore(statistics.standardise(states)), states)


def test_lambda_per_token_is_one_number_a_token(vision, statistics):
    with torch.no_grad():
        hidden = vision.run(vision.embed(torch.randn(1, 3, 112, 112).double()), 0, BLOCK + 1)
        target = vision.suffix(hidden, BLOCK + 1)
    for solver in ("adam", "fixed-point"):
        settings = M2IBSettings(solver=solver, lambda_per="token", steps=3, samples=2)
        found = solve(
            vision, hidden, BLOCK, target=target, draws=[stream(0)], beta=0.1, settings=settings, statistics=statistics
        )
        assert found.passed.shape == (1, hidden.states.shape[1], 1)


@pytest.mark.parametrize(
    "way",
    [
        lambda problem: solve_by_adam(problem, AdamPlan(3, 1.0, 5.0)),
        lambda problem: solve_by_fixed_point(problem, 3, per_token=True),
        lambda problem: solve_by_fixed_point(problem, 3, nats=200.0),
    ],
    ids=["Adam", "fixed point", "fixed point for a capacity"],
)
def test_no_pass_waits_for_a_value(problem, way, monkeypatch):
    """A GPU is waited for wherever a value is read; fake tensors have none, so reading one raises."""
    asked, ended = problem(items=2, common=False), []
    monkeypatch.setattr(Problem, "solution", lambda *given: ended.append(given))
    with FakeTensorMode(allow_non_fake_inputs=True):
        way(asked)
    assert len(ended) == 1
