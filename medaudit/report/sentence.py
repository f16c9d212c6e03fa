"""A prompt set as a sentence whose words are shaded by their nats, each with its number below it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from reportlab.lib.colors import Color
from reportlab.platypus import Flowable

from medaudit.figures.colour import ColourScale
from medaudit.figures.wording import number
from medaudit.figures.words import ShadedWord
from medaudit.report.fonts import REGULAR, draw_text, printable, text_width
from medaudit.report.style import RULE, SOFT

_SIZE, _SMALL = 10.0, 6.4
_PAD, _GAP = 3.0, 2.4
_CHIP = 15.0
_LINE = 29.0


@dataclass(frozen=True, slots=True)
class _Chip:
    """A word, or a piece of one that is longer than a line; only the first piece carries the number."""

    text: str
    value: str
    width: float
    word: ShadedWord


class ShadedSentence(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Lines of shaded words, ``width`` points wide; splits between lines. Made by :func:`shaded_sentence`."""

    def __init__(self, lines: list[list[_Chip]], width: float) -> None:
        super().__init__()
        self._lines = lines
        self.width, self.height = width, len(lines) * _LINE

    def split(self, _width: float, available_height: float) -> list[Flowable]:
        """Two sentences, the first with as many lines as fit; none where not even one does."""
        fitting = int(available_height // _LINE)
        if fitting < 1:
            return []
        parts = (self._lines[:fitting], self._lines[fitting:])
        return [ShadedSentence(lines, self.width) for lines in parts if lines]

    def draw(self) -> None:
        """Draw with the origin at the lower left: on each line all words, then all numbers."""
        for index, line in enumerate(self._lines):
            bottom = self.height - index * _LINE - _CHIP
            lefts = []
            left = 0.0
            for chip in line:
                lefts.append(left)
                self._draw_chip(chip, left, bottom)
                left += chip.width + _GAP
            self.canv.setFont(REGULAR, _SMALL)
            self.canv.setFillColor(SOFT)
            for chip, start in zip(line, lefts, strict=True):
                self.canv.drawCentredString(start + chip.width / 2, bottom - 7.5, chip.value)

    def _draw_chip(self, chip: _Chip, left: float, bottom: float) -> None:
        canvas = self.canv
        canvas.setFillColor(_colour(chip.word.rgb))
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.4)
        canvas.roundRect(left, bottom, chip.width, _CHIP, 2, stroke=1, fill=1)
        canvas.setFillColor(_colour(chip.word.ink))
        start = left + (chip.width - text_width(chip.text, REGULAR, _SIZE)) / 2
        draw_text(canvas, (start, bottom + 4.2), chip.text, REGULAR, _SIZE)


def shaded_sentence(
    words: tuple[ShadedWord, ...], scale: ColourScale, width: float, signs: Callable[[str], str] = str
) -> ShadedSentence:
    """Words in reading order, wrapped to ``width`` points.

    The numbers have two decimals, and more where the top of ``scale`` is small; ``signs`` writes their digits as
    the language does.
    """
    decimals = max(2, 2 - math.floor(math.log10(scale.maximum_nats)))
    return ShadedSentence(
        _wrapped([chip for word in words for chip in _chips(word, signs(number(word.value, decimals)), width)], width),
        width,
    )


def _wrapped(chips: list[_Chip], width: float) -> list[list[_Chip]]:
    lines: list[list[_Chip]] = []
    left = math.inf
    for chip in chips:
        if left + chip.width > width:
            lines.append([])
            left = 0.0
        lines[-1].append(chip)
        left += chip.width + _GAP
    return lines


def _chips(word: ShadedWord, value: str, width: float) -> list[_Chip]:
    """The word as one chip, or as several where it is wider than a line."""
    pieces: list[str] = []
    room = 0.0
    for character in printable(word.word):
        advance = text_width(character, REGULAR, _SIZE)
        if not pieces or advance > room:
            pieces.append("")
            room = width - 2 * _PAD
        pieces[-1] += character
        room -= advance
    values = [value, *[""] * len(pieces)]
    return [
        _Chip(piece, value, max(text_width(piece, REGULAR, _SIZE), text_width(value, REGULAR, _SMALL)) + 2 * _PAD, word)
        for piece, value in zip(pieces, values, strict=False)
    ]


def _colour(rgb: tuple[int, int, int]) -> Color:
    return Color(*(channel / 255 for channel in rgb))
