"""Candidate areas, on phantoms whose marks, devices and edges are known."""

import numpy as np
import pytest

from medaudit.imaging.areas import Area, areas_on_input, find_areas
from medaudit.imaging.regions import text_regions
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.marks import MarkKind
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import render
from medaudit.records import AxisMap, GridMap, TokenGrid
from medaudit.training.corpus import displayed

SIDE = 512


def shown(spec):
    return displayed(render(spec, SIDE), spec, SIDE).astype(np.float32) / 255


def areas(values):
    return find_areas(values, text_regions(values))


@pytest.mark.parametrize("index", [0, 3, 6])
def test_letters_are_found_each_as_what_it_is(index):
    spec = draw_study(28, index)
    phantom, found = render(spec, SIDE), areas(shown(spec))
    assert spec.marks
    for mark, (top, left, bottom, right) in zip(spec.marks, phantom.mark_boxes, strict=True):
        kind = Area.MARKER if mark.kind in (MarkKind.LEFT, MarkKind.RIGHT) else Area.TEXT
        assert found[kind][top:bottom, left:right].mean() > 0.5  # a line of text may lose its ends
        assert found[kind].mean() < 0.02


def test_without_letters_there_are_none():
    from dataclasses import replace

    for index in range(3):
        found = areas(shown(replace(draw_study(28, index), marks=())))
        assert not {Area.TEXT, Area.MARKER} & set(found)


def test_air_is_outside_and_the_lungs_are_not():
    spec = draw_study(28, 1)  # much air on both sides of the neck
    outside = areas(shown(spec))[Area.OUTSIDE]
    assert outside[30:60, 20:80].all() or outside[60:100, 5:20].all()
    assert not outside[200:400, 100:400].any()


def test_thin_lines_are_candidates_of_devices_with_known_weakness():
    """More of a line than of the rest of the picture; ribs and plates of atelectasis may be among them."""
    spec = draw_study(28, 5, [parse_shortcut("pneumothorax:drain=1/1"), parse_shortcut("pneumothorax:pacemaker=1/1")])
    device = np.logical_or.reduce(render(spec, SIDE).device_masks)
    found = areas(shown(spec))[Area.DEVICE]
    assert found.mean() < 0.06
    assert found[device].mean() > 5 * found[~device].mean()


def test_an_empty_picture_has_no_areas_but_its_frame():
    found = areas(np.full((100, 80), 0.5, np.float32))
    assert set(found) <= {Area.BORDER}


def test_areas_lie_on_the_input_where_they_lay_on_the_picture():
    mask = np.zeros((50, 40), np.bool_)
    mask[10:20, 5:15] = True
    # A picture of 100 x 80 stored pixels, padded to 100 x 100 of the model.
    grid_map = GridMap(
        (100, 80), (100, 100), TokenGrid(10, 10, 0), AxisMap(1, 0), AxisMap(1, -10), (-0.5, 99.5, -0.5, 79.5)
    )
    placed = areas_on_input({Area.MARKER: mask, Area.BORDER: mask}, grid_map)
    expected = np.zeros((100, 100), np.bool_)
    expected[20:40, 20:40] = True
    assert np.array_equal(placed[Area.MARKER], expected)
    expected[:, :10] = expected[:, 90:] = True
    assert np.array_equal(placed[Area.BORDER], expected)
