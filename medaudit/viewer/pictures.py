"""What a picture's controls need to know: the scale of its maps and the bounds of its window."""

import math
from dataclasses import dataclass

from medaudit.figures.colour import ColourScale
from medaudit.records import ImageAudit, ReadingCopy


def map_scale(audit: ImageAudit, position: int, *, common: bool) -> ColourScale:
    """Colour scale of the map of a prompt: its own, or one for all prompts of the image."""
    return ColourScale.for_maps(
        one.image for one in (audit.attributions if common else (audit.attributions[position],))
    )


def scale_sentence(scale: ColourScale, unit: str, *, common: bool) -> str:
    """What a colour bar says of its scale."""
    return scale.sentence(unit) if common else f"{scale.sentence(unit, '')}, for this prompt alone"


@dataclass(frozen=True, slots=True)
class WindowRange:
    """Bounds of the window controls in modality values; ``step`` for centre and width."""

    lowest: float
    highest: float
    widest: float
    step: float


def window_range(copy: ReadingCopy) -> WindowRange | None:
    """What the window controls offer: every value of the picture, and its own window.

    None where a window means nothing: in a colour picture, or one whose pixels are all alike.
    """
    if copy.values is None or copy.window is None:
        return None
    ends = [float(end) * copy.slope + copy.intercept for end in (copy.values.min(), copy.values.max())]
    center, width = copy.window
    lowest, highest = min(*ends, center), max(*ends, center)
    if ends[0] == ends[1]:
        return None
    span = highest - lowest
    # Whole steps for integer-like values such as Hounsfield units, fractions for values such as SUV.
    step = float(10 ** math.floor(math.log10(span / 100)))
    return WindowRange(lowest, highest, max(span, width), step)
