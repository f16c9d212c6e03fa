"""The soft parts of the chest as path lengths along the beam: body, fat, breasts, lungs, heart, vessels, airways."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import Anatomy, Measures
from medaudit.phantom.grid import Box, Field, Plane, Point, chord, smoothstep, spread

# Share of the chest's depth that lies behind the dome, where the lung reaches down into the posterior recess.
_RECESS_SHARE: Final = 0.22
_RECESS_CM: Final = 4.5
_NECK_HALF_WIDTH: Final = 6.0
_SHOULDER_HALF_WIDTH: Final = 22.5


@dataclass(frozen=True, slots=True, eq=False)
class Torso:
    """Path lengths (side, side) float32 in cm.

    ``body`` is everything inside the skin and ``fat`` the part of it that is fat; ``lung`` is aerated
    lung; ``air`` is in the airways and the stomach; ``central`` is the heart and mediastinum.
    """

    measures: Measures
    field: Field
    body: Plane
    fat: Plane
    lung: Plane
    air: Plane
    central: Plane


def build_torso(anatomy: Anatomy, measures: Measures, field: Field) -> Torso:
    """Put the soft parts on the grid."""
    body, fat = _body(measures, field)
    cavity = _cavity(measures, field)
    central = _central(measures, field)
    lung = np.maximum(cavity - central - _aorta(anatomy, measures, field), 0)
    lung = np.minimum(lung, np.maximum(body - np.float32(2 * measures.muscle), 0))
    air = _airways(measures, field) + _bowel_gas(anatomy, measures, field)
    breast = _breasts(anatomy, measures, field)
    body += breast
    # Fat is uneven wherever there is much body around it.
    fat += np.float32(0.6) * breast + _mottle(anatomy.seed, field) * np.clip((body - 8) / 33, 0, 0.3)
    return Torso(measures, field, body, np.maximum(fat, 0), lung, air, central)


def _mottle(seed: int, field: Field) -> Plane:
    """Slowly varying noise of unit size: no tissue is quite even."""
    rng = np.random.default_rng([seed, 2])
    return spread(rng.standard_normal((20, 20), dtype=np.float32), (field.grid.side, field.grid.side))


def _body(measures: Measures, field: Field) -> tuple[Plane, Plane]:
    """(body, fat): a shell of fat around a superelliptic cross-section that widens to the shoulders."""
    x, y, fat, wall = field.x, field.y, measures.fat, measures.muscle
    torso = measures.chest_half_width + 1.4 * wall + 0.06 * np.maximum(y - measures.right_dome, 0)
    arm = torso + (_SHOULDER_HALF_WIDTH - torso) * (1 - smoothstep(y, 1.0, measures.armpit))
    neck = smoothstep(y, -8.5, 0.5)
    half = np.asarray(_NECK_HALF_WIDTH + (arm - _NECK_HALF_WIDTH) * neck * neck, dtype=np.float32)
    depth = measures.chest_depth + 2 * wall
    # Neck and shoulders are thinner than the chest.
    deep = np.asarray(depth * (0.6 + 0.4 * smoothstep(y, -6.0, 7.0)), dtype=np.float32)
    inner = _section(x, half, deep)
    outer = _section(x, half + np.float32(fat), deep + np.float32(2 * fat))
    return outer, np.asarray(outer - inner, dtype=np.float32)


def _section(x: Plane, half: Plane, depth: Plane) -> Plane:
    u = x / half
    u *= u
    return np.asarray(depth * np.sqrt(np.maximum(1 - u * u, 0)), dtype=np.float32)


def _cavity(measures: Measures, field: Field) -> Plane:
    """What the chest would hold without heart and mediastinum."""
    x, y = field.x, field.y
    half = np.maximum(measures.rib_cage(y), np.float32(1e-3))
    t = np.clip(y / 9, 0, 1)
    depth = np.asarray(measures.chest_depth * (0.38 + 0.62 * t * (2 - t)), dtype=np.float32)
    # The apices are vaults: round towards the neck too.
    inward = np.maximum(np.float32(5.3 * measures.size) - np.abs(x), 0) / np.float32(3.6)
    upward = np.maximum(7.4 - y, 0) / np.float32(6.9)
    vault = np.sqrt(np.maximum(1 - inward * inward * np.clip(upward * 2.5, 0, 1) - upward * upward, 0))
    return np.asarray(_section(x, half, depth) * vault * _above(y - diaphragm(measures, x)), dtype=np.float32)


def diaphragm(measures: Measures, x: Plane) -> Plane:
    """Height y of the hemidiaphragms' upper contour at x: highest inside the middle, deep at the ribs."""
    half = measures.chest_half_width
    top = np.where(x < 0, np.float32(measures.right_dome), np.float32(measures.left_dome))
    # The dome's top lies at half the chest's half width; it falls a little to the midline, steeply to the ribs.
    u = (np.abs(x) - np.float32(0.47 * half)) / np.float32(0.53 * half)
    u2 = u * u
    return np.asarray(top + np.float32(measures.dome_rise) * u2 * np.where(u > 0, 0.55 + 0.75 * u2, 0.45), np.float32)


def _above(below: Plane) -> Plane:
    """Share of the cavity's depth above the diaphragm, by height below the dome: 1, the posterior recess, 0."""
    recess = np.float32(_RECESS_SHARE) * np.clip(1 - below / np.float32(_RECESS_CM), 0, 1) ** 2
    open_share = 1 - np.float32(1 - _RECESS_SHARE) * np.exp(np.minimum(below, 0) / np.float32(0.35))
    return np.asarray(np.where(below < 0, open_share, recess), dtype=np.float32)


def heart_path(measures: Measures, field: Field, width: float) -> tuple[Box, Plane]:
    """(box, path) of a heart of one width in cm: a leaning ellipsoid on the left dome."""
    growth = width / measures.heart_width - 1
    half, high = width / 2, measures.heart_half_height * (1 + 0.15 * growth)
    # A third of the heart lies to the right of the midline; a large heart grows to the left.
    centre = measures.turned(0.17 * width + 0.12 * growth * width, 3.5), measures.left_dome + 0.9 - high
    return field.ellipsoid(centre, (half, high), measures.heart_half_depth, lean=0.38, blunt=True)


def above_dome(measures: Measures, field: Field, box: Box) -> Plane:
    """1 above the diaphragm's contour, 0 below, within a box: behind the dome the recess holds lung only."""
    return np.asarray(field.y[box[0]] < diaphragm(measures, field.x[box]), dtype=np.float32)


def _central(measures: Measures, field: Field) -> Plane:
    """Mediastinum, heart, right atrium and pulmonary trunk: what the lungs go around."""
    size, width = measures.size, measures.heart_width
    # Broad at the thoracic inlet, narrow at the great vessels.
    half = np.float32(measures.mediastinum) + np.float32(2.3) * np.exp(-np.maximum(field.y, 0) / np.float32(1.5))
    half *= 1 - np.float32(0.22) * smoothstep(field.y, measures.carina, measures.carina + 7)
    u = (field.x - np.float32(measures.turned(-0.1, 1.5))) / half
    central = chord(u * u, 1.1 * measures.chest_depth)
    atrium = measures.turned(-0.13 * width, 3.5), measures.right_dome - 3.6
    trunk = measures.turned(1.7 * size, 2.5), measures.carina + 2.3
    for box, path in (
        heart_path(measures, field, width),
        field.ellipsoid(atrium, (0.24 * width, 4.6 * size), 4.6 * size, blunt=True),
        field.ellipsoid(trunk, (1.9 * size, 2.6 * size), 4.6 * size, blunt=True),
    ):
        np.maximum(central[box], path * above_dome(measures, field, box), out=central[box])
    return central


def _aorta(anatomy: Anatomy, measures: Measures, field: Field) -> Plane:
    """Aortic knob and descending aorta, behind the heart, so that their border shows through it."""
    out = np.zeros_like(field.x)
    knob_x, knob_y = measures.turned(1.55 * measures.size, 0.5), measures.carina - 1.9
    box, path = field.ellipsoid((knob_x, knob_y), (measures.knob, measures.knob * 0.95), 2.2)
    np.maximum(out[box], path, out=out[box])
    unfolding = max(anatomy.age - 50, 0) / 45
    box = field.grid.box((-3, 8), (knob_y, measures.left_dome + 3))
    bend = np.sin((field.y[box[0]] - np.float32(knob_y)) * np.float32(0.19))
    axis = np.float32(measures.turned(1.7, -4.5)) + np.float32(0.35 + 0.9 * unfolding) * bend
    u = (field.x[box] - axis) / np.float32(1.25)
    np.maximum(out[box], chord(u * u, 2.4), out=out[box])
    return out


def _airways(measures: Measures, field: Field) -> Plane:
    """Air in the trachea and the main bronchi."""
    air, size = np.zeros_like(field.x), measures.size
    top, fork = (measures.turned(0.0, 3.0), -9.0), (measures.turned(-0.5, 0.5), measures.carina)
    right = fork[0] - 1.6 * size, fork[1] + 1.9 * size
    left = fork[0] + 2.6 * size, fork[1] + 1.9 * size
    for start, end, radius in ((top, fork, 0.85), (fork, right, 0.62), (fork, left, 0.52)):
        box, path = field.capsule(start, end, radius * size)
        np.maximum(air[box], path, out=air[box])
    return air


def _bowel_gas(anatomy: Anatomy, measures: Measures, field: Field) -> Plane:
    """The gastric bubble under the left dome, as large as the meal will have it; in some, gas in the bowel."""
    rng = np.random.default_rng([anatomy.seed, 3])
    air = np.zeros_like(field.x)
    half = float(rng.uniform(1.4, 3.6)), float(rng.uniform(0.8, 2.0))
    bubbles = [((float(rng.uniform(5.0, 7.5)), measures.left_dome + 1.2 + half[1]), half, float(rng.uniform(1.0, 2.6)))]
    for _ in range(int(rng.integers(0, 4))):
        centre: Point = float(rng.uniform(-9, 9)), measures.left_dome + float(rng.uniform(5.5, 9))
        bubbles.append(
            (centre, (float(rng.uniform(0.8, 2.2)), float(rng.uniform(0.6, 1.3))), float(rng.uniform(0.5, 1.5)))
        )
    for centre, size, deep in bubbles:
        box, path = field.ellipsoid(centre, size, deep, lean=float(rng.uniform(-0.3, 0.3)))
        air[box] += path
    return air


def _breasts(anatomy: Anatomy, measures: Measures, field: Field) -> Plane:
    """Breasts before the chest: thin above, with a round fold below."""
    breasts = np.zeros_like(field.x)
    if measures.breast <= 0:
        return breasts
    rng = np.random.default_rng([anatomy.seed, 4])
    drop = 16.2 + 0.04 * (anatomy.age - 40) + float(rng.normal(0, 0.7))
    wide, above, below = 5.8 + 0.5 * anatomy.habitus, np.float32(9.0), np.float32(4.2)
    for side in (-1, 1):
        centre = measures.turned(side * (8.3 * measures.size), 9.0), drop + float(rng.normal(0, 0.35))
        box = field.grid.box((centre[0] - wide, centre[0] + wide), (centre[1] - 9.0, centre[1] + 4.2))
        u = (field.x[box] - np.float32(centre[0])) / np.float32(wide)
        v = field.y[box[0]] - np.float32(centre[1])
        inside = np.maximum(1 - u * u - (v / np.where(v < 0, above, below)) ** 2, 0)
        breasts[box] += np.float32(measures.breast) * np.where(v < 0, inside, (np.sqrt(inside) + inside) / 2)
    return breasts
