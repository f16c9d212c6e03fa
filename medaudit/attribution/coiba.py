"""CoIBA: one bottleneck a token, shared by several blocks.

Hong et al., "Comprehensive Information Bottleneck for Unveiling Universal Attribution to Interpret Vision
Transformers", CVPR 2025. One alpha a token decides at the output of every block from the first to the last how much of
that token passes; the rest is noise with the channel's own mean and spread. Information is counted at the first of
them, in nats of the standardised states. It minimises, by Adam,

    beta * mean over tokens and channels of KL  -  mean over noise samples of cos(embedding, other side).

Built from the paper's description for classifiers, with the cosine for the class and M2IB's protocol and beta. They
estimate mean and spread on 10,000 images; here they are those of the image's (or prompt's) own tokens at each block,
so nothing has to be calibrated.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.adam import AdamProtocol
from medaudit.attribution.bottleneck import capacity
from medaudit.attribution.m2ib import resolve_block
from medaudit.attribution.method import Draw, MethodInfo, Needs
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.errors import AttributionError
from medaudit.models.interface import Hidden
from medaudit.records import Quantity

# A channel that is the same in every token would be divided by zero.
LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class CoibaSettings(AdamProtocol):
    """``first_block`` .. ``last_block``: on whose outputs the bottleneck sits; 0-based, negative from the end."""

    first_block: int = -5
    last_block: int = -3


@dataclass(frozen=True, slots=True)
class Coiba(SidedMethod):
    """Every prompt is solved by itself."""

    settings: CoibaSettings = CoibaSettings()
    name: ClassVar[str] = "coiba"
    info: ClassVar[MethodInfo] = MethodInfo(
        "CoIBA (shared bottleneck)",
        "Hong et al., CVPR 2025",
        "90 forward, 90 backward through the last 4 blocks",
        Quantity.NATS,
        needs=Needs.BLOCKS,
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        depth = side.tower.depth
        first = resolve_block("first_block", max(self.settings.first_block, -depth), depth)
        last = max(resolve_block("last_block", max(self.settings.last_block, -depth), depth), first)
        outputs = [side.hidden(block + 1) for block in range(first, last + 1)]
        shapes = {output.states.shape for output in outputs}
        if len(shapes) > 1:
            msg = (
                f"coiba: expected blocks {first} .. {last} to share one grid and width; got {len(shapes)} that differ; "
                "choose blocks of one stage, or m2ib"
            )
            raise AttributionError(msg)
        layers = [_statistics(output) for output in outputs]
        solved = [
            self._solve(side, outputs[0], (first, last), layers, target, draw)
            for target, draw in zip(side.targets, side.draws, strict=True)
        ]
        return Found(torch.stack([nats for nats, _ in solved]), tuple(loss for _, loss in solved))

    def _solve(  # noqa: PLR0917 - one problem, settled by its caller
        self,
        side: Side,
        hidden: Hidden,
        blocks: tuple[int, int],
        layers: list[tuple[Tensor, Tensor]],
        target: Tensor,
        draw: Draw,
    ) -> tuple[Tensor, tuple[float, ...]]:
        """Return nats (N,) and the loss at every pass."""
        settings, states = self.settings, hidden.states
        mean, spread = layers[0]
        standard = (states - mean) / spread
        alpha = torch.full_like(states[..., :1], settings.initial_alpha, requires_grad=True)
        optimiser = torch.optim.Adam([alpha], lr=settings.learning_rate)
        losses = []
        for _ in range(settings.steps - 1):
            passing = hidden
            for block, (middle, width) in zip(range(blocks[0], blocks[1] + 1), layers, strict=True):
                if block > blocks[0]:
                    passing = side.tower.run(passing, block, block + 1)
                noise = middle + width * draw((settings.samples, *states.shape[1:])).to(states)
                current = passing.states.view(1, -1, *states.shape[1:])
                mixed = alpha.sigmoid() * current + (1 - alpha.sigmoid()) * noise
                passing = hidden.with_states(mixed.flatten(0, 1))
            fit = (side.tower.suffix(passing, blocks[1] + 1) @ target).mean()
            loss = settings.beta * capacity(standard, alpha).mean() - fit
            (alpha.grad,) = torch.autograd.grad(loss, [alpha])
            optimiser.step()
            losses.append(float(loss.detach()))
        with torch.no_grad():
            return capacity(standard, alpha).sum(-1)[0], tuple(losses)


def _statistics(hidden: Hidden) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every channel over the tokens of one item, (1, 1, C) each."""
    mean = hidden.states.mean(1, keepdim=True)
    return mean, hidden.states.std(1, keepdim=True, unbiased=False).clamp(min=LEAST_SPREAD)
