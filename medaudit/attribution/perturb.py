"""What a model says with parts of its input taken away: squares of patches, or words."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from medaudit.attribution.sides import Side
from medaudit.attribution.spaces import patch_of
from medaudit.errors import AttributionError
from medaudit.models.interface import Hidden
from medaudit.records.relevance import NO_WORD

Fill = Literal["mean", "blur"]
"""What a hidden part of an image shows: the mean colour of the model's training, or the image out of focus."""

# Of the shorter side: strong enough that no structure of an organ's size is left.
BLUR = 1 / 16


@dataclass(frozen=True, slots=True, eq=False)
class Players:
    """The parts that can be taken away, and which tokens each holds.

    ``members`` (K, N) is 1 where a token belongs to a part. A word is taken away by hiding its tokens from every
    other token, so positions and special tokens stay.
    """

    side: Side
    members: Tensor
    fill: Fill

    @classmethod
    def of(cls, side: Side, group: int = 1, fill: Fill = "mean") -> "Players":
        """Build squares of ``group`` x ``group`` patches (smaller at the far edges), or words."""
        dtype, device = side.start.states.dtype, side.start.states.device
        if side.is_image:
            grid = side.model.grid
            rows, columns = (torch.arange(length) // group for length in (grid.rows, grid.columns))
            index = (rows[:, None] * (int(columns[-1]) + 1) + columns[None]).flatten()
            members = torch.nn.functional.one_hot(index).T.to(dtype)
            return cls(side, pad(members, (grid.prefix, 0)).to(device), fill)
        words = max(side.word_of_token, default=NO_WORD) + 1
        if words < 1:
            msg = "prompt: expected words that can be taken away; the tokenizer found none"
            raise AttributionError(msg)
        index = torch.tensor(side.word_of_token)
        return cls(side, (index[None] == torch.arange(words)[:, None]).to(dtype).to(device), fill)

    def spread(self, values: Tensor) -> Tensor:
        """(P, N) values of the parts (P, K), each shared evenly among its tokens."""
        return apart(values, self.members / self.members.sum(1, keepdim=True).clamp(min=1))

    def scores(self, keep: Tensor, batch: int) -> Tensor:
        """(P, M) similarity with each target under M choices ``keep`` (M, K) bool of the parts that stay."""
        embedded = []
        with torch.no_grad():
            fill = filling(self.side, self.fill)
            for chunk in torch.split(keep, batch):
                hidden = ((~chunk).to(self.members.dtype) @ self.members) > 0
                embedded.append(self._embed_image(~hidden, fill) if fill is not None else self._embed_text(~hidden))
            return against(self.side, torch.cat(embedded))

    def _embed_image(self, shown: Tensor, fill: Tensor) -> Tensor:
        grid, pixels = self.side.model.grid, self.side.pixels
        assert pixels is not None  # noqa: S101 - a filling exists on the image side alone
        plane = shown[:, grid.prefix :].view(-1, grid.rows, grid.columns)
        rows, columns = patch_of(pixels.shape[-2], grid.rows), patch_of(pixels.shape[-1], grid.columns)
        return self.side.tower.encode(torch.where(plane[:, rows][:, :, columns][:, None], pixels, fill))

    def _embed_text(self, shown: Tensor) -> Tensor:
        start = self.side.start
        mask = shown if start.mask is None else shown & start.mask
        states = start.states.expand(len(shown), -1, -1)
        pooled = None if start.pooled is None else start.pooled.expand(len(shown))
        return self.side.tower.suffix(Hidden(states, pooled, mask), 0)


def filling(side: Side, fill: Fill) -> Tensor | None:
    """(1, 3, H, W) what hidden pixels show; None on the text side."""
    if side.pixels is None:
        return None
    return torch.zeros_like(side.pixels) if fill == "mean" else blurred(side.pixels)


def blurred(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) images after a Gaussian of :data:`BLUR` of the shorter side, edges repeated."""
    sigma = BLUR * min(pixels.shape[-2:])
    radius = round(3 * sigma)
    offset = torch.arange(-radius, radius + 1, dtype=pixels.dtype, device=pixels.device)
    kernel = (-(offset**2) / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum())[None, None]
    for axis in (-1, -2):
        lines = pixels.transpose(axis, -1)
        shape = lines.shape
        padded = pad(lines.flatten(0, 2)[:, None], (radius, radius), mode="replicate")
        pixels = torch.nn.functional.conv1d(padded, kernel)[:, 0].view(shape).transpose(axis, -1)
    return pixels


def soft_masks(coarse: Tensor, shift: Tensor, size: tuple[int, int]) -> Tensor:
    """(M, H, W) in 0 .. 1: coarse grids (M, s, s), enlarged bilinearly by a cell more than the image and shifted.

    ``shift`` (M, 2) in 0 .. 1 is the part of a cell that is cut off at top and left (Petsiuk et al. 2018, 3.2).
    """
    cells = coarse.shape[-1]
    rows, columns = (-(-length // cells) for length in size)
    large = interpolate(
        coarse[:, None], size=((cells + 1) * rows, (cells + 1) * columns), mode="bilinear", align_corners=False
    )[:, 0]
    top, left = (shift[:, 0] * rows).long(), (shift[:, 1] * columns).long()
    return torch.stack(
        [one[t : t + size[0], x : x + size[1]] for one, t, x in zip(large, top.tolist(), left.tolist(), strict=True)]
    )


def against(side: Side, embedded: Tensor) -> Tensor:
    """(P, M) cosines of embeddings (M, E) with each target."""
    return apart(side.targets, embedded.T)


def apart(rows: Tensor, matrix: Tensor) -> Tensor:
    """(P, M) rows (P, K) times a matrix (K, M), each row by itself, so that company changes no bit of it."""
    return torch.stack([row @ matrix for row in rows])
