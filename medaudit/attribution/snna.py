"""SNNA: attention by the size of what it carries and by its gradient, smoothed over noisy inputs.

Zhu, Wulff, Maharjan, Han, Cangelosi, "Noise-Free Explanation for Driving Action Prediction", 2024, with the norm of
Kobayashi et al., EMNLP 2020, equation 5: in the last block, with f the part of the output projection that belongs to a
head,

    mean over noise of mean over heads of ReLU( dc/dA * A * ||f(v)|| ),   the row of the token that the head reads.

The paper's hyper-parameters could not be had; the noise is that of SmoothGrad.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.attention import walk
from medaudit.attribution.method import MethodInfo, Needs, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod, read_row
from medaudit.attribution.spaces import Space
from medaudit.models.interface import AttentionHeads
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class SnnaSettings:
    """``samples`` noisy inputs; ``spread`` is the noise's standard deviation as a share of the input's range."""

    samples: int = 10
    spread: float = 0.1

    def __post_init__(self) -> None:
        check_positive(self, "samples", "spread")


@dataclass(frozen=True, slots=True)
class Snna(SidedMethod):
    """The noisy copies of an image serve all its prompts."""

    settings: SnnaSettings = SnnaSettings()
    name: ClassVar[str] = "snna"
    info: ClassVar[MethodInfo] = MethodInfo(
        "SNNA (smooth noise norm attention)",
        "Zhu et al., 2024; Kobayashi et al., EMNLP 2020, equation 5",
        "10 forward, 10 backward through the last block",
        Quantity.SCORE,
        needs=Needs.HEADS,
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        tower, space, last = side.tower, Space.of_input(side), side.tower.depth - 1
        sigma = self.settings.spread * (space.point.max() - space.point.min())
        total = torch.zeros(len(side.targets), side.start.states.shape[1]).to(side.start.states)
        for _ in range(self.settings.samples):
            point = space.point + sigma * side.shared(tuple(space.point.shape)).to(space.point)
            with torch.no_grad():
                start = tower.embed(point) if side.is_image else side.start.with_states(point)
                hidden = tower.run(start, 0, last)
            met = walk(tower, hidden, last)
            (heads,) = met.heads
            sizes = _sizes(side, heads, last)
            for index, target in enumerate(side.targets):
                (slope,) = met.gradients(target, [heads.weights])
                flow = (slope * heads.weights.detach() * sizes[:, :, None]).relu().mean(1)
                total[index] += read_row(met.states[-1], flow)[0]
        return Found(total / self.settings.samples)


def _sizes(side: Side, heads: AttentionHeads, block: int) -> Tensor:
    """(1, heads, N) Euclidean norm of what each token's value writes through its head's part of the projection."""
    value = heads.value.detach()
    count = value.shape[1]
    alone = torch.eye(count).to(value)[:, :, None, None] * value  # (heads, heads, N, d): one head at a time
    with torch.no_grad():
        written = side.tower.write(alone.transpose(1, 2).flatten(2), block)
        nothing = side.tower.write(torch.zeros_like(written[:1, :1]), block)
    sizes: Tensor = (written - nothing).norm(dim=-1)
    return sizes[None]
