"""KernelSHAP: Shapley values of squares of patches, or of words, by weighted least squares over coalitions.

Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017, theorem 2; coalitions are drawn
in complementary pairs (Covert and Lee, AISTATS 2021). The values add up to the similarity of the whole less that of
nothing, exactly. Where all coalitions fit into the budget they are all asked and the values are Shapley's own.
"""

from dataclasses import dataclass
from math import comb
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import Draw, MethodInfo, check_positive
from medaudit.attribution.perturb import Fill, Players, apart
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class KernelShapSettings:
    """``group`` is the side of a square in patches; ``coalitions`` how many are asked at most."""

    group: int = 2
    coalitions: int = 1024
    text_coalitions: int = 256
    fill: Fill = "mean"
    batch: int = 64

    def __post_init__(self) -> None:
        check_positive(self, "group", "coalitions", "text_coalitions", "batch")


@dataclass(frozen=True, slots=True)
class KernelShap(SidedMethod):
    """Coalitions of an image serve all its prompts."""

    settings: KernelShapSettings = KernelShapSettings()
    name: ClassVar[str] = "kernel-shap"
    info: ClassVar[MethodInfo] = MethodInfo(
        "KernelSHAP",
        "Lundberg and Lee, NeurIPS 2017, theorem 2",
        "1026 forward, shared by all prompts; at most 258 a text",
        Quantity.CHANGE,
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        players = Players.of(side, self.settings.group, self.settings.fill)
        budget = self.settings.coalitions if side.is_image else self.settings.text_coalitions
        count = len(players.members)
        keep, weights = coalitions(count, budget, side.shared)
        ends = torch.stack([torch.zeros(count, dtype=torch.bool), torch.ones(count, dtype=torch.bool)])
        scores = players.scores(torch.cat([ends, keep]).to(side.targets.device), self.settings.batch)
        values = shapley(keep.to(scores), weights.to(scores), scores[:, 2:], scores[:, 0], scores[:, 1])
        relevance = players.spread(values)
        missing = (values.sum(1) - (scores[:, 1] - scores[:, 0])).abs()
        return Found(relevance, residuals=tuple(missing.tolist()))


def coalitions(players: int, budget: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """(M, K) bool coalitions, neither empty nor whole, and their weights (M,).

    All of them with the Shapley kernel's weight where there are at most ``budget``; else drawn by that weight, in
    complementary pairs, each of weight 1.
    """
    if players == 1:
        return torch.zeros(0, 1, dtype=torch.bool), torch.zeros(0)
    if 2**players - 2 <= budget:
        number = torch.arange(1, 2**players - 1)
        every = (number[:, None] >> torch.arange(players)) & 1
        size = every.sum(1)
        weights = [(players - 1) / (comb(players, k) * k * (players - k)) for k in size.tolist()]
        return every.bool(), torch.tensor(weights)
    size = torch.arange(1, players)
    odds = (1 / (size * (players - size))).cumsum(0)
    pairs = max(budget // 2, 1)
    uniform = torch.special.ndtr(draw((pairs,))) * odds[-1]
    chosen = size[torch.searchsorted(odds, uniform).clamp(max=players - 2)]
    rank = draw((pairs, players)).argsort(1).argsort(1)
    half = rank < chosen[:, None]
    return torch.stack([half, ~half], 1).flatten(0, 1), torch.ones(2 * pairs)


def shapley(keep: Tensor, weights: Tensor, scores: Tensor, nothing: Tensor, whole: Tensor) -> Tensor:
    """(P, K) values that minimise the weighted squared error and add up to ``whole - nothing`` (P,).

    ``keep`` is (M, K) in 0 and 1, ``scores`` (P, M). The last value is eliminated by the sum; a coalition system that
    does not settle all values (too few coalitions) gets its smallest solution.
    """
    total = (whole - nothing)[:, None]
    if keep.shape[1] == 1:
        return total
    design = (keep[:, :-1] - keep[:, -1:]) * weights.sqrt()[:, None]
    wanted = (scores - nothing[:, None] - keep[:, -1] * total) * weights.sqrt()
    first = apart(wanted.double(), torch.linalg.pinv(design.double()).T).to(scores)
    return torch.cat([first, total - first.sum(1, keepdim=True)], 1)
