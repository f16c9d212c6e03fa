"""Saliency and SmoothGrad: the size of the similarity's gradient, at the input and averaged over noisy copies of it.

Saliency: Simonyan, Vedaldi, Zisserman, 2014, equation 3 and section 3.1. SmoothGrad: Smilkov et al., 2017, section 2:
the mean gradient over inputs with Gaussian noise, whose size is then taken. On the text side the input is the
embedded words.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from medaudit.attribution.method import NO_SETTINGS, MethodInfo, NoSettings, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class Saliency(SidedMethod):
    """One forward pass for all prompts of an image, one backward pass a prompt."""

    settings: NoSettings = NO_SETTINGS
    name: ClassVar[str] = "saliency"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Saliency (gradient)",
        "Simonyan et al., ICLR workshop 2014, equation 3, section 3.1",
        "1 forward, 1 backward",
        Quantity.GRADIENT,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.of_input(side)
        return Found(space.magnitudes(space.gradients(space.point)[:, 0]))


@dataclass(frozen=True, slots=True)
class SmoothGradSettings:
    """``spread`` is the noise's standard deviation as a share of the input's range; ``samples`` how many copies."""

    samples: int = 25
    spread: float = 0.15
    batch: int = 8

    def __post_init__(self) -> None:
        check_positive(self, "samples", "spread", "batch")


@dataclass(frozen=True, slots=True)
class SmoothGrad(SidedMethod):
    """The noisy copies of an image serve all its prompts."""

    settings: SmoothGradSettings = SmoothGradSettings()
    name: ClassVar[str] = "smoothgrad"
    info: ClassVar[MethodInfo] = MethodInfo(
        "SmoothGrad",
        "Smilkov et al., ICML workshop 2017, section 2",
        "25 forward, 25 backward",
        Quantity.GRADIENT,
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space, settings = Space.of_input(side), self.settings
        sigma = settings.spread * (space.point.max() - space.point.min())
        total = torch.zeros(len(side.targets), *space.point.shape[1:]).to(space.point)
        for start in range(0, settings.samples, settings.batch):
            count = min(settings.batch, settings.samples - start)
            noise = side.shared((count, *space.point.shape[1:])).to(space.point)
            total += space.gradients(space.point + sigma * noise).sum(1)
        return Found(space.magnitudes(total / settings.samples))
