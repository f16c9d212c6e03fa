"""A relevance map laid over its picture: anatomy where there is no evidence, hatching where nothing was seen."""

from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medaudit.figures.colour import ColourScale, blend_share

UNSEEN_BRIGHTNESS = 0.4
"""Pixels outside the model's field of view keep this share of their brightness."""

_HATCH_GREY = 150
_HATCH_OPACITY = 0.55
_HATCH_PER_SIDE = 48  # hatch lines along the longer side, so that they look alike at every picture size


def overlay(
    shown: NDArray[np.uint8],
    nats: NDArray[np.float32],
    scale: ColourScale,
    *,
    opacity: float = 0.5,
    threshold_nats: float = 0.0,
) -> NDArray[np.uint8]:
    """Blend relevance over a picture.

    The blend of a pixel grows with its relevance (:func:`blend_share`): where there is no evidence
    the anatomy shows undimmed, where there is much it shows through the colour.

    Parameters
    ----------
    shown
        uint8 (h, w) or (h, w, 3), the reading copy.
    nats
        float (h, w) in nats; NaN where the model saw nothing, drawn dimmed and hatched.
    scale
        Nats -> colour.
    opacity
        Of the colour from half of the scale upwards, 0 .. 1.
    threshold_nats
        Relevance below this is not coloured.

    Returns
    -------
    uint8 (h, w, 3).

    Raises
    ------
    ValueError
        The shapes differ, or ``opacity`` lies outside 0 .. 1.

    """
    picture = as_rgb(shown)
    if nats.shape != picture.shape[:2]:
        msg = f"overlay: expected nats of the picture's shape {picture.shape[:2]}; got {nats.shape}"
        raise ValueError(msg)
    if not 0 <= opacity <= 1:
        msg = f"overlay: expected opacity in 0 .. 1; got {opacity}"
        raise ValueError(msg)
    unseen = np.isnan(nats)
    relevance = np.where(unseen | (nats < threshold_nats), 0, nats)
    alpha = (opacity * blend_share(relevance, scale)).astype(np.float32)[..., None]
    blended = picture + (scale.rgb(relevance) - picture.astype(np.float32)) * alpha
    return hatch_unseen(np.rint(blended).astype(np.uint8), unseen)


def hatch_unseen(shown: NDArray[np.uint8], unseen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The picture (h, w, 3) with its ``unseen`` pixels (h, w) dimmed and hatched with diagonal lines."""
    picture = as_rgb(shown).copy()
    rows, columns = np.nonzero(unseen)
    period = max(4, round(max(unseen.shape) / _HATCH_PER_SIDE))
    phase = (rows + columns) % period
    # Lines end in a ramp of one pixel: a hard step would alias into stairs.
    distance = np.minimum(phase, period - phase)
    line = np.clip(period / 8 + 0.5 - distance, 0, 1)[:, None] * _HATCH_OPACITY
    dimmed = picture[unseen] * UNSEEN_BRIGHTNESS
    picture[unseen] = np.rint(dimmed * (1 - line) + _HATCH_GREY * line)
    return picture


def as_rgb(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (h, w) or (h, w, 3) -> uint8 (h, w, 3)."""
    if shown.dtype != np.uint8 or shown.ndim not in (2, 3) or shown.shape[2:] not in ((), (3,)) or shown.size == 0:
        msg = f"picture: expected uint8 (h, w) or (h, w, 3), not empty; got {shown.dtype} {shown.shape}"
        raise ValueError(msg)
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


def png(rgb: NDArray[np.uint8]) -> bytes:
    """A PNG file of a picture (h, w) or (h, w, 3); the same bytes for the same pixels."""
    return _encoded(rgb, "PNG", {"compress_level": 6})


def jpeg(rgb: NDArray[np.uint8], quality: int = 90) -> bytes:
    """A baseline JPEG file without chroma subsampling; the same bytes for the same pixels and quality."""
    if not 1 <= quality <= 95:
        msg = f"jpeg: expected quality in 1 .. 95; got {quality}"
        raise ValueError(msg)
    return _encoded(rgb, "JPEG", {"quality": quality, "subsampling": 0})


def _encoded(pixels: NDArray[np.uint8], form: Literal["PNG", "JPEG"], options: dict[str, int]) -> bytes:
    as_rgb(pixels)  # refuses what is no picture before Pillow guesses
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, form, **options)
    return stream.getvalue()
