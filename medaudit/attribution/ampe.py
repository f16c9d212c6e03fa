"""AMPE (AttEXplore): a way down from the input, along gradients averaged over copies with other frequencies.

Zhu et al., "AttEXplore: Attribution for Explanation with model parameters eXploration", ICLR 2024, whose public code
names it AMPE. The copies stand for other models' parameters: each has noise added and every coefficient of its cosine
transform scaled by chance (Long et al., "Frequency Domain Model Augmentation for Adversarial Attack", ECCV 2022):

    x_n = IDCT(DCT(x + spread * xi_n) * M_n),   xi_n ~ N(0, 1),   M_n ~ U(1 - spectrum, 1 + spectrum),
    g = mean over n of dc/dx at x_n,
    x <- x - (budget / steps) * sign(g),        A = sum over steps of -(change of x) * g.

Followed as the authors' code does it (the gradient is taken at the copy, not through its making), with the cosine in
the place of the cross-entropy. Left out are three habits of the attack that this code wraps around it: randomly resized
copies, a blurred gradient, and momentum with gradients of unit size, after which the numbers are no part of anything.
So the map is, to first order and for the copies, the fall of the similarity; what it misses of the image's own fall is
reported. With one copy, no noise and an untouched spectrum it would be :mod:`.mfaba`. Pixels are not clipped.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import Draw, MethodInfo, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class AmpeSettings:
    """``budget`` is the length of the way in every coordinate, ``spread`` the noise: shares of the input's range.

    ``copies`` is how many a step averages over, ``spectrum`` by how much their coefficients are scaled at most.
    """

    steps: int = 10
    budget: float = 16 / 255
    copies: int = 20
    spread: float = 16 / 255
    spectrum: float = 0.5
    batch: int = 10

    def __post_init__(self) -> None:
        check_positive(self, "steps", "budget", "copies", "spread", "spectrum", "batch")


@dataclass(frozen=True, slots=True)
class Ampe(SidedMethod):
    """Every prompt goes its own way, with noise of its own. The image alone: words have no frequencies."""

    settings: AmpeSettings = AmpeSettings()
    name: ClassVar[str] = "ampe"
    info: ClassVar[MethodInfo] = MethodInfo(
        "AMPE (AttEXplore)",
        "Zhu et al., ICLR 2024, after the authors' code",
        "200 forward, 200 backward",
        Quantity.CHANGE,
        sides=("image",),
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.of_input(side)
        walked = [self._walk(space, target, draw) for target, draw in zip(side.targets, side.draws, strict=True)]
        return Found(torch.stack([found for found, _ in walked]), residuals=tuple(missing for _, missing in walked))

    def _walk(self, space: Space, target: Tensor, draw: Draw) -> tuple[Tensor, float]:
        """Return relevance (N,) for one prompt's ``target`` (E,), and what its sum misses."""
        reach = space.point.max() - space.point.min()
        length = self.settings.budget * reach / self.settings.steps
        point, total = space.point, torch.zeros_like(space.point)
        for _ in range(self.settings.steps):
            slope = self._slope(space, point, target, draw, reach)
            change = -length * slope.sign()
            total -= change * slope
            point = point + change
        found = space.sums(total)[0]
        with torch.no_grad():
            ends = space.embed(torch.cat([space.point, point])) @ target
        return found, float((found.sum() - (ends[0] - ends[1])).abs())

    def _slope(self, space: Space, point: Tensor, target: Tensor, draw: Draw, reach: Tensor) -> Tensor:
        """(1, 3, H, W) mean gradient of the similarity over copies of ``point``."""
        settings = self.settings
        noise, chance = draw((2, settings.copies, *point.shape[1:])).to(point)
        scales = 1 + settings.spectrum * (2 * torch.special.ndtr(chance) - 1)
        copies = rescaled(point + settings.spread * reach * noise, scales)
        total = torch.zeros_like(point)
        for chunk in torch.split(copies, settings.batch):
            some = chunk.detach().requires_grad_()
            (slope,) = torch.autograd.grad((space.embed(some) @ target).sum(), some)
            total += slope.sum(0, keepdim=True)
        return total / settings.copies


def rescaled(planes: Tensor, scales: Tensor) -> Tensor:
    """Planes (..., H, W) with each coefficient of their two-dimensional cosine transform times ``scales``."""
    down, across = _cosines(planes.shape[-2]).to(planes), _cosines(planes.shape[-1]).to(planes)
    return down.T @ ((down @ planes @ across.T) * scales) @ across


def _cosines(size: int) -> Tensor:
    """(size, size) float64: the orthonormal cosine transform (DCT-II), one frequency a row; its inverse is ``.T``."""
    places = torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi / size * torch.outer(places, places + 0.5)) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows
