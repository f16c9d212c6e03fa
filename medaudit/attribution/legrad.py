"""LeGrad: the gradient of each block's own similarity by its attention weights.

Bousselham et al., "LeGrad: An Explainability Method for Vision Transformers via Feature Formation Sensitivity",
ICCV 2025, equations 4-8: for each of the last blocks the mean of its output tokens goes through the head, the
similarity with the prompt is differentiated by that block's weights, negative slopes are cut, and the rest is averaged
over heads and queries. Blocks add up.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import MethodInfo, Needs, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.models.interface import Hidden
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class LeGradSettings:
    """``blocks`` is how many blocks count, from the last."""

    blocks: int = 2

    def __post_init__(self) -> None:
        check_positive(self, "blocks")


@dataclass(frozen=True, slots=True)
class LeGrad(SidedMethod):
    """One forward pass for all prompts of an image, one short backward pass a block and prompt."""

    settings: LeGradSettings = LeGradSettings()
    name: ClassVar[str] = "legrad"
    info: ClassVar[MethodInfo] = MethodInfo(
        "LeGrad",
        "Bousselham et al., ICCV 2025, equations 4-8",
        "1 forward, 2 backward through one block each",
        Quantity.SCORE,
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        first = max(side.tower.depth - self.settings.blocks, 0)
        hidden = side.hidden(first)
        total = torch.zeros(len(side.targets), hidden.states.shape[1]).to(hidden.states)
        for block in range(first, side.tower.depth):
            # The graph reaches from this block's weights to its own score and no further.
            heads = side.tower.heads(hidden, block)
            weights = heads.weights.detach().requires_grad_()
            after = side.tower.finish(hidden, block, heads.gathered(weights))
            embedded = side.tower.head(_mean_token(after))
            for index, target in enumerate(side.targets):
                (slope,) = torch.autograd.grad((embedded @ target).sum(), [weights], retain_graph=True)
                total[index] += slope[0].relu().mean((0, 1))
            hidden = after.with_states(after.states.detach())
        return Found(total)


def _mean_token(hidden: Hidden) -> Hidden:
    """The mean of all tokens as the one token that the head reads."""
    mean: Tensor = hidden.states.mean(1, keepdim=True)
    if hidden.mask is not None:
        weights = hidden.mask[..., None].to(hidden.states.dtype)
        mean = (hidden.states * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
    return Hidden(mean, None if hidden.pooled is None else torch.zeros_like(hidden.pooled))
