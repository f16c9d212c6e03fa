"""The bottleneck by Adam: the paper's protocol, and the same run to convergence or to a capacity.

Kingma, Ba, "Adam", ICLR 2015. Every item has its own alpha, so the sum of the objectives gives each item the
gradient that it would have alone.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medaudit.attribution.bottleneck import capacity
from medaudit.attribution.method import check_positive
from medaudit.attribution.problem import Problem, Solution

CHECK_EVERY = 10
"""Passes between two looks at the losses: a look waits for the device."""
BISECTIONS = 24
"""Solutions that a wanted capacity may take. Beta is then known to a factor of 1e-6 of its range."""
BETA_RANGE = (1e-4, 1e4)
"""Factors of the given beta between which the one for a capacity is sought."""
CAPACITY_TOLERANCE = 0.01
"""Share of the wanted capacity that may be missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamProtocol:
    """The paper's protocol, as settings of the methods that follow it: the last step is not run, see `m2ib.py`.

    ``beta`` is the price of information; ``initial_alpha`` decides how much passes at first.
    """

    beta: float = 0.1
    steps: int = 10
    samples: int = 10
    learning_rate: float = 1.0
    initial_alpha: float = 5.0

    def __post_init__(self) -> None:
        check_positive(self, "beta", "steps", "samples", "learning_rate")

    @property
    def plan(self) -> "AdamPlan":
        """How Adam runs."""
        return AdamPlan(self.steps - 1, self.learning_rate, self.initial_alpha)


@dataclass(frozen=True, slots=True)
class AdamPlan:
    """How Adam runs.

    ``updates`` is how often alpha is moved, at most. ``tolerance`` > 0 stops an item where the best loss of the
    last ten passes betters the best before by less than this share of it. ``per_token`` shares lambda over a
    token's channels.
    """

    updates: int
    learning_rate: float
    initial_alpha: float
    tolerance: float = 0.0
    per_token: bool = False


def solve_by_adam(problem: Problem, plan: AdamPlan) -> Solution:
    """Minimise by Adam, for the beta that the problem gives.

    Raises
    ------
    AttributionError
        The result is not finite.

    """
    states = problem.states
    start = states[..., :1] if plan.per_token else states
    alpha = torch.full_like(start, plan.initial_alpha, requires_grad=True)
    optimiser = torch.optim.Adam([alpha], lr=plan.learning_rate)
    losses: list[Tensor] = []
    gradient = torch.zeros_like(alpha)
    rule = _StoppingRule(plan.tolerance)
    for _ in range(plan.updates):
        fit = problem.fit(states, alpha.sigmoid(), problem.sampler.next())
        loss = problem.beta * problem.mean(capacity(states, alpha)) - fit
        optimiser.zero_grad(set_to_none=True)
        (gradient,) = torch.autograd.grad(loss.sum(), [alpha])
        alpha.grad = gradient
        optimiser.step()
        losses.append(loss.detach())
        if rule.all_done(losses, alpha):
            break
    with torch.no_grad():
        final = rule.final(alpha)
        nats = capacity(states, final)
    return problem.solution(nats, final.sigmoid(), losses, gradient.abs().sum((1, 2)))


def solve_for_capacity(problem: Problem, plan: AdamPlan, nats: float) -> Solution:
    """Minimise for the beta, found by bisection an item, at which its tokens carry ``nats`` in sum.

    The more information costs, the less there is: capacity falls as beta rises. Every bisection is a whole
    run of Adam, which a few steps and fresh noise make jump with beta: the capacity that was reached is in the
    trace, within 1 % where it could be. :mod:`medaudit.attribution.fixed_point` gets the same for nothing.
    """
    low, high = ((problem.beta * factor).log() for factor in BETA_RANGE)
    solution = None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        solution = solve_by_adam(replace(problem, beta=middle.exp()), plan)
        found = solution.nats.sum(1).to(middle.device, middle.dtype)
        if bool(((found - nats).abs() <= CAPACITY_TOLERANCE * nats).all()):
            break
        low, high = torch.where(found > nats, middle, low), torch.where(found > nats, high, middle)
    if solution is None:
        msg = "solve_for_capacity: expected at least one bisection"
        raise ValueError(msg)
    return solution


class _StoppingRule:
    """Stops each item for itself: what an item ends with does not depend on its batch."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._kept: Tensor | None = None
        self._done: Tensor | None = None

    def all_done(self, losses: list[Tensor], alpha: Tensor) -> bool:
        """Note the items that have converged; whether all have."""
        if not self._tolerance or len(losses) % CHECK_EVERY or len(losses) < 2 * CHECK_EVERY:
            return False
        before = torch.stack(losses[:-CHECK_EVERY]).amin(0)
        latest = torch.stack(losses[-CHECK_EVERY:]).amin(0)
        still = before - latest < self._tolerance * before.abs()
        now = alpha.detach()
        if self._done is None or self._kept is None:
            self._done, self._kept = still, now.clone()
        else:
            self._kept = torch.where(self._done[:, None, None], self._kept, now)
            self._done = self._done | still
        return bool(self._done.all())

    def final(self, alpha: Tensor) -> Tensor:
        """Each item's alpha when it converged, or its last."""
        now = alpha.detach()
        if self._done is None or self._kept is None:
            return now
        return torch.where(self._done[:, None, None], self._kept, now)
