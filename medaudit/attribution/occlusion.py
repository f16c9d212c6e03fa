"""Occlusion: how far the similarity falls when a window of the image, or a word, is taken away.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2. The relevance of a
patch is the mean fall over the windows that hide it; that of a word is its own fall.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import MethodInfo, check_positive
from medaudit.attribution.perturb import Fill, Players, apart
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class OcclusionSettings:
    """``window`` is the side of the hidden square in patches; ``batch`` how many inputs share a pass."""

    window: int = 3
    fill: Fill = "mean"
    batch: int = 64

    def __post_init__(self) -> None:
        check_positive(self, "window", "batch")


@dataclass(frozen=True, slots=True)
class Occlusion(SidedMethod):
    """One forward pass a place of the window; an image's serve all its prompts."""

    settings: OcclusionSettings = OcclusionSettings()
    name: ClassVar[str] = "occlusion"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Occlusion",
        "Zeiler and Fergus, ECCV 2014, section 4.2",
        "1 forward a place of the window, shared by all prompts; 1 a word",
        Quantity.CHANGE,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        players = Players.of(side, fill=self.settings.fill)
        hidden = self._windows(side) if side.is_image else torch.eye(len(players.members), dtype=torch.bool)
        hidden = hidden.to(side.targets.device)
        everything = torch.ones_like(hidden[:1])
        scores = players.scores(torch.cat([everything, ~hidden]), self.settings.batch)
        fall = scores[:, :1] - scores[:, 1:]
        share = hidden.to(fall.dtype)
        return Found(players.spread(apart(fall, share / share.sum(0, keepdim=True))))

    def _windows(self, side: Side) -> Tensor:
        """(windows, patches) bool, every place at which the window lies whole on the grid."""
        grid = side.model.grid
        height, width = (min(self.settings.window, length) for length in (grid.rows, grid.columns))
        rows, columns = torch.arange(grid.rows), torch.arange(grid.columns)
        down = torch.stack([(rows >= top) & (rows < top + height) for top in range(grid.rows - height + 1)])
        right = torch.stack([(columns >= left) & (columns < left + width) for left in range(grid.columns - width + 1)])
        return (down[:, None, :, None] & right[None, :, None, :]).flatten(0, 1).flatten(1)
