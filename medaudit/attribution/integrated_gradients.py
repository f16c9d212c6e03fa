"""Integrated gradients, and NIB, which is the same integral taken inside the model.

Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1:

    IG_i = (x_i - x'_i) * integral over a in 0 .. 1 of d cos(x' + a (x - x')) / d x_i

complete: the sum over all i is cos(x) - cos(x'). The integral is a sum over the midpoints of equal steps, whose error
falls with their number squared; what is missing from completeness is reported with every map.

Zhu et al., "Narrowing Information Bottleneck Theory for Multimodal Image-Text Representations Interpretability",
ICLR 2025: with their limits taken it is this integral for the states entering a block (the tenth of twelve), from
zero, class, begin and end tokens included, by right Riemann sums of 10 steps. The public code takes a text's
similarity with the mean of a whole batch of images; here it is taken with the image that is asked about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import MethodInfo, Needs, check_positive
from medaudit.attribution.perturb import Fill, blurred
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class IGSettings:
    """``baseline`` is what the path of an image starts from; a text's starts from end tokens."""

    steps: int = 32
    baseline: Fill = "mean"
    batch: int = 8

    def __post_init__(self) -> None:
        check_positive(self, "steps", "batch")


@dataclass(frozen=True, slots=True)
class IntegratedGradients(SidedMethod):
    """Forward passes serve all prompts of an image."""

    settings: IGSettings = IGSettings()
    name: ClassVar[str] = "integrated-gradients"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Integrated gradients",
        "Sundararajan et al., ICML 2017, equation 1",
        "32 forward, 32 backward",
        Quantity.CHANGE,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.of_input(side)
        blur = side.pixels is not None and self.settings.baseline == "blur"
        baseline = blurred(space.point) if blur else space.baseline()
        steps = self.settings.steps
        return integrate(space, baseline, [(i + 0.5) / steps for i in range(steps)], self.settings.batch)


@dataclass(frozen=True, slots=True)
class NIBSettings:
    """``image_block`` and ``text_block``: the states entering this block; 0-based, negative from the end."""

    image_block: int = -3
    text_block: int = -3
    steps: int = 10
    batch: int = 16

    def __post_init__(self) -> None:
        check_positive(self, "steps", "batch")


@dataclass(frozen=True, slots=True)
class NIB(SidedMethod):
    """Forward passes through the last blocks alone; they serve all prompts of an image."""

    settings: NIBSettings = NIBSettings()
    name: ClassVar[str] = "nib"
    info: ClassVar[MethodInfo] = MethodInfo(
        "NIB (narrowing information bottleneck)",
        "Zhu et al., ICLR 2025, closed form",
        "10 forward, 10 backward through the last 3 blocks",
        Quantity.CHANGE,
        needs=Needs.BLOCKS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.before(side, side.block(self.settings))
        steps = self.settings.steps
        places = [i / steps for i in range(1, steps + 1)]
        return integrate(space, torch.zeros_like(space.point), places, self.settings.batch)


def integrate(space: Space, baseline: Tensor, places: Sequence[float], batch: int) -> Found:
    """Sum (point - baseline) * gradient over the n ``places`` in 0 .. 1 on the straight way, each of weight 1 / n."""
    way = space.point - baseline
    total = torch.zeros(len(space.side.targets), *way.shape[1:]).to(way)
    for chunk in torch.split(way.new_tensor(places), batch):
        points = baseline + chunk.view(-1, *(1,) * (way.ndim - 1)) * way
        total += space.gradients(points).sum(1)
    relevance = space.sums(total * way / len(places))
    ends = space.similarity(torch.cat([baseline, space.point]))
    missing = (relevance.sum(1) - (ends[:, 1] - ends[:, 0])).abs()
    return Found(relevance, residuals=tuple(missing.tolist()))
