"""The words of a prompt, shaded by their nats in the sentence itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medaudit.figures.colour import ColourScale, blend_share, common_quantity, luminance
from medaudit.records import TokenRelevance

WHITE_PAPER = (255, 255, 255)
MINIMUM_CONTRAST = 4.5
"""Contrast between a word and its shade, WCAG 2.2 success criterion 1.4.3."""

Colour = tuple[int, int, int]

_INK: tuple[Colour, Colour] = ((0, 0, 0), (255, 255, 255))


@dataclass(frozen=True, slots=True)
class ShadedWord:
    """A word, its relevance, the colour behind it and the colour of its letters."""

    word: str
    value: float
    rgb: Colour
    ink: Colour


def shade_words(text: TokenRelevance, scale: ColourScale, paper: Colour = WHITE_PAPER) -> tuple[ShadedWord, ...]:
    """The words in order, each over :func:`tint` of its nats, in the ink that reads best on it."""
    values = text.by_word()
    tints = tint(values, scale, paper)
    return tuple(
        ShadedWord(word, float(value), (int(r), int(g), int(b)), readable_ink((int(r), int(g), int(b))))
        for word, value, (r, g, b) in zip(text.words, values, tints, strict=True)
    )


def words_scale(texts: tuple[TokenRelevance, ...]) -> ColourScale:
    """One scale per word for several prompts, by the rule of :meth:`ColourScale.for_maps`."""
    return ColourScale.for_values((text.by_word() for text in texts), quantity=common_quantity(texts))


def tint(nats: NDArray[np.floating], scale: ColourScale, paper: Colour = WHITE_PAPER) -> NDArray[np.uint8]:
    """Colours (..., 3) of ``nats`` (...) over paper: bare paper at zero, the scale's own colour at its top.

    The share of the colour is that of an overlay of full opacity, :func:`blend_share`.
    """
    share = blend_share(nats, scale)[..., None]
    mixed = np.asarray(paper) * (1 - share) + scale.rgb(nats) * share
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def readable_ink(background: Colour) -> Colour:
    """Black or white, whichever contrasts more; always >= :data:`MINIMUM_CONTRAST`."""
    return max(_INK, key=lambda ink: contrast(ink, background))


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio 1 .. 21 of two sRGB colours (WCAG 2.2)."""
    darker, lighter = sorted((float(luminance(one)), float(luminance(other))))
    return (lighter + 0.05) / (darker + 0.05)
