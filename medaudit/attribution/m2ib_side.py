"""One side of M2IB: its bottlenecks solved, many prompts in a pass."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from medaudit.attribution.adam import AdamPlan, solve_by_adam, solve_for_capacity
from medaudit.attribution.batches import automatic_batch, in_batches
from medaudit.attribution.fixed_point import solve_by_fixed_point
from medaudit.attribution.m2ib_settings import FIXED_POINT, TOKEN, M2IBSettings
from medaudit.attribution.method import Draw, Noise
from medaudit.attribution.precision import Precision
from medaudit.attribution.prefixes import can_join, joined
from medaudit.attribution.problem import Problem, Sampler, Solution
from medaudit.models.calibration import Statistics
from medaudit.models.interface import Hidden, Tower
from medaudit.records import SolverTrace


def solve(
    tower: Tower,
    hidden: Hidden,
    block: int,
    *,
    target: Tensor,
    draws: Sequence[Draw],
    beta: float,
    settings: M2IBSettings,
    nats: float = 0.0,
    statistics: Statistics | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Solution:
    """Minimise the M2IB objective for I items at once; items do not influence each other.

    Parameters
    ----------
    tower
        The side that holds the bottleneck.
    hidden
        States (I, T, C) at the output of ``block``, without gradients.
    block
        0-based; the blocks after it are repeated.
    target
        (I, E) normalised embeddings of the other side, or differences of such.
    draws
        One noise stream an item; each pass draws (samples, T, C) from it (half as many where antithetic).
    beta
        Weight of the mean KL against the similarity.
    settings
        Solver, steps, samples and the solver's numbers.
    nats
        Capacity that an item's tokens shall carry in sum, for which beta is then chosen; 0 keeps ``beta``.
    statistics
        Of the features at ``block``, to standardise them by.
    autocast
        Called for the context of every pass through the tower.

    Raises
    ------
    AttributionError
        The result is not finite.

    """
    sampler = Sampler(draws, hidden, settings.samples, antithetic=settings.is_antithetic, common=settings.common_noise)
    weight = hidden.states.new_full((len(hidden.states),), beta)
    problem = Problem(tower, hidden, block, target, weight, sampler, statistics, autocast)
    per_token = settings.lambda_per == TOKEN
    if settings.solver == FIXED_POINT:
        return solve_by_fixed_point(problem, settings.steps, damping=settings.damping, per_token=per_token, nats=nats)
    plan = AdamPlan(
        updates=settings.steps if settings.use_last_step or settings.tolerance else settings.steps - 1,
        learning_rate=settings.learning_rate,
        initial_alpha=settings.initial_alpha,
        tolerance=settings.tolerance,
        per_token=per_token,
    )
    return solve_for_capacity(problem, plan, nats) if nats else solve_by_adam(problem, plan)


@dataclass(frozen=True, slots=True, eq=False)
class M2IBSide:
    """One tower with all that is settled for it before any image."""

    name: Literal["image", "text"]
    tower: Tower
    block: int
    beta: float
    nats: float
    statistics: Statistics | None
    settings: M2IBSettings
    precision: Precision

    def solve(self, items: Sequence[tuple[Hidden, Tensor, str]], noise: Noise) -> list[tuple[Tensor, SolverTrace]]:
        """Solve items of (state, target, prompt): (T,) nats each, of its own length, and the trace."""
        state = items[0][0].states
        rows, blocks = state.shape[1] * self.settings.samples, self.tower.depth - self.block - 1
        size = self.settings.batch or automatic_batch(rows, state.shape[2], blocks, state.device)
        if not all(can_join(hidden) for hidden, _, _ in items):
            size = 1
        return list(in_batches(items, size, lambda chunk: self._together(chunk, noise)))

    def _together(self, items: Sequence[tuple[Hidden, Tensor, str]], noise: Noise) -> list[tuple[Tensor, SolverTrace]]:
        if self.settings.common_noise:
            draws = [noise.draw("", self.name)] * len(items)
            if len({hidden.states.shape[1] for hidden, _, _ in items}) > 1:
                draws = [noise.draw("", self.name) for _ in items]
        else:
            draws = [noise.draw(prompt, self.name) for _, _, prompt in items]
        solved = solve(
            self.tower,
            joined([hidden for hidden, _, _ in items]),
            self.block,
            target=torch.cat([target for _, target, _ in items]),
            draws=draws,
            beta=self.beta,
            settings=self.settings,
            nats=self.nats,
            statistics=self.statistics,
            autocast=self.precision.autocast,
        )
        results = []
        for (hidden, _, _), nats, loss, residual in zip(items, solved.nats, solved.loss, solved.residual, strict=True):
            own = nats[: hidden.states.shape[1]]
            results.append((own, SolverTrace(loss, float(own.sum()), noise.seed, residual)))
        return results
