"""Ribs, spine, sternum, shoulder girdle: cortical bone about cancellous bone."""

import math
from typing import Final

import numpy as np

from medaudit.phantom.ct_chest import FAT_HU, MUSCLE_HU, CtChest
from medaudit.phantom.ct_grid import ANGLES, Section
from medaudit.phantom.ct_tubes import Tube, across
from medaudit.phantom.grid import Plane, smoothstep

CORTEX_HU: Final = 850.0
CARTILAGE_HU: Final = 110.0
DISC_HU: Final = 85.0
CORD_HU: Final = 30.0
RIBS: Final = 12

_RIB_PITCH: Final = 2.25  # cm from rib to rib, and from vertebra to vertebra, in a chest of medium size
_FIRST_RIB: Final = -1.0  # height of the first rib's head
_RIB_HALF_HEIGHT: Final = 0.54
_RIB_HALF_DEPTH: Final = 0.4
_RIB_FALL: Final = 10.5  # cm by which a rib falls from the spine to the front
_CORTEX: Final = 0.14
_CARTILAGE_FROM: Final = 0.8  # share of the half turn from the spine

# By angle from the front: how far a rib has fallen there.
_FROM_SPINE: Final = 1 - (np.arange(ANGLES) + 0.5) / ANGLES
_FALLEN: Final = smoothstep(_FROM_SPINE, 0.02, _CARTILAGE_FROM) - 0.55 * smoothstep(_FROM_SPINE, 0.78, 1.05)


def marrow_hu(chest: CtChest) -> float:
    """CT number of cancellous bone: about 240 in the young, 100 in the old (approximate)."""
    return 190.0 * chest.measures.bone + 40 - 60 * (chest.anatomy.age - 55) / 40


def paint_skeleton(chest: CtChest, section: Section) -> None:
    """Every bone that the section meets."""
    marrow = marrow_hu(chest)
    _paint_ribs(chest, section, marrow)
    _paint_spine(chest, section, marrow)
    _paint_sternum(chest, section, marrow)
    _paint_girdle(chest, section, marrow)


def _paint_ribs(chest: CtChest, section: Section, marrow: float) -> None:
    """Ribs run obliquely: a section cuts each of them somewhere else, and meets several."""
    size, polar = chest.measures.size, section.polar
    pleura = chest.outline(section.z).pleura
    off = polar.radius - pleura[polar.angle]
    section.fill(section.edge(np.float32(0.5) - np.abs(off - np.float32(0.55))), MUSCLE_HU)
    phase = (section.z - _FIRST_RIB * size - _RIB_FALL * size * _FALLEN) / (_RIB_PITCH * size)
    number = np.rint(phase)
    there = (number >= 0) & (number < RIBS)
    there &= (number < 10) | (_FROM_SPINE < 0.5)  # the last two end in the flank
    # Below the seventh the cartilages join one another and leave the section.
    there &= (number < 7) | (_FROM_SPINE < 0.9)
    height = np.where(there, (phase - number) * _RIB_PITCH / _RIB_HALF_HEIGHT, 9.0).astype(np.float32)[polar.angle]
    depth = (off - np.float32(0.55)) / np.float32(_RIB_HALF_DEPTH)
    inside = np.float32(_RIB_HALF_DEPTH) * (1 - np.hypot(height, depth))
    beside = np.abs(polar.x) - np.float32(2.6 * size)
    inside = np.where(polar.y > 0, np.minimum(inside, beside), inside)
    cover = section.edge(inside)
    cartilage = (_FROM_SPINE > _CARTILAGE_FROM)[polar.angle]
    section.fill(cover * ~cartilage, CORTEX_HU * chest.measures.bone)
    section.fill(section.edge(inside - np.float32(_CORTEX)) * ~cartilage, marrow + 60)
    section.fill(cover * cartilage, CARTILAGE_HU)


def _bone(section: Section, box: tuple[slice, slice], inside: Plane, cortex: float, marrow: float) -> None:
    section.displace(section.edge(inside), cortex, box)
    section.fill(section.edge(inside - np.float32(_CORTEX)), marrow, box)


def _paint_spine(chest: CtChest, section: Section, marrow: float) -> None:
    measures, size = chest.measures, chest.measures.size
    middle, cortex = chest.spine(section.z), CORTEX_HU * measures.bone
    back = middle + 1.4 * size
    for side in (-1, 1):  # erector muscles fill the groove beside the spine
        box, inside = section.ellipse((side * 2.6 * size, back + 2.9 * size), (2.3 * size, 1.7 * size), side * 0.15)
        section.displace(section.edge(inside), MUSCLE_HU - 5, box)
    phase = ((section.z - _FIRST_RIB * size) / (_RIB_PITCH * size)) % 1
    disc = 0.62 < phase < 0.84
    wide = (1.35 + 0.35 * min(max(section.z / 18, 0), 1.3)) * size
    box, inside = section.ellipse((0.0, middle), (wide, 0.86 * wide))
    section.displace(section.edge(inside + np.float32(0.2)), FAT_HU + 60, box)
    if disc:
        section.displace(section.edge(inside), DISC_HU, box)
    else:
        _bone(section, box, inside, 0.7 * cortex, marrow)
    box, inside = section.ellipse((0.0, back + 0.75 * size), (1.5 * size, 1.25 * size))
    section.displace(section.edge(inside), 0.65 * cortex if not 0.55 < phase < 0.8 else MUSCLE_HU, box)
    box, inside = section.ellipse((0.0, back + 0.55 * size), (0.98 * size, 0.85 * size))
    section.displace(section.edge(inside), CORD_HU - 15, box)
    box, inside = section.ellipse((0.0, back + 0.55 * size), (0.5 * size, 0.42 * size))
    section.fill(section.edge(inside), CORD_HU, box)
    rods = [((0.0, back + 1.9 * size), (0.0, back + 3.9 * size), 0.32)] if phase < 0.75 else []
    if phase < 0.36 or phase > 0.9:
        for side in (-1, 1):
            rods.append(((side * 1.3 * size, back + 1.0 * size), (side * 3.3 * size, back + 2.1 * size), 0.42))
            if section.z < (_FIRST_RIB + RIBS * _RIB_PITCH) * size:  # neck and head of a rib
                rods.append(((side * 1.75 * size, middle + 0.8 * size), (side * 3.6 * size, back + 1.3 * size), 0.38))
    for start, end, radius in rods:
        box, inside = section.rod(start, end, radius * size)
        _bone(section, box, inside, 0.8 * cortex, marrow + 40)


def _paint_sternum(chest: CtChest, section: Section, marrow: float) -> None:
    size, z = chest.measures.size, section.z
    top, low = 2.8 * size, 19.0 * size
    if not top < z < low:
        return
    upper = z < top + 4.5 * size
    wide = (3.0 - 0.28 * (z - top)) * size if upper else (1.75 - 0.05 * max(z - 14, 0)) * size
    box, inside = section.ellipse((0.0, -chest.front(z) - 0.6), (wide, 0.62 * size))
    _bone(section, box, inside, 0.6 * CORTEX_HU * chest.measures.bone, 0.85 * marrow)


def _paint_girdle(chest: CtChest, section: Section, marrow: float) -> None:
    """Clavicles, scapulae and the heads of the humeri; the arms lie beside the head."""
    size, cortex = chest.measures.size, CORTEX_HU * chest.measures.bone
    for side in (-1, 1):
        front = -chest.front(3.0) - 0.5
        bend = (side * 8.5 * size, front + 1.0, 1.4)
        tip = (side * 15.0 * size, 1.0, -2.0)
        tubes = [
            (Tube((side * 2.4 * size, front, 3.0), bend, 0.62 * size), marrow + 60),
            (Tube(bend, tip, 0.55 * size), marrow + 60),
            (Tube((side * 16.5 * size, 1.5, -3.2), (side * 16.5 * size, 1.0, -1.6), 2.3 * size), marrow),
            (Tube((side * 13.6 * size, 2.6, -1.6), (side * 13.0 * size, 3.0, 1.2), 1.1 * size), marrow + 40),
        ]
        for tube, inner in tubes:
            met = across(section, tube)
            if met is not None:
                _bone(section, met[0], met[1], cortex, inner)
    _paint_blades(chest, section, cortex, marrow)


def _paint_blades(chest: CtChest, section: Section, cortex: float, marrow: float) -> None:
    """The scapula's blade, thin between two thick borders, and its spine."""
    size, z, polar = chest.measures.size, section.z, section.polar
    share = (z - 0.5) / (13.5 * size)
    if not 0 < share < 1:
        return
    pleura = chest.outline(z).pleura
    off = polar.radius - pleura[polar.angle]
    turn = (polar.angle + np.float32(0.5)) * np.float32(math.pi / ANGLES)
    middle, half = 2.28 + 0.1 * share, 0.4 * (1 - share**2) + 0.04
    along = np.float32(half) - np.abs(turn - np.float32(middle))
    from_border = np.clip(along / np.float32(half), 0, 1)
    rise = np.float32(1.55) + np.float32(0.35) * np.cos((turn - np.float32(middle)) * np.float32(2.5))
    thick = np.float32(0.17) + np.float32(0.33) * smoothstep(from_border, 0.4, 0.0)
    inside = np.minimum(thick - np.abs(off - rise), along * polar.radius)
    section.fill(section.edge(inside), 0.85 * cortex)
    section.fill(section.edge(inside - np.float32(_CORTEX)), marrow + 60)
    if 1.0 < z < 4.5:
        for side in (-1, 1):
            reach = float(pleura[int(middle / math.pi * ANGLES)]) + 1.8
            start = side * reach * math.sin(middle), -reach * math.cos(middle)
            end = start[0] + side * (4.2 - 0.9 * z) * size, start[1] + (1.9 - 0.25 * z) * size
            box, rod = section.rod(start, end, 0.4 * size)
            _bone(section, box, rod, 0.8 * cortex, marrow + 60)
