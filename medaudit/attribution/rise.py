"""RISE: the mean similarity over random masks that leave a place visible, less the mean over all masks.

Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, equations 5-6
with two changes that do not alter an ideal map's order: each place is divided by the weight it really got instead of
by the expected one, which removes the masks' own pattern, and the mean of all masks is subtracted, so that the map is
a change of the similarity. Words are kept or hidden whole.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import MethodInfo, check_positive
from medaudit.attribution.perturb import Players, against, apart, soft_masks
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class RiseSettings:
    """``cells`` is the side of the coarse grid, ``keep`` the chance that a cell or word stays."""

    masks: int = 2000
    text_masks: int = 200
    cells: int = 8
    keep: float = 0.5
    batch: int = 64

    def __post_init__(self) -> None:
        check_positive(self, "masks", "text_masks", "cells", "keep", "batch")
        if self.keep >= 1:
            msg = f"RiseSettings.keep: expected a value < 1; got {self.keep}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Rise(SidedMethod):
    """The masked copies of an image serve all its prompts."""

    settings: RiseSettings = RiseSettings()
    name: ClassVar[str] = "rise"
    info: ClassVar[MethodInfo] = MethodInfo(
        "RISE",
        "Petsiuk et al., BMVC 2018, equations 5-6",
        "2000 forward, shared by all prompts; 200 a text",
        Quantity.CHANGE,
        noise=True,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        return Found(self._image(side, side.pixels) if side.pixels is not None else self._text(side))

    def _image(self, side: Side, pixels: Tensor) -> Tensor:
        settings, space = self.settings, Space.of_input(side)
        size = (pixels.shape[-2], pixels.shape[-1])
        scores: list[Tensor] = []
        weighted = torch.zeros(len(side.targets), *size).to(pixels)
        weight = torch.zeros(size).to(pixels)
        every = torch.special.ndtr(side.shared((settings.masks, settings.cells, settings.cells))) < settings.keep
        shifts = torch.special.ndtr(side.shared((settings.masks, 2)))
        for cells, shift in zip(torch.split(every, settings.batch), torch.split(shifts, settings.batch), strict=True):
            masks = soft_masks(cells.to(pixels.dtype), shift, size).to(pixels)
            with torch.no_grad():
                scores.append(against(side, side.tower.encode(pixels * masks[:, None])))
            weighted += apart(scores[-1], masks.flatten(1)).view_as(weighted)
            weight += masks.sum(0)
        # A place that no mask left visible (there is none with many masks) says nothing: the mean.
        mean = torch.cat(scores, 1).mean(1)[:, None, None]
        values = torch.where(weight > 0, weighted / weight.clamp(min=1e-9) - mean, 0)
        pixels_of = space.sums(torch.ones_like(pixels[:, :1])).clamp(min=1)
        return space.sums(values[:, None]) / pixels_of

    def _text(self, side: Side) -> Tensor:
        players = Players.of(side)
        words = len(players.members)
        keep = torch.special.ndtr(side.shared((self.settings.text_masks, words))) < self.settings.keep
        scores = players.scores(keep.to(side.targets.device), self.settings.batch)
        weight = keep.to(scores)
        values = apart(scores, weight) / weight.sum(0).clamp(min=1) - scores.mean(1, keepdim=True)
        return players.spread(torch.where(weight.sum(0) > 0, values, 0))
