"""Attention rollout: attention followed back through the blocks as if it were a flow. It knows nothing of the prompt.

Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3: each block's weights, averaged
over heads, are mixed with the identity for the residual path, (A + I) / 2, and multiplied over blocks. The map is the
row of the token that the head reads (the mean row where it reads all).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from medaudit.attribution.method import MethodInfo, Needs
from medaudit.attribution.sides import Found, Side, SidedMethod, read_row
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """``image_block`` and ``text_block``: the first block that is followed; 0-based, negative from the end."""

    image_block: int = 0
    text_block: int = 0


@dataclass(frozen=True, slots=True)
class Rollout(SidedMethod):
    """One forward pass; all prompts of an image get the same image map."""

    settings: RolloutSettings = RolloutSettings()
    name: ClassVar[str] = "rollout"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Attention rollout",
        "Abnar and Zuidema, ACL 2020, section 3",
        "1 forward, shared by all prompts",
        Quantity.SCORE,
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        first = side.block(self.settings)
        hidden = side.hidden(first)
        tokens = hidden.states.shape[1]
        same = torch.eye(tokens).to(hidden.states)
        flow = same[None]
        with torch.no_grad():
            for block in range(first, side.tower.depth):
                weights = side.tower.attention(hidden, block).mean(1)
                flow = (weights + same) / 2 @ flow
                hidden = side.tower.run(hidden, block, block + 1)
        return Found(read_row(hidden, flow).repeat(len(side.targets), 1))
