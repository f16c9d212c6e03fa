"""Candidate areas, on phantoms whose marks, devices and edges are known."""

import numpy as np
import pytest

from medaudit.imaging.areas import Area, areas_on_input, find_areas
from medaudit.imaging.regions import text_regions
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.marks import MarkKind
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import render
from medaudit.records import AxisMap, GridMap, TokenGrid
from medaudit.training.corpus import displayed

SIDE = 512
KIND = {"drain": DeviceKind.DRAIN, "line": DeviceKind.LINE, "tube": DeviceKind.TUBE}


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


@pytest.mark.parametrize("device", ["drain", "line", "tube"])
def test_thin_lines_find_most_devices_and_little_else(device):
    """Plates of atelectasis and fissures may be among them: a check says so."""
    recall, off = [], []
    for index in range(3):
        spec = draw_study(28, index, [parse_shortcut(f"pneumothorax:{device}=1/1")])
        masks = render(spec, SIDE).device_masks
        found = areas(shown(spec)).get(Area.DEVICE, np.zeros((SIDE, SIDE), np.bool_))
        (mask,) = (mask for one, mask in zip(spec.devices, masks, strict=True) if one.kind is KIND[device])
        recall.append(found[mask].mean())
        off.append(found[~np.logical_or.reduce(masks)].mean())
    assert np.mean(np.array(recall) > 0.3) >= 2 / 3
    assert np.mean(recall) > 0.35
    assert max(off) < 0.04


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
