"""AdaIB: M2IB where a pair that is less related has to pay more for its information.

"Evil in the Pairing Assumption", OpenReview NuYcnDYQuQ. For an image X and a text Y it trains, with M2IB's protocol,

    L = f(X, Y) * <embedding of Z, target> - g(f) * mean KL     (to be made large),

f a relevance of the pair from the L2 distance of its embeddings, g a small network (1-32-1, ReLU) learnt with the
bottleneck. As written this has no answer. For one pair f is a constant and KL is never negative, so L is largest where
the network says 0, or below: information is free, and nothing is found out. With their protocol on phantom-clip (Adam,
rate 1) the network says 0 from the second pass on, with a ReLU or a softplus behind it; without, -16.

The reading that is built. g may not fall below a floor, ``beta``. Whatever the network, what it learns is then the
floor: g = beta, and no network has to be run. What is left of the idea is f. Divided by it,

    maximise  <embedding of Z, target> - (beta / f) * mean KL,
    f = exp(-d^2 / (2 width^2)) = exp((cos - 1) / width^2),

d the distance and cos the cosine of the embeddings: for one pair, M2IB at a beta of its own. The floor, and the
form of f, which we could not read, are ours. Their clip of the gradient's norm at 1 is left out: without the network
it has nothing to act on (in four phantoms, on either side, alpha's gradient never exceeds 0.04).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from medaudit.attribution.adam import AdamProtocol
from medaudit.attribution.m2ib_settings import M2IBSettings
from medaudit.attribution.m2ib_side import solve
from medaudit.attribution.method import MethodInfo, Needs, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class AdaibSettings(AdamProtocol):
    """``image_block`` and ``text_block``: on whose output the bottleneck sits; 0-based, negative from the end.

    ``width`` is the distance of embeddings over which the relevance of a pair falls; ``beta`` the price at distance 0.
    """

    image_block: int = -3
    text_block: int = -3
    width: float = 1.0

    def __post_init__(self) -> None:
        AdamProtocol.__post_init__(self)
        check_positive(self, "width")


@dataclass(frozen=True, slots=True)
class Adaib(SidedMethod):
    """Every prompt is solved by itself."""

    settings: AdaibSettings = AdaibSettings()
    name: ClassVar[str] = "adaib"
    info: ClassVar[MethodInfo] = MethodInfo(
        "AdaIB (adaptive information bottleneck)",
        "Evil in the Pairing Assumption, OpenReview NuYcnDYQuQ; its learnt weight held at a floor",
        "90 forward, 90 backward through the last 2 blocks",
        Quantity.NATS,
        needs=Needs.BLOCKS,
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`; losses are -L."""
        settings, block = self.settings, side.block(self.settings)
        hidden = side.hidden(block + 1)
        protocol = M2IBSettings(
            steps=settings.steps,
            samples=settings.samples,
            learning_rate=settings.learning_rate,
            initial_alpha=settings.initial_alpha,
        )
        with torch.no_grad():
            own = side.tower.suffix(hidden, block + 1)[0]
        nats, losses, residuals = [], [], []
        for target, draw in zip(side.targets, side.draws, strict=True):
            related = relevance_of_pair(float(own @ target), settings.width)
            solved = solve(
                side.tower,
                hidden,
                block,
                target=target[None],
                draws=[draw],
                beta=settings.beta / related,
                settings=protocol,
            )
            nats.append(solved.nats[0])
            losses.append(tuple(related * loss for loss in solved.loss[0]))
            residuals.append(related * solved.residual[0])
        return Found(torch.stack(nats), tuple(losses), tuple(residuals))


def relevance_of_pair(cosine: float, width: float) -> float:
    """f, in (0, 1]: 1 for one and the same embedding, smaller the further apart the two are."""
    return math.exp((cosine - 1) / width**2)
