"""How a similarity moves while parts of a picture come or go."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Walk(StrEnum):
    """What happens to the parts of a picture, the most relevant first."""

    INSERTION = "insertion"
    """They are shown, where only a blur was."""
    DELETION = "deletion"
    """They are hidden by the blur."""


@dataclass(frozen=True, slots=True)
class FaithfulnessCurve:
    """Cosines of one prompt while a picture is changed in the order of its map, and of maps that know nothing.

    ``subject`` is the prompt's text. ``share`` is how much of the picture is changed (shown or hidden, see ``walk``)
    at each point, from 0 to 1, rising; ``own`` are the cosines in the order of the prompt's map, ``random`` the means
    over several random maps, ``constant`` and ``centre`` those of a map that is the same everywhere and of a Gaussian
    on the centre. All begin at one cosine and end at another, since the order matters to neither end.
    """

    subject: str
    walk: Walk
    share: tuple[float, ...]
    own: tuple[float, ...]
    random: tuple[float, ...]
    constant: tuple[float, ...]
    centre: tuple[float, ...]

    def __post_init__(self) -> None:
        rises = all(before < after for before, after in zip(self.share, self.share[1:], strict=False))
        if len(self.share) < 2 or (self.share[0], self.share[-1]) != (0, 1) or not rises:
            msg = f"FaithfulnessCurve.share: expected numbers that rise from 0 to 1; got {self.share}"
            raise ValueError(msg)
        for name, cosines in self.lines.items():
            # As for Attribution.similarity: rounding may carry a cosine a little past one.
            if len(cosines) != len(self.share) or not all(-1.001 <= one <= 1.001 for one in cosines):
                msg = f"FaithfulnessCurve.{name}: expected {len(self.share)} cosines in -1 .. 1; got {cosines}"
                raise ValueError(msg)

    @property
    def lines(self) -> Mapping[str, tuple[float, ...]]:
        """The cosines in every order by the field's name: ``own``, then those of the maps that know nothing."""
        return {"own": self.own, "random": self.random, "constant": self.constant, "centre": self.centre}

    @property
    def advantage(self) -> float:
        """Area by which the map does better than the best control, as a cosine; negative where it does worse.

        Better is a similarity that rises sooner where parts are inserted, and falls sooner where they are deleted.
        """
        sign = 1 if self.walk is Walk.INSERTION else -1
        own, *others = (sign * area for area in self.areas.values())
        return own - max(others)

    @property
    def areas(self) -> Mapping[str, float]:
        """The area under each line by the trapezoid rule, as a cosine, by the field's name; ``own`` first."""
        return {name: float(np.trapezoid(one, self.share)) for name, one in self.lines.items()}
