"""Grad-ECLIP with the model's own heads.

Zhao et al., "Gradient-based Visual Explanation for Transformer-based CLIP", ICML 2024, equations 6-10. What the
pooled token q gathers in one head is o = sum over i of A_qi v_i, so with w = dc/do the first-order share of token i is
w . v_i times how far q looks there. The softmax that decides this is too peaked to show much, so they loosen it to

    s_i = minmax over i of cos(q, k_i),       E_i = ReLU( sum over channels of w v_i s_i ).

The public code recomputes the last block with one head instead of the model's and takes both score and gradient from
that other model; here heads stay apart: cosines, min-max and products head by head, then the sum. An image's map is
that of the last block; a text's the sum over the last ``text_blocks``. Where the head reads all tokens, all of them
are queries and their shares add up.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from medaudit.attribution.attention import walk
from medaudit.attribution.method import MethodInfo, Needs, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.models.interface import AttentionHeads
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class GradEclipSettings:
    """``loosened`` False weighs by the attention itself (no spatial loosening)."""

    image_blocks: int = 1
    text_blocks: int = 8
    loosened: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "image_blocks", "text_blocks")


@dataclass(frozen=True, slots=True)
class GradEclip(SidedMethod):
    """One forward pass for all prompts of an image, one backward pass a prompt."""

    settings: GradEclipSettings = GradEclipSettings()
    name: ClassVar[str] = "grad-eclip"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Grad-ECLIP, multi-head",
        "Zhao et al., ICML 2024, equations 6-10",
        "1 forward, 1 backward through the last block (image), 8 blocks (text)",
        Quantity.SCORE,
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        count = self.settings.image_blocks if side.is_image else self.settings.text_blocks
        first = max(side.tower.depth - count, 0)
        met = walk(side.tower, side.hidden(first), first)
        pooled = met.states[-1].pooled
        looks = [self._looks(one) for one in met.heads]
        found = []
        for target in side.targets:
            shares = [
                _share(slope, look, one, pooled)
                for slope, look, one in zip(met.gradients(target, met.gathered), looks, met.heads, strict=True)
            ]
            found.append(torch.stack(shares).sum(0))
        return Found(torch.stack(found))

    def _looks(self, heads: AttentionHeads) -> Tensor:
        """(heads, N, N) how far each query looks at each key, 0 where it may not."""
        weights = heads.weights[0].detach()
        if not self.settings.loosened:
            return weights
        cosine = normalize(heads.query[0].detach(), dim=-1) @ normalize(heads.key[0].detach(), dim=-1).mT
        allowed = weights > 0
        low = cosine.masked_fill(~allowed, float("inf")).amin(-1, keepdim=True)
        high = cosine.masked_fill(~allowed, float("-inf")).amax(-1, keepdim=True)
        return torch.where(allowed, (cosine - low) / (high - low).clamp(min=1e-12), 0)


def _share(slope: Tensor, look: Tensor, heads: AttentionHeads, pooled: Tensor | None) -> Tensor:
    """(N,) share of every token in one block: ``slope`` (1, N, D) by what the queries gathered."""
    values = heads.value[0].detach()
    slopes = slope[0].view(slope.shape[1], values.shape[0], -1).transpose(0, 1)
    product = look * (slopes @ values.mT)
    asked = product if pooled is None else product[:, pooled]
    return asked.sum((0, 1)).relu()
