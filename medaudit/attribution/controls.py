"""Maps that know nothing of the model: what a method must beat before it may claim anything."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from medaudit.attribution.method import NO_SETTINGS, MethodInfo, Needs, NoSettings, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class RandomMap(SidedMethod):
    """Independent uniform values: another map for every image, prompt and side."""

    settings: NoSettings = NO_SETTINGS
    name: ClassVar[str] = "random"
    info: ClassVar[MethodInfo] = MethodInfo("Control: random", "none", "none", Quantity.SCORE, noise=True)

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        tokens = len(side.content)
        values = torch.stack([torch.special.ndtr(draw((tokens,))) for draw in side.draws])
        return Found(values.to(side.start.states))


@dataclass(frozen=True, slots=True)
class ConstantMap(SidedMethod):
    """One everywhere."""

    settings: NoSettings = NO_SETTINGS
    name: ClassVar[str] = "constant"
    info: ClassVar[MethodInfo] = MethodInfo("Control: constant", "none", "none", Quantity.SCORE)

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        return Found(side.start.states.new_ones(len(side.targets), len(side.content)))


@dataclass(frozen=True, slots=True)
class CentreSettings:
    """``spread`` is the standard deviation, as a share of each side of the picture."""

    spread: float = 0.25

    def __post_init__(self) -> None:
        check_positive(self, "spread")


@dataclass(frozen=True, slots=True)
class CentreGaussian(SidedMethod):
    """A bell over the middle of the model's input: where photographers and radiographers put things."""

    settings: CentreSettings = CentreSettings()
    name: ClassVar[str] = "centre"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Control: centre Gaussian", "none", "none", Quantity.SCORE, sides=("image",)
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        grid = side.model.grid
        bells = []
        for length in (grid.rows, grid.columns):
            offset = (torch.arange(length) + 0.5) / length - 0.5
            bells.append((-(offset**2) / (2 * self.settings.spread**2)).exp())
        values = (bells[0][:, None] * bells[1][None]).flatten()
        return _same(side, pad(values, (grid.prefix, 0)))


@dataclass(frozen=True, slots=True)
class EdgeDetector(SidedMethod):
    """Sobel's gradient magnitude of the picture: the image itself may look like an explanation (Adebayo 2018)."""

    settings: NoSettings = NO_SETTINGS
    name: ClassVar[str] = "edges"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Control: edge detector",
        "Adebayo et al., NeurIPS 2018, section 5.1",
        "none",
        Quantity.SCORE,
        sides=("image",),
        needs=Needs.TOWER,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.of_input(side)
        grey = space.point.mean(1, keepdim=True)
        across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]).to(grey)
        kernels = torch.stack([across, across.T])[:, None]
        edges = conv2d(pad(grey, (1, 1, 1, 1), mode="replicate"), kernels).norm(dim=1, keepdim=True)
        return _same(side, space.sums(edges)[0])


def _same(side: Side, values: Tensor) -> Found:
    return Found(values.to(side.start.states).repeat(len(side.targets), 1))
