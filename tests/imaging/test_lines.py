"""Bright thin lines: those that were drawn, and none of the things that look a little like them."""

import numpy as np
import pytest

from medaudit.imaging.lines import bright_lines

SIDE = 512
ROW, COLUMN = np.indices((SIDE, SIDE)).astype(np.float64)
ALLOWED = np.zeros((SIDE, SIDE), np.bool_)
ALLOWED[16:-16, 16:-16] = True


def textured(seed=0):
    """A shaded picture with a little noise and many faint short strokes, as a chest has."""
    rng = np.random.default_rng(seed)
    picture = 0.3 + 0.2 * ROW / SIDE + rng.normal(0, 0.003, (SIDE, SIDE))
    for _ in range(120):
        top, left = rng.integers(20, SIDE - 60, 2)
        picture[top, left : left + 30] += 0.02
    return picture


def drawn(distance, width=1.0, height=0.06):
    """A bright line where a distance is small."""
    return height * np.exp(-((distance / width) ** 2))


@pytest.mark.parametrize("angle", [0, 20, 45, 75, 90, 130])
def test_a_straight_line_of_any_direction_is_found_and_no_stroke(angle):
    turn = np.radians(angle)
    distance = (ROW - 256) * np.cos(turn) - (COLUMN - 256) * np.sin(turn)
    along = (ROW - 256) * np.sin(turn) + (COLUMN - 256) * np.cos(turn)
    found = bright_lines((textured() + drawn(distance) * (np.abs(along) < 100)).astype(np.float32), ALLOWED)
    beside = np.abs(distance) < 4
    assert len(np.unique(along[found & beside & (np.abs(along) < 90)] // 4)) > 35  # of 45 stretches
    assert found[~beside].sum() <= 60  # one stroke or two that touch the line, of 120


def test_a_bent_one_is_found_too():
    distance = np.hypot(ROW - 40, COLUMN - 256) - 220
    found = bright_lines((textured() + drawn(distance)).astype(np.float32), ALLOWED)
    assert found[np.abs(distance) < 4].sum() > 300
    assert found[np.abs(distance) >= 4].sum() == 0


def test_an_edge_a_band_and_a_dark_line_are_none():
    for other in (0.1 * (ROW > COLUMN), drawn(COLUMN - 256, width=12), -drawn(COLUMN - 256)):
        assert bright_lines((textured() + other).astype(np.float32), ALLOWED).sum() == 0


def test_nothing_is_found_where_it_is_not_allowed_or_nothing_is():
    picture = (textured() + drawn(COLUMN - 256)).astype(np.float32)
    allowed = ALLOWED.copy()
    allowed[:, 240:272] = False
    assert bright_lines(picture, allowed).sum() == 0
    assert bright_lines(np.full((40, 64), 0.5, np.float32), np.ones((40, 64), np.bool_)).sum() == 0
