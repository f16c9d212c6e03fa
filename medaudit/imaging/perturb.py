"""Small changes of a picture that a reader would not mind, and bigger ones of a part of it.

A picture is (3, H, W) float32 in 0 .. 1, as the model sees it before its normalisation; several are (B, 3, H, W).
Sizes are shares of the display range (of the window: one per cent of a CT lung window of 1500 HU is 15 HU), of the
picture's sides, or degrees. No change touches the picture that it is given.
"""

import io
import math
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, conv2d, grid_sample, interpolate

NOISE: Final = 0.01
GAMMA: Final = 1.15
WINDOW: Final = 0.05
DEGREES: Final = 5.0
SHIFT: Final = 0.03
JPEG_QUALITY: Final = 75
IMPUTED_NOISE: Final = 0.01

# Weights of the eight neighbours of a pixel that is imputed.
_NEIGHBOURS: Final = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0.0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))
# The equations are solved, from a picture so small upwards, until no pixel misses its own by more than this.
_COARSEST: Final = 8
_RESIDUAL: Final = 3e-4
_MOST_STEPS: Final = 500


def small_changes(picture: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Name -> a changed picture; :data:`STAYS_IN_PLACE` names those that move nothing."""
    return {
        f"noise of {NOISE:.0%} of the window": noisy(picture, NOISE, generator),
        f"gamma {GAMMA:g}": picture**GAMMA,
        f"gamma 1/{GAMMA:g}": picture ** (1 / GAMMA),
        f"window {WINDOW:.0%} lower": (picture + WINDOW).clamp(0, 1),
        f"window {WINDOW:.0%} higher": (picture - WINDOW).clamp(0, 1),
        f"JPEG of quality {JPEG_QUALITY}": compressed(picture, JPEG_QUALITY),
        f"turned by {DEGREES:g} degrees": moved(picture, degrees=DEGREES),
        f"turned by \u2212{DEGREES:g} degrees": moved(picture, degrees=-DEGREES),
        f"shifted by {SHIFT:.0%}": moved(picture, across=SHIFT, down=SHIFT),
    }


STAYS_IN_PLACE: Final = ("noise", "gamma", "window", "JPEG")
"""How the names of changes begin after which every structure lies where it lay."""


def noisy(picture: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Add the same normal noise of ``sigma`` to every channel."""
    noise = torch.randn(picture.shape[-2:], generator=generator)
    return (picture + sigma * noise).clamp(0, 1)


def compressed(picture: Tensor, quality: int) -> Tensor:
    """Write the picture as JPEG of 8 bits and read it again."""
    levels = np.rint(picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as read:
        return torch.from_numpy(np.asarray(read, dtype=np.float32) / 255).permute(2, 0, 1).contiguous()


def moved(picture: Tensor, *, degrees: float = 0.0, across: float = 0.0, down: float = 0.0) -> Tensor:
    """Turn about the centre and shift, bilinearly; what comes in from beyond repeats the edge.

    ``across`` and ``down`` are shares of the picture's sides: what was there moves right and down.
    """
    rows, columns = picture.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # From where each pixel comes, in affine_grid's units: -1 .. 1 over each side.
    way = torch.tensor(
        [[cos, sin * rows / columns, -2 * across], [-sin * columns / rows, cos, -2 * down]], dtype=picture.dtype
    )
    where = affine_grid(way[None], [1, 3, rows, columns], align_corners=False)
    return grid_sample(picture[None], where, mode="bilinear", padding_mode="border", align_corners=False)[0]


def mirrored(picture: Tensor) -> Tensor:
    """The picture as in a mirror: left is right."""
    return picture.flip(-1)


def filled(picture: Tensor, masks: Tensor) -> Tensor:
    """Fill parts of a picture with a smooth continuation of what surrounds them (Gortler et al. 1996, push-pull).

    Parameters
    ----------
    picture
        (3, H, W).
    masks
        (B, H, W) bool, the part of each result that is filled; none of them everything.

    Returns
    -------
    (B, 3, H, W).

    """
    hidden = masks[:, None]
    pictures = picture.expand(len(masks), -1, -1, -1)
    known = (~hidden).to(picture.dtype)
    return torch.where(hidden, _continued(pictures * known, known), pictures)


def _continued(values: Tensor, known: Tensor) -> Tensor:
    """Averages of what is known, from the finest scale that knows anything of a place."""
    if bool((known > 0).all()) or max(known.shape[-2:]) == 1:
        return values / known.clamp(min=torch.finfo(known.dtype).tiny)
    coarse = _continued(*(avg_pool2d(part, 2, ceil_mode=True) for part in (values, known)))
    wide = interpolate(coarse, size=known.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(known > 0, values / known.clamp(min=torch.finfo(known.dtype).tiny), wide)


def imputed(picture: Tensor, masks: Tensor, generator: torch.Generator, noise: float = IMPUTED_NOISE) -> Tensor:
    """Impute parts of a picture linearly, with noise (ROAD: Rong et al., ICML 2022, section 4.2).

    Each pixel that is taken away becomes the weighted mean of its neighbours (1/6 beside, above and below, 1/12 at the
    corners; at an edge those that there are), whether these were taken away or not: a system of linear equations. So
    the shape of the hole cannot be read from what fills it, as it can from a constant. The noise hides that the filling
    is smooth; it is drawn once and is the same for all masks.

    Parameters
    ----------
    picture
        (3, H, W).
    masks
        (B, H, W) bool, the part of each result that is imputed; none of them everything.
    generator
        Of the noise.
    noise
        Its standard deviation.

    Returns
    -------
    (B, 3, H, W).

    Raises
    ------
    ValueError
        A mask is everything.

    """
    if bool(masks.flatten(1).all(1).any()):
        msg = "imputed: expected masks that leave something of the picture; got one that takes all of it"
        raise ValueError(msg)
    # Grey pictures have three equal channels.
    channels = picture[:1] if bool((picture == picture[:1]).all()) else picture
    solved = _imputed(channels.expand(len(masks), -1, -1, -1), masks[:, None]).expand(-1, len(picture), -1, -1)
    grain = noise * torch.randn(picture.shape[-2:], generator=generator)
    return torch.where(masks[:, None], (solved + grain).clamp(0, 1), picture)


def _imputed(pictures: Tensor, holes: Tensor) -> Tensor:
    """(B, C, H, W) pictures whose holes (B, 1, H, W) are imputed, from a start that was imputed at half the size."""
    if min(pictures.shape[-2:]) >= _COARSEST and bool(holes.any()):
        known = (~holes).to(pictures.dtype)
        value, share = (avg_pool2d(part, 2, ceil_mode=True) for part in (pictures * known, known))
        coarse = _imputed(value / share.clamp(min=torch.finfo(share.dtype).tiny), share == 0)
        wide = interpolate(coarse, size=pictures.shape[-2:], mode="bilinear", align_corners=False)
        pictures = torch.where(holes, wide, pictures)
    return _solved(pictures, holes)


def _solved(pictures: Tensor, holes: Tensor) -> Tensor:
    """The same from the values in the holes, by conjugate gradients."""
    batch, channels, rows, columns = pictures.shape
    kernel = torch.tensor(_NEIGHBOURS, dtype=pictures.dtype)[None, None]
    there = conv2d(torch.ones(1, 1, rows, columns, dtype=pictures.dtype), kernel, padding=1)
    inside = holes.to(pictures.dtype)

    def missing(values: Tensor) -> Tensor:
        """By how much the weighted sum of the neighbours exceeds each pixel's own share, in the holes."""
        around = conv2d(values.reshape(batch * channels, 1, rows, columns), kernel, padding=1).view_as(values)
        return inside * (around - there * values)

    solved, residual = pictures, missing(pictures)
    direction, size = residual, _product(residual, residual)
    for _ in range(_MOST_STEPS):
        if float(residual.abs().max()) <= _RESIDUAL:
            break
        turned = -missing(direction)
        step = size / _product(direction, turned).clamp(min=torch.finfo(size.dtype).tiny)
        solved, residual = solved + step * direction, residual - step * turned
        before, size = size, _product(residual, residual)
        direction = residual + size / before.clamp(min=torch.finfo(size.dtype).tiny) * direction
    return solved


def _product(one: Tensor, other: Tensor) -> Tensor:
    """(B, C, 1, 1) sums over the pixels."""
    return (one * other).sum((-2, -1), keepdim=True)


def blurred(picture: Tensor, times: int) -> Tensor:
    """The picture without what is finer than a share of 1 / ``times`` of its sides."""
    rows, columns = picture.shape[-2:]
    small = interpolate(picture[None], size=(times, times), mode="area")
    return interpolate(small, size=(rows, columns), mode="bilinear", align_corners=False)[0]


def written(picture: Tensor, text: str, *, height: float, left: float, top: float) -> Tensor:
    """Write white letters: ``height``, ``left`` and ``top`` are shares of the picture's rows and columns."""
    rows, columns = picture.shape[-2:]
    font = ImageFont.load_default(size=max(8, round(height * rows * 1.3)))
    x, y, right, bottom = (round(edge) for edge in font.getbbox(text))
    column = max(0, min(round(left * columns), columns - (right - x)))
    row = max(0, min(round(top * rows), rows - (bottom - y)))
    page = Image.new("L", (columns, rows), 0)
    ImageDraw.Draw(page).text((column - x, row - y), text, fill=255, font=font)
    ink = torch.from_numpy(np.asarray(page, dtype=np.float32) / 255)
    return torch.maximum(picture, ink.expand_as(picture))
