"""The chest in three dimensions: rib cage, skin, lungs, diaphragm and heart, from the measures of the radiograph.

CT numbers are approximate, of a scan without contrast, within the ranges of teaching tables (for instance
http://radclass.mudr.org/content/hounsfield-units-scale-hu-ct-numbers); air -1000 and water 0 by definition.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.anatomy import Anatomy, Measures, measure
from medaudit.phantom.ct_grid import ANGLES, Polar, Section
from medaudit.phantom.grid import Plane, smoothstep

FAT_HU: Final = -100.0
MUSCLE_HU: Final = 55.0
BLOOD_HU: Final = 45.0
MYOCARDIUM_HU: Final = 52.0
LIVER_HU: Final = 58.0
SPLEEN_HU: Final = 50.0
WATER_HU: Final = 15.0  # what lies in a stomach
_STOMACH_AIR_HU: Final = -950.0
SKIN_HU: Final = 20.0
GLAND_HU: Final = 30.0

_SQUARE: Final = 2.45  # exponent of the rib cage's outline: a little squarer than an ellipse
_WALL: Final = 1.05  # cm from the pleura to the outer face of the ribs
_PLEURA: Final = 0.15

Table = NDArray[np.float32]
_TURN: Final = (np.arange(ANGLES) + 0.5) * (math.pi / ANGLES)
_SIN: Final = np.sin(_TURN)
_COS: Final = np.cos(_TURN)


def _bump(centre: float, width: float) -> NDArray[np.float64]:
    """A hump about an angle from the front, in radians."""
    return np.asarray(np.exp(-(((_TURN - centre) / width) ** 2)))


def _step(value: float, start: float, stop: float) -> float:
    """:func:`medaudit.phantom.grid.smoothstep` of one number."""
    t = min(max((value - start) / (stop - start), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The chest's outlines at one height, in cm from the axis by angle: pleura, outer face of the muscles, skin."""

    pleura: Table
    muscle: Table
    skin: Table


@dataclass(frozen=True, slots=True)
class CtChest:
    """A chest; its methods take heights in cm below the lung apices."""

    anatomy: Anatomy
    measures: Measures
    lung_hu: float

    @classmethod
    def of(cls, anatomy: Anatomy) -> "CtChest":
        """The chest of an anatomy."""
        # -850 to -910 HU at full inspiration, more without.
        rng = np.random.default_rng([anatomy.seed, 21])
        lung = -835 - 35 * anatomy.inspiration + 15 * float(np.clip(rng.normal(), -2, 2))
        return cls(anatomy, measure(anatomy), lung)

    def _growth(self, z: float) -> float:
        t = min(max((z + 1) / (0.6 * self.measures.right_dome + 1), 0.0), 1.0)
        return math.pow(t * (2 - t), 0.65)

    def half_width(self, z: float) -> float:
        """Inner half width of the rib cage."""
        return self.measures.chest_half_width * (0.34 + 0.66 * self._growth(z))

    def front(self, z: float) -> float:
        """Depth of the rib cage before the axis."""
        return self.measures.chest_depth / 2 * (0.3 + 0.7 * self._growth(z))

    def back(self, z: float) -> float:
        """Depth of the rib cage behind the axis."""
        return self.measures.chest_depth / 2 * (0.8 + 0.2 * self._growth(z))

    def spine(self, z: float) -> float:
        """Y of the middle of the vertebral bodies."""
        return self.back(z) - 3.7 * self.measures.size

    def outline(self, z: float) -> Outline:
        """The outlines at one height."""
        return _outline(self, z)

    def dome(self, polar: Polar) -> Plane:
        """Z of the upper face of the diaphragm over each point."""
        measures = self.measures
        across = np.abs(polar.x) / np.float32(0.5 * measures.chest_half_width) - 1
        across = np.where(across > 0, across * across, np.float32(0.2) * across * across)
        half = measures.chest_depth / 2
        along = (polar.y + np.float32(0.15 * half)) / np.float32(1.15 * half)
        along = np.where(along > 0, np.float32(2.3) * along * along, np.float32(1.3) * along * along)
        fall = np.float32(measures.dome_rise) * (np.float32(1.7) * across + along)
        return np.asarray(np.where(polar.x < 0, measures.right_dome, measures.left_dome) + fall, dtype=np.float32)

    def heart(self, z: float, polar: Polar) -> Plane:
        """Signed distance, positive inside, from the heart's surface; far outside above and below it."""
        measures, half = self.measures, self.heart_half_height
        height = (z - self.heart_middle) / half
        if abs(height) >= 1:
            return np.full_like(polar.x, -9.0)
        scale = (1 - abs(height) ** 2.4) ** 0.5
        # Long axis from the right and behind to the left and before; its upper part lies more to the right.
        long, short = 0.53 * measures.heart_width * scale, 0.4 * measures.heart_width * scale
        x = 0.13 * measures.heart_width + 0.8 * height
        y = -self.front(z) + 1.4 + 0.36 * measures.heart_width - 0.4 * height
        dx, dy = polar.x - np.float32(x), polar.y - np.float32(y)
        cos, sin = math.cos(-0.6), math.sin(-0.6)
        u, v = (cos * dx + sin * dy) / np.float32(long), (cos * dy - sin * dx) / np.float32(short)
        return np.asarray(np.float32(short) * (1 - np.hypot(u, v)), dtype=np.float32)

    @property
    def heart_half_height(self) -> float:
        """Half the heart's height."""
        return 0.95 * self.measures.heart_half_height

    @property
    def heart_middle(self) -> float:
        """Height of the heart's middle; its lower end lies on the diaphragm."""
        return self.measures.left_dome + 1.8 - self.heart_half_height

    def mediastinum(self, z: float, y: Plane) -> Plane:
        """Half width of what lies between the lungs, without the heart, at each depth."""
        size, front, spine = self.measures.size, self.front(z), self.spine(z)
        # Wide at the great vessels and in the neck, narrow behind the heart.
        middle = self.measures.mediastinum + 0.7 * _step(z, 4, 0)
        middle -= 1.1 * _step(z, self.measures.carina + 1.5, self.measures.carina + 5)
        open_front = 0.5 + (middle - 0.5) * smoothstep(y, -front + 0.8, -0.25 * front)
        beside = np.float32(2.15 * size) + np.float32(1.3 * size) * smoothstep(y, spine, self.back(z) - 0.6)
        return np.asarray(open_front + (beside - open_front) * smoothstep(y, spine - 2.5, spine - 0.8), np.float32)

    def lung(self, z: float, polar: Polar) -> Plane:
        """Signed distance, positive inside, from the surface of either lung (approximate, in cm)."""
        pleura = self.outline(z).pleura[polar.angle]
        inside = np.minimum(pleura - polar.radius - _PLEURA, np.abs(polar.x) - self.mediastinum(z, polar.y))
        inside = np.minimum(inside, np.float32(0.7) * (self.dome(polar) - np.float32(z)))
        inside = np.minimum(inside, -self.heart(z, polar) - np.float32(0.25))
        return np.asarray(np.minimum(inside, self._apex(z, polar)) if z < 4.5 else inside)

    def _apex(self, z: float, polar: Polar) -> Plane:
        share = min(max(z, 0.0) / 4.5, 1.0)
        half = math.sqrt(share * (2 - share))
        if half == 0:
            return np.full_like(polar.x, -9.0)
        x, y = 0.58 * self.half_width(z), 0.12 * self.back(z)
        wide, deep = 0.55 * self.half_width(z) * half, 0.55 * (self.front(z) + self.back(z)) * half
        u, v = (np.abs(polar.x) - np.float32(x)) / np.float32(wide), (polar.y - np.float32(y)) / np.float32(deep)
        return np.asarray(np.float32(min(wide, deep)) * (1 - np.hypot(u, v)), dtype=np.float32)


@lru_cache(maxsize=4)  # every painter of a section asks for the same one
def _outline(chest: CtChest, z: float) -> Outline:
    depth = np.where(_COS > 0, chest.front(z), chest.back(z))
    pleura = ((_SIN / chest.half_width(z)) ** _SQUARE + (np.abs(_COS) / depth) ** _SQUARE) ** (-1 / _SQUARE)
    measures = chest.measures
    pectoral = _step(z, -1, 4) * _step(z, 14, 8)
    blade = _step(z, -3, 1) * _step(z, 16, 10)  # muscles about the scapula
    flank = _step(z, 3, 10)
    shoulder = _step(z, 6.5, -1.5)
    muscle = 0.25 + 0.8 * pectoral * _bump(0.75, 0.42) + 1.7 * blade * _bump(2.25, 0.36)
    muscle = muscle + 0.5 * flank * _bump(1.7, 0.4) + 0.9 * _bump(math.pi - 0.3, 0.3)
    muscle = measures.muscle * muscle + 7.0 * shoulder * _bump(1.65, 0.5)
    smooth = 0.35 + 0.75 * pectoral * _bump(0.7, 0.55) + 1.65 * blade * _bump(2.25, 0.5)
    smooth = smooth + 0.55 * flank * _bump(1.7, 0.55) + 1.1 * _bump(math.pi, 0.55)
    smooth = measures.muscle * smooth + 7.2 * shoulder * _bump(1.65, 0.55)
    fat = measures.fat * (0.75 + 0.55 * _bump(1.6, 0.5) + 0.2 * _bump(math.pi, 0.6))
    breast = 1.5 * measures.breast * math.exp(-(((z - 0.55 * measures.right_dome) / 4.6) ** 2)) * _bump(0.78, 0.38)
    skin = pleura + _WALL + 0.15 + np.maximum(smooth, muscle) + fat + breast
    return Outline(*(table.astype(np.float32) for table in (pleura, pleura + _WALL + muscle, skin)))


def paint_trunk(chest: CtChest, section: Section) -> None:
    """Skin, fat, muscle, the contents of the rib cage and of the abdomen, the lungs, the heart."""
    polar, outline = section.polar, chest.outline(section.z)
    skin = outline.skin[polar.angle] - polar.radius
    section.fill(section.edge(skin), SKIN_HU)
    section.fill(section.edge(skin - np.float32(0.2)), FAT_HU)
    _paint_breasts(chest, section, skin)
    section.fill(section.edge(outline.muscle[polar.angle] - polar.radius), MUSCLE_HU)
    wall = polar.radius - outline.pleura[polar.angle]
    # Fat between the rib cage and the muscles that lie on it.
    section.fill(section.edge(np.float32(0.1) - np.abs(wall - np.float32(_WALL + 0.05))) * np.float32(0.8), FAT_HU)
    inside = section.edge(-wall)
    section.fill(inside, FAT_HU)
    _paint_abdomen(chest, section, inside)
    section.lung = section.edge(chest.lung(section.z, polar))
    # The lung is denser where it lies: about 4 HU a cm from front to back, approximate.
    depth = np.float32(chest.lung_hu) + np.float32(4.0) * polar.y
    section.fill(section.lung, depth)
    _paint_heart(chest, section)


def _paint_breasts(chest: CtChest, section: Section, skin: Plane) -> None:
    """Glandular tissue: less with age."""
    measures, z = chest.measures, section.z
    middle = 0.55 * measures.right_dome
    height = (z - middle) / 4.2
    if measures.breast <= 0 or abs(height) >= 1:
        return
    size = math.sqrt(1 - height * height)
    front = chest.outline(z).skin[int(0.78 / math.pi * ANGLES)] - 0.35 * measures.breast - 0.9
    for side in (-1, 1):
        centre = side * float(front) * math.sin(0.78), -float(front) * math.cos(0.78)
        box, inside = section.ellipse(centre, (2.6 * size, (0.5 + 0.4 * measures.breast) * size), side * 0.75)
        share = 0.75 - 0.5 * (chest.anatomy.age - 18) / 77
        cover = section.edge(np.minimum(inside, skin[box] - np.float32(0.5)) * np.float32(0.5))
        section.fill(np.float32(share) * cover, GLAND_HU, box)


def _paint_abdomen(chest: CtChest, section: Section, inside: Plane) -> None:
    """Diaphragm, liver, spleen, stomach: what lies below the domes."""
    polar, z = section.polar, section.z
    below = np.float32(z) - chest.dome(polar)
    if below.max() <= -1:
        return
    section.fill(inside * section.edge(np.float32(0.7) * below), MUSCLE_HU)
    abdomen = inside * section.edge(np.float32(0.7) * (below - np.float32(0.4)))
    # The liver lies on the right; its left lobe reaches over the midline in front.
    reach = np.float32(4.0) * smoothstep(polar.y, 2.0, -4.0) - polar.x
    section.fill(abdomen * section.edge(np.float32(0.2) - reach), FAT_HU)
    section.fill(abdomen * section.edge(reach), LIVER_HU)
    rng = np.random.default_rng([chest.anatomy.seed, 22])
    gone = z - chest.measures.left_dome
    half = chest.measures.chest_half_width
    # Flatter towards their tops, which lie under the dome.
    spleen = math.sqrt(min(max((gone - 1.5) / 4, 0.0), 1.0))
    stomach = math.sqrt(min(max((gone - float(rng.uniform(0.4, 1.4))) / 3, 0.0), 1.0))
    # As the meal will have it: little fluid or much.
    level, meal = float(rng.uniform(-5.5, 1.0)), float(rng.uniform(0.6, 1.35))
    if stomach > 0:
        centre, size = (0.45 * half, -0.12 * half), (0.26 * half * stomach * meal, 0.3 * half * stomach * meal)
        box, wall = section.ellipse(centre, size, 0.3)
        section.fill(abdomen[box] * section.edge(wall), MUSCLE_HU, box)
        lumen = abdomen[box] * section.edge(wall - np.float32(0.35))
        section.fill(lumen, WATER_HU, box)
        section.fill(lumen * section.edge(np.float32(level) - polar.y[box]), _STOMACH_AIR_HU, box)
    if spleen > 0:
        centre = 0.72 * half, 0.3 * chest.measures.chest_depth
        box, organ = section.ellipse(centre, (0.2 * half * spleen, 0.34 * half * spleen), -0.5)
        section.fill(abdomen[box] * section.edge(organ), SPLEEN_HU, box)


def _paint_heart(chest: CtChest, section: Section) -> None:
    """Epicardial fat, muscle, and the left ventricle's blood, hardly darker without contrast."""
    inside = chest.heart(section.z, section.polar)
    if inside.max() <= -1:
        return
    section.fill(section.edge(inside + np.float32(0.25)), FAT_HU)
    section.fill(section.edge(inside - np.float32(0.1)), MYOCARDIUM_HU)
    section.fill(section.edge((inside - np.float32(1.1)) * np.float32(0.6)), BLOOD_HU)
    section.lung *= 1 - section.edge(inside + np.float32(0.25))
