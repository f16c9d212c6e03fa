"""The colour scale of relevance: absolute nats (or another quantity), zero always at the low end.

A map is never stretched to its own range, so a flat map looks flat and two maps under one scale
can be compared by eye. What the scale is belongs on the colour bar (:meth:`ColourScale.sentence`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray

from medaudit.records import Quantity, RelevanceMap, TokenRelevance

DEFAULT_COLORMAP = "plasma"
"""Perceptually uniform, readable with every common colour vision deficiency, and its bright end is a
saturated yellow, which no grey of an X-ray can be mistaken for."""

MINIMUM_NATS = 0.01
"""A common scale never ends below this: less would paint numerical noise as evidence."""

# As MINIMUM_NATS, for other quantities. Gradients and scores have no size of their own that could be called noise.
_FLOORS = {
    Quantity.NATS: MINIMUM_NATS,
    Quantity.CHANGE: 1e-4,
    Quantity.COSINE: 1e-2,
    Quantity.GRADIENT: 1e-9,
    Quantity.SCORE: 1e-9,
}

_NICE = (1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0)
_LEVELS = 256
# Rounding to bytes may step luminance back by less than this between two neighbouring entries.
_LUMINANCE_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Nats -> colour: 0 is the low end of ``colormap``, ``maximum_nats`` and all above it the high end.

    Where ``quantity`` is another, every number here is of that quantity. Negative relevance has the colour of zero.

    ``colormap`` is a name of the `cmap` catalogue; its relative luminance must never fall from the
    low end to the high end, so that more relevance is brighter in print and on every screen.

    Raises
    ------
    ValueError
        ``maximum_nats`` is not finite and positive, or ``colormap`` is unknown or not monotone.

    """

    maximum_nats: float
    colormap: str = DEFAULT_COLORMAP
    quantity: Quantity = Quantity.NATS

    def __post_init__(self) -> None:
        if not math.isfinite(self.maximum_nats) or self.maximum_nats <= 0:
            msg = f"ColourScale.maximum_nats: expected a finite number > 0; got {self.maximum_nats}"
            raise ValueError(msg)
        _table(self.colormap)

    @classmethod
    def for_maps(cls, maps: Iterable[RelevanceMap], colormap: str = DEFAULT_COLORMAP) -> "ColourScale":
        """One scale for several maps: the maximum over all their tokens, rounded up (:func:`nice_ceiling`).

        No percentile and no per-map stretch: no token of these maps lies above the scale. Without
        maps, or where all are zero, the scale ends at :data:`MINIMUM_NATS` (a floor of its own for other
        quantities).

        Raises
        ------
        ValueError
            The maps are not of one quantity.

        """
        shown = tuple(maps)
        return cls.for_values((image.values for image in shown), colormap, common_quantity(shown))

    @classmethod
    def for_values(
        cls,
        values: Iterable[NDArray[np.float32]],
        colormap: str = DEFAULT_COLORMAP,
        quantity: Quantity = Quantity.NATS,
    ) -> "ColourScale":
        """As :meth:`for_maps`, over arrays of nats of any shape; empty arrays count as zero."""
        highest = max((float(array.max(initial=0.0)) for array in values), default=0.0)
        return cls(nice_ceiling(max(highest, _FLOORS[quantity])), colormap, quantity)

    def rgb(self, nats: NDArray[np.floating] | float) -> NDArray[np.uint8]:
        """Colours of ``nats``.

        Parameters
        ----------
        nats
            (...) in nats; negative values get the low end, as zero does. NaN is refused: what was
            not seen has no colour.

        Returns
        -------
        (..., 3) uint8, sRGB.

        Raises
        ------
        ValueError
            A value is NaN.

        """
        level = np.asarray(nats, dtype=np.float64) / self.maximum_nats
        if np.isnan(level).any():
            msg = "ColourScale.rgb: expected nats; got NaN, which marks what the model did not see"
            raise ValueError(msg)
        index = np.rint(np.clip(level, 0, 1) * (_LEVELS - 1)).astype(np.intp)
        return np.asarray(_table(self.colormap)[index], dtype=np.uint8)

    def ticks(self) -> tuple[float, ...]:
        """Values in nats for a colour bar: from 0 to ``maximum_nats``, in four equal steps."""
        return tuple(self.maximum_nats * step / 4 for step in range(5))

    def tick_labels(self) -> tuple[str, ...]:
        """:meth:`ticks` as text, all with the same number of decimals, no more than tell them apart."""
        for decimals in range(17):
            labels = tuple(f"{tick:.{decimals}f}" for tick in self.ticks())
            if all(
                math.isclose(float(label), tick, rel_tol=1e-3) for label, tick in zip(labels, self.ticks(), strict=True)
            ):
                return labels
        return tuple(f"{tick:.3g}" for tick in self.ticks())

    def sentence(self, unit: str = "token", common_to: str = "all prompts of this image") -> str:
        """What the scale is, e.g. ``"0 to 3.2 nats per token, common to all prompts of this image"``."""
        shared = f", common to {common_to}" if common_to else ""
        return f"0 to {self.maximum_nats:g} {self.quantity.value} per {unit}{shared}"

    def bar(self, length: int, *, upright: bool = False) -> NDArray[np.uint8]:
        """A colour bar without labels: (1, length, 3) from low to high, or (length, 1, 3) from high to low."""
        ramp = self.rgb(np.linspace(0, self.maximum_nats, length))
        return ramp[::-1, None] if upright else ramp[None]


def common_quantity(relevance: Sequence[RelevanceMap | TokenRelevance]) -> Quantity:
    """The one quantity of several maps or texts; nats where there are none.

    Raises
    ------
    ValueError
        They have several: their numbers must not share a scale.

    """
    found = {one.quantity for one in relevance} or {Quantity.NATS}
    if len(found) > 1:
        msg = f"ColourScale: expected relevance of one quantity; got {', '.join(sorted(one.value for one in found))}"
        raise ValueError(msg)
    return found.pop()


def blend_share(nats: NDArray[np.floating], scale: ColourScale) -> NDArray[np.float64]:
    """How much of its colour a value shows over a picture or paper, 0 .. 1.

    It rises evenly from nothing at zero nats to all at half of the scale. Faint relevance, of which
    every map has some nearly everywhere, leaves no haze over the anatomy.
    """
    return np.clip(2 * np.asarray(nats, dtype=np.float64) / scale.maximum_nats, 0, 1)


def nice_ceiling(value: float) -> float:
    """Smallest of 1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10 times a power of ten that is >= ``value`` > 0."""
    if not math.isfinite(value) or value <= 0:
        msg = f"nice_ceiling: expected a finite number > 0; got {value}"
        raise ValueError(msg)
    exponent = math.floor(math.log10(value))
    # The decimal text, not a product of floats: 3.2 * 10**-1 is not 0.32.
    candidates = (float(f"{nice:g}e{exponent}") for nice in _NICE)
    return next(nice for nice in candidates if nice >= value * (1 - 1e-9))


def luminance(rgb: NDArray[np.uint8] | Sequence[int]) -> NDArray[np.float64]:
    """Relative luminance 0 .. 1 of sRGB colours (..., 3), as WCAG 2.2 defines it."""
    channel = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]), dtype=np.float64)


@lru_cache(maxsize=16)
def _table(colormap: str) -> NDArray[np.uint8]:
    """(256, 3) uint8 of one colormap; refuses a name that is unknown or not monotone in luminance."""
    try:
        colours = Colormap(colormap)(np.linspace(0, 1, _LEVELS), bytes=True)
    except ValueError as error:
        msg = f"ColourScale.colormap: expected a colormap of the cmap catalogue, e.g. plasma; got {colormap!r}"
        raise ValueError(msg) from error
    table = np.ascontiguousarray(np.asarray(colours)[:, :3], dtype=np.uint8)
    light = luminance(table)
    if (np.diff(light) < -_LUMINANCE_TOLERANCE).any() or light[-1] - light[0] < 0.5:
        msg = (
            f"ColourScale.colormap: expected luminance that rises from the low end to the high end; "
            f"{colormap!r} does not. Use plasma, inferno, viridis or cividis"
        )
        raise ValueError(msg)
    table.setflags(write=False)
    return table
