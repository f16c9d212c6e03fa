"""MFABA: the way down from the input, step by step against the sign of the gradient, and what each step costs.

Zhu et al., "MFABA: A More Faithful and Accelerated Boundary-Based Attribution Method for Deep Neural Networks",
AAAI 2024, equations 7-10 (first order):

    x <- x - step * sign(dc/dx),      A = sum over steps of -(change of x) * dc/dx.

There is no baseline: the way leaves the image instead of coming to it. The sum is the fall of the similarity along the
way to first order; what it misses is reported.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from medaudit.attribution.method import MethodInfo, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class MfabaSettings:
    """``step`` is the length of a step in every coordinate, as a share of the input's range."""

    steps: int = 10
    step: float = 0.001

    def __post_init__(self) -> None:
        check_positive(self, "steps", "step")


@dataclass(frozen=True, slots=True)
class Mfaba(SidedMethod):
    """Every prompt goes its own way; words move, begin and end tokens stay."""

    settings: MfabaSettings = MfabaSettings()
    name: ClassVar[str] = "mfaba"
    info: ClassVar[MethodInfo] = MethodInfo(
        "MFABA (boundary-based)",
        "Zhu et al., AAAI 2024, equations 7-10",
        "10 forward, 10 backward",
        Quantity.CHANGE,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.of_input(side)
        length = self.settings.step * (space.point.max() - space.point.min())
        moves = space.point != space.baseline()
        found, missing = [], []
        for target in side.targets:
            point, total = space.point, torch.zeros_like(space.point)
            for _ in range(self.settings.steps):
                point = point.detach().requires_grad_()
                (slope,) = torch.autograd.grad((space.embed(point) @ target).sum(), point)
                change = -length * slope.sign() * moves
                total -= change * slope
                point = point.detach() + change
            found.append(space.sums(total)[0])
            with torch.no_grad():
                ends = space.embed(torch.cat([space.point, point])) @ target
            missing.append(float((found[-1].sum() - (ends[0] - ends[1])).abs()))
        return Found(torch.stack(found), residuals=tuple(missing))
