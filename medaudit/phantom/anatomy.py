"""Who stands before the detector and how: the parameters of a chest, and the measures that follow from them."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from medaudit.phantom.grid import Plane, Point

MIN_AGE: Final = 18
MAX_AGE: Final = 95
MAX_ROTATION_DEG: Final = 12.0
MAX_TILT_DEG: Final = 6.0
MAX_HABITUS: Final = 2.5
_UPRIGHT: Final = 0.68  # the share of the lung's height below which the side walls are upright


class Sex(StrEnum):
    """Patient's Sex (0010,0040) of a phantom."""

    F = "F"
    M = "M"


class View(StrEnum):
    """View Position (0018,5101): PA erect at the wall stand, AP with the patient in bed."""

    PA = "PA"
    AP = "AP"


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A chest and how it stands before the detector.

    Parameters
    ----------
    sex, view
        See the enums.
    age
        Years, 18 .. 95: widens the aorta, thins the bones.
    habitus
        Standard deviations from a medium build, -2.5 (slender) .. 2.5 (stout).
    inspiration
        0 (shallow) .. 1 (deep).
    rotation_deg
        About the body's long axis, -12 .. 12; what lies in front moves to the right of the picture.
    tilt_deg
        Lean in the picture plane, -6 .. 6.
    shift_cm
        (x, y) off the detector's centre.
    heart
        Width of the heart over the inner width of the chest (cardiothoracic ratio), 0.3 .. 0.7.
    seed
        Of everything that no parameter names: sizes, vessels, ribs, texture.

    """

    sex: Sex
    age: int
    habitus: float
    view: View
    inspiration: float
    rotation_deg: float
    tilt_deg: float
    shift_cm: Point
    heart: float
    seed: int

    def __post_init__(self) -> None:
        ranges = (
            ("age", self.age, MIN_AGE, MAX_AGE),
            ("habitus", self.habitus, -MAX_HABITUS, MAX_HABITUS),
            ("inspiration", self.inspiration, 0, 1),
            ("rotation_deg", self.rotation_deg, -MAX_ROTATION_DEG, MAX_ROTATION_DEG),
            ("tilt_deg", self.tilt_deg, -MAX_TILT_DEG, MAX_TILT_DEG),
            ("heart", self.heart, 0.3, 0.7),
        )
        for name, value, low, high in ranges:
            if not low <= value <= high:
                msg = f"Anatomy.{name}: expected {low} .. {high}; got {value}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Measures:
    """The lengths, in cm, that the parts of one chest share.

    ``bone`` scales the skeleton; ``lung_density`` is the lung's in units of soft tissue, and grows by the share
    ``basal_density`` from apex to base; ``turn`` is the sine of the rotation.
    """

    size: float
    chest_half_width: float
    chest_depth: float
    fat: float
    muscle: float
    right_dome: float
    left_dome: float
    dome_rise: float
    mediastinum: float
    heart_width: float
    heart_half_height: float
    heart_half_depth: float
    knob: float
    carina: float
    breast: float
    bone: float
    lung_density: float
    basal_density: float
    armpit: float
    turn: float

    def turned(self, x: float, front: float) -> float:
        """Where a structure at ``x`` that lies ``front`` cm before the rotation axis is projected."""
        return x + front * self.turn

    def rib_cage(self, y: Plane) -> Plane:
        """Inner half width of the chest at height y, 0 above the apices."""
        t = np.clip(y / np.float32(_UPRIGHT * self.right_dome), 0, 1)
        # A quarter of an ellipse: round apices, upright lower walls.
        return np.asarray(np.float32(self.chest_half_width) * np.sqrt(t * (2 - t)), dtype=np.float32)

    def rib_cage_at(self, y: float) -> float:
        """:meth:`rib_cage` of one height."""
        t = min(max(y / (_UPRIGHT * self.right_dome), 0.0), 1.0)
        return self.chest_half_width * math.sqrt(t * (2 - t))

    def lung_density_at(self, y: Plane) -> Plane:
        """Density of the lung at height y, in units of soft tissue."""
        share = np.clip(y / np.float32(self.right_dome), 0, 1.2) - np.float32(0.5)
        return np.asarray(np.float32(self.lung_density) * (1 + np.float32(self.basal_density) * share), np.float32)

    def dome(self, side: str) -> float:
        """Height of the top of one hemidiaphragm; ``side`` is 'right' or 'left'."""
        return self.right_dome if side == "right" else self.left_dome


def measure(anatomy: Anatomy) -> Measures:
    """Draw the measures of a chest; a pure function of the anatomy."""
    rng = np.random.default_rng([anatomy.seed, 1])

    def vary(mean: float, sd: float) -> float:
        return mean * (1 + sd * float(np.clip(rng.normal(), -2.2, 2.2)))

    female, supine = anatomy.sex is Sex.F, anatomy.view is View.AP
    size = vary(0.925 if female else 1.0, 0.025)
    half_width = vary(13.8, 0.045) * size * (1 + 0.02 * anatomy.habitus)
    right_dome = (vary(18.6, 0.05) + (3.2 if supine else 5.0) * anatomy.inspiration - 0.35 * anatomy.habitus) * size
    heart_width = anatomy.heart * 2 * half_width
    aged = (anatomy.age - 55) / 40
    return Measures(
        size=size,
        chest_half_width=half_width,
        chest_depth=vary(16.0, 0.08) * size * (1 + 0.06 * anatomy.habitus),
        fat=vary(0.55 + 0.45 * female + 0.85 * math.exp(0.45 * anatomy.habitus), 0.22),
        muscle=vary(1.3 if female else 1.7, 0.18),
        right_dome=right_dome,
        left_dome=right_dome + vary(1.0, 0.9),
        dome_rise=vary(3.4, 0.22),
        mediastinum=vary(2.5 + 0.25 * anatomy.habitus + 0.3 * supine, 0.18) * size,
        heart_width=heart_width,
        heart_half_height=vary(0.44, 0.14) * heart_width + 0.6,
        heart_half_depth=vary(6.6, 0.16) * size,
        knob=vary(1.75 + 0.3 * aged, 0.08) * size,
        carina=vary(7.6, 0.06) * size,
        breast=max(vary(2.2 + 0.7 * anatomy.habitus, 0.25), 0.5) if female else 0.0,
        bone=vary(1.0 - 0.18 * aged - 0.1 * female, 0.06),
        lung_density=vary(0.27 - 0.06 * anatomy.inspiration + 0.03 * supine, 0.17),
        basal_density=float(np.clip(rng.normal(0.25, 0.25), -0.3, 0.9)),
        armpit=vary(12.5, 0.14),
        turn=math.sin(math.radians(anatomy.rotation_deg)),
    )
