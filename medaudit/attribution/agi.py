"""AGI: from the image towards what other prompts say, and what each step costs the prompt that is asked.

Pan, Li, Zhu, "Explaining Deep Neural Network Models with Adversarial Gradient Integration", IJCAI 2021. A classifier's
image is moved, by the sign of the gradient, towards each of some false classes; the true class's gradient is
integrated along each of these ways, and the ways are added up. There is no baseline.

A pair of image and prompt has no classes. Other prompts stand for them, the negatives n, each in a softmax against the
asked prompt t alone. With one rival the false class's gradient has the sign of that of the difference of cosines,
whatever the scale of the softmax, so

    x <- x + step * sign(d (c_n - c_t) / dx),      A_n = sum over steps of -(change of x) * d c_t / dx,

and the map is the mean of A_n over the negatives: to first order the fall of the asked similarity, averaged over the
ways; what it misses is reported. Ours: the cosine in the place of the class's softmax output, the mean in the place of
the sum, and a fixed number of steps. Theirs stops where the false class wins; of two cosines the other may be the
greater from the start, and then there would be no way to walk. We could read the authors' code and summaries of the
paper, not its equations. That code takes every step from the image again, so it never goes further than one; here the
way is walked. Pixels are not clipped, as in :mod:`.mfaba`.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.m2ib_settings import sentences
from medaudit.attribution.method import MethodInfo, check_positive
from medaudit.attribution.prefixes import text_prefix
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.errors import AttributionError
from medaudit.records import Quantity

SAME = 1e-4
"""Distance of embeddings below which a negative is the prompt itself, computed another way: no rival."""


@dataclass(frozen=True, slots=True)
class AgiSettings:
    """``negatives`` are the sentences to move towards, ``|`` between them; ``step`` a share of the input's range."""

    negatives: str = "no abnormality|a blank image|a photograph"
    steps: int = 20
    step: float = 0.0025

    def __post_init__(self) -> None:
        check_positive(self, "steps", "step")
        if not sentences(self.negatives):
            msg = f"AgiSettings.negatives: expected at least one sentence; got {self.negatives!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Agi(SidedMethod):
    """The ways towards all negatives are walked together, every prompt's by itself; without noise.

    The image alone: the rivals of an image, on the text side, would be other images.
    """

    settings: AgiSettings = AgiSettings()
    name: ClassVar[str] = "agi"
    info: ClassVar[MethodInfo] = MethodInfo(
        "AGI (adversarial gradient integration)",
        "Pan et al., IJCAI 2021; prompts for classes",
        "20 forward, 40 backward a negative (3)",
        Quantity.CHANGE,
        sides=("image",),
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space, model = Space.of_input(side), side.model
        named = sentences(self.settings.negatives)
        rivals = torch.cat([text_prefix(model, text, model.text.depth - 1).embedding for text in named])
        walked = [self._walk(space, target, _others(rivals, target)) for target in side.targets]
        return Found(torch.stack([found for found, _ in walked]), residuals=tuple(missing for _, missing in walked))

    def _walk(self, space: Space, target: Tensor, rivals: Tensor) -> tuple[Tensor, float]:
        """Return relevance (N,) for one prompt's ``target`` (E,), ``rivals`` (K, E), and what its sum misses."""
        length = self.settings.step * (space.point.max() - space.point.min())
        points = space.point.repeat(len(rivals), *(1,) * (space.point.ndim - 1))
        total = torch.zeros_like(points)
        for _ in range(self.settings.steps):
            points = points.detach().requires_grad_()
            embedded = space.embed(points)
            (slope,) = torch.autograd.grad((embedded @ target).sum(), points, retain_graph=True)
            (pull,) = torch.autograd.grad((embedded * (rivals - target)).sum(), points)
            change = length * pull.sign()
            total -= change * slope
            points = points.detach() + change
        found = space.sums(total).mean(0)
        with torch.no_grad():
            fall = (space.embed(space.point) @ target - space.embed(points) @ target).mean()
        return found, float((found.sum() - fall).abs())


def _others(rivals: Tensor, target: Tensor) -> Tensor:
    """Rivals (K, E) but the prompt itself."""
    others = rivals[(rivals - target).norm(dim=1) > SAME]
    if not len(others):
        msg = "agi: negatives name the prompt itself and nothing else; add another sentence"
        raise AttributionError(msg)
    return others
