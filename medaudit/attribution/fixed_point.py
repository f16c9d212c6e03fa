r"""The bottleneck by a fixed point: the same objective, without an optimiser.

Derivation. The objective of an item is ``L(lambda) = beta / N sum KL - E <embedding of Z, target>``, N tokens
times channels, ``Z = lambda x + (1 - lambda) eps``. KL depends on its own lambda alone, and

    dKL / dlambda = h(lambda) = 1 / (1 - lambda) - (1 - lambda) + lambda x^2,

which is 0 at lambda = 0, rises strictly and goes to infinity at lambda = 1. Write ``s = d E<...> / d lambda``:
what an element gains the similarity by letting more through (``E[g (x - eps)]`` with g the gradient at Z; the
term in eps is the curvature). Where L is stationary, every element has

    h(lambda) = N s / beta   where s > 0,      lambda = 0   where s <= 0.

Given s this is solved exactly: with u = 1 - lambda it is a quadratic in u with one positive root
(:func:`medaudit.attribution.bottleneck.blocked_at_price`). Where channels share a token's lambda, the same
holds of the means of h, x^2 and s over the channels.

But s changes with lambda. So a round makes one pass for s at the present lambda and moves the price that each lambda
pays, G, towards N s; lambda is then the root at G / beta. Because h is the slope of KL, that is a step of mirror
descent with KL itself as the distance. There is no learning rate: a fixed point of the rounds is a stationary point
of L. Three things make the rounds settle (how far they then come: docs/m2ib.md):

- The share of the way that a price goes starts at 1 - ``damping`` and falls each time that it has to turn round, to
  1 / (1 / (1 - damping) + turns), element by element: Kesten's rule ("Accelerated Stochastic Approximation", Annals of
  Mathematical Statistics 1958). A price that still travels keeps its pace; one that swings, or that noise alone moves,
  becomes the mean over rounds, each of which draws new antithetic pairs.
- No lambda moves by more than ``STRIDE`` in a round: its price is held between h(lambda - STRIDE) and
  h(lambda + STRIDE), with h carried on below 0. Slopes far from here say nothing; and an element that one wild slope
  shuts owes little and comes back.
- The start lets most through. L has several minima. From noise, where nothing is seen, some lead nowhere.

A wanted capacity costs nothing more: given G, the sum of KL falls strictly as beta rises, so each round finds its
beta by bisection on the root alone.
"""

import torch
from torch import Tensor

from medaudit.attribution.bottleneck import LEAST_BLOCKED, blocked_at_price, capacity_of_blocked, price
from medaudit.attribution.problem import Problem, Solution

START = 0.8
"""Share that every element lets through in the first round. From half, some images end where nothing is seen."""
STRIDE = 0.2
"""The most that a round moves a lambda by, at the beta of the round before."""
BISECTIONS = 40
LOG_BETA = 14.0
"""Beta for a capacity is sought between e^-14 and e^14 of the one given."""


def solve_by_fixed_point(
    problem: Problem, rounds: int, *, damping: float = 0.5, per_token: bool = False, nats: float = 0.0
) -> Solution:
    """Solve the stationarity condition by rounds of damped prices.

    Parameters
    ----------
    problem
        What to minimise.
    rounds
        Passes.
    damping
        Share of the old price that a round keeps, until the price first turns round.
    per_token
        Lambda is shared over a token's channels.
    nats
        Capacity that each item's tokens shall carry in sum; 0 takes the problem's beta.

    Raises
    ------
    AttributionError
        The result is not finite.

    """
    states = problem.states
    squares = states**2
    power = squares.mean(-1, keepdim=True) if per_token else squares
    channels = states.shape[2] if per_token else 1
    elements, beta = problem.elements[:, None, None], problem.beta[:, None, None]
    blocked = torch.full_like(power, 1 - START)
    owed = beta * price(power, blocked)
    turns, missed = torch.zeros_like(owed), torch.zeros_like(owed)
    losses: list[Tensor] = []
    residual = torch.zeros_like(problem.beta)
    for _ in range(rounds):
        passed = (1 - blocked).requires_grad_()
        fit = problem.fit(states, passed, problem.sampler.next())
        (slope,) = torch.autograd.grad(fit.sum(), [passed])
        with torch.no_grad():
            gain = elements * slope / channels
            losses.append(beta.flatten() * _total(problem, power, blocked, channels) / problem.elements - fit.detach())
            residual = _residual(power, blocked, gain, beta, channels / elements)
            turns, missed = turns + ((gain - owed) * missed < 0), gain - owed
            owed = owed + missed / (1 / (1 - damping) + turns)
            owed = owed.clamp(beta * price(power, blocked + STRIDE), beta * price(power, _least(blocked - STRIDE)))
            if nats:
                beta = _beta_for(problem, power, owed, channels, nats)
            blocked = _blocked(power, owed / beta)
    found = capacity_of_blocked(squares, blocked.expand_as(squares))
    return problem.solution(found, 1 - blocked, losses, residual)


def _least(blocked: Tensor) -> Tensor:
    return blocked.clamp(min=LEAST_BLOCKED)


def _blocked(power: Tensor, paid: Tensor) -> Tensor:
    return _least(blocked_at_price(power, paid))


def _beta_for(problem: Problem, power: Tensor, owed: Tensor, channels: int, nats: float) -> Tensor:
    """(I, 1, 1) beta at which an item carries ``nats``; the end of the range where none does."""
    given = problem.beta[:, None, None]
    low, high = given.log() - LOG_BETA, given.log() + LOG_BETA
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        total = _total(problem, power, _blocked(power, owed / middle.exp()), channels)
        above = (total > nats)[:, None, None]
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return ((low + high) / 2).exp()


def _total(problem: Problem, power: Tensor, blocked: Tensor, channels: int) -> Tensor:
    """(I,) nats of an item."""
    nats = capacity_of_blocked(power, blocked)
    return (nats if problem.weights is None else nats * problem.weights).sum((1, 2)) * channels


def _residual(power: Tensor, blocked: Tensor, gain: Tensor, beta: Tensor, scale: Tensor) -> Tensor:
    """(I,) sum of |dL/dalpha| = lambda (1 - lambda) |beta h - N s| / N, as the optimiser reports it."""
    slope = (beta * price(power, blocked) - gain) * scale
    return ((1 - blocked) * blocked * slope.abs()).sum((1, 2))
