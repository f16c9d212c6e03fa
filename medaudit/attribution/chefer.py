"""Generic attention explainability: attention weighted by its gradient, accumulated over blocks.

Chefer, Gur, Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
Transformers", ICCV 2021, equations 5 and 6 (self-attention; the two towers of a CLIP exchange no attention, so each
side is explained with the other's embedding constant):

    A' = mean over heads of ReLU(dc/dA * A),   R <- R + A' R,   R starts as the identity.

By default the last block alone, as the authors' own CLIP demonstration does; more blocks spread the context.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from medaudit.attribution.attention import walk
from medaudit.attribution.method import MethodInfo, Needs
from medaudit.attribution.sides import Found, Side, SidedMethod, read_row
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class CheferSettings:
    """``image_block`` and ``text_block``: the first block that counts; 0-based, negative from the end."""

    image_block: int = -1
    text_block: int = -1


@dataclass(frozen=True, slots=True)
class Chefer(SidedMethod):
    """One forward pass for all prompts of an image, one backward pass through the blocks that count a prompt."""

    settings: CheferSettings = CheferSettings()
    name: ClassVar[str] = "chefer"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Generic attention explainability",
        "Chefer et al., ICCV 2021, equations 5-6",
        "1 forward, 1 backward through the last block",
        Quantity.SCORE,
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        first = side.block(self.settings)
        met = walk(side.tower, side.hidden(first), first)
        weights = [one.weights for one in met.heads]
        same = torch.eye(weights[0].shape[-1]).to(weights[0])[None]
        found = []
        for target in side.targets:
            flow = same
            for weight, slope in zip(weights, met.gradients(target, weights), strict=True):
                flow = flow + (slope * weight).relu().mean(1).detach() @ flow
            # The identity is where the walk began, not what was found.
            found.append(read_row(met.states[-1], flow - same)[0])
        return Found(torch.stack(found))
