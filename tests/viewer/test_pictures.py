import base64
import dataclasses
import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from medaudit.records import ReadingCopy
from medaudit.viewer import pictures
from medaudit.viewer.pictures import Look

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def image(known):
    return known.image("S-1", "I-1", 3, (), colour=False, size=(48, 40))


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def embedded(svg):
    return base64.b64decode(re.search(r'base64,([^"]+)"', svg).group(1))


def rendered(image, look, position=0):
    scale = pictures.map_scale(image, position, common=look.common_scale)
    return pixels(pictures.overlay_png(image.reading_copy, image.attributions[position], scale, look))


def test_source_is_the_picture_the_model_was_shown(image):
    np.testing.assert_array_equal(pixels(pictures.source_png(image.reading_copy)), image.reading_copy.shown)


def test_window_changes_the_picture_and_not_the_map(image):
    window = (2000.0, 800.0)
    copy = image.reading_copy
    np.testing.assert_array_equal(pixels(pictures.source_png(copy, window)), copy.windowed(*window))
    clear = rendered(image, Look(opacity=0.0, window=window))
    seen = ~np.isnan(image.attributions[0].image.pixels(copy.shape))
    np.testing.assert_array_equal(clear[seen], np.repeat(copy.windowed(*window)[..., None], 3, axis=2)[seen])


def test_no_opacity_is_the_picture_but_for_the_unseen(image):
    clear = rendered(image, Look(opacity=0.0))
    shown = np.repeat(image.reading_copy.shown[..., None], 3, axis=2)
    seen = ~np.isnan(image.attributions[0].image.pixels(image.reading_copy.shape))
    np.testing.assert_array_equal(clear[seen], shown[seen])
    assert not np.array_equal(clear[~seen], shown[~seen])


def test_map_colours_where_the_relevance_is(image):
    change = np.abs(rendered(image, Look()).astype(int) - rendered(image, Look(opacity=0.0))).sum(axis=2)
    row, column = np.unravel_index(change.argmax(), change.shape)
    nats = image.attributions[0].image.pixels(image.reading_copy.shape)
    assert nats[row, column] > 0.8 * np.nanmax(nats)


def test_threshold_takes_the_low_end_away(image):
    nats = image.attributions[0].image.pixels(image.reading_copy.shape)
    high = rendered(image, Look(threshold_nats=0.5))
    clear = rendered(image, Look(opacity=0.0))
    low = ~np.isnan(nats) & (nats < 0.5)
    np.testing.assert_array_equal(high[low], clear[low])
    assert not np.array_equal(high, clear)


def test_scale_common_or_own(image):
    assert pictures.map_scale(image, 5, common=True).maximum_nats == 1.6
    own = pictures.map_scale(image, 5, common=False)
    assert own.maximum_nats < 0.2
    assert pictures.scale_sentence(own, "token", common=False).endswith("nats per token, for this prompt alone")


def test_window_range_spans_values_and_window(image):
    bounds = pictures.window_range(image.reading_copy)
    values = image.reading_copy.values
    assert (bounds.lowest, bounds.highest) == (values.min(), values.max())
    assert bounds.widest == 4095
    assert bounds.step == 10


@pytest.mark.parametrize("slope", [1.0, -1.0, 1e-4])
def test_window_range_follows_the_slope(slope):
    values = np.array([[0, 1000]], np.uint16)
    copy = ReadingCopy(np.zeros((1, 2), np.uint8), values, slope, -5.0, (slope * 500 - 5, abs(slope) * 10))
    bounds = pictures.window_range(copy)
    ends = sorted((-5.0, slope * 1000 - 5))
    assert (bounds.lowest, bounds.highest) == pytest.approx(ends)
    assert 0 < bounds.step <= (bounds.highest - bounds.lowest) / 10


def test_no_window_for_colour_or_one_value():
    assert pictures.window_range(ReadingCopy(np.zeros((4, 4, 3), np.uint8))) is None
    flat = ReadingCopy(np.zeros((4, 4), np.uint8), np.full((4, 4), 7, np.uint16), window=(7.0, 2.0))
    assert pictures.window_range(flat) is None


def test_source_svg_marks_sides_and_crop(image):
    svg = pictures.source_svg(image, None)
    tree = ET.fromstring(svg)  # noqa: S314 - our own picture
    assert [text.text for text in tree.iter(f"{SVG}text")] == ["R", "L", "H", "F"]
    (outline,) = tree.iter(f"{SVG}rect")
    assert float(outline.get("y")) == pytest.approx(4, abs=0.2)  # 48 rows, square crop of 40: 4 above, 4 below
    assert float(outline.get("height")) == pytest.approx(40, abs=0.4)
    np.testing.assert_array_equal(pixels(embedded(svg)), image.reading_copy.shown)


def test_no_letters_and_no_outline_where_there_is_nothing_to_say(image):
    whole = dataclasses.replace(image.grid_map, seen=(-0.5, 47.5, -0.5, 39.5))
    silent = dataclasses.replace(
        image, grid_map=whole, record=dataclasses.replace(image.record, patient_orientation=None)
    )
    tree = ET.fromstring(pictures.source_svg(silent, None))  # noqa: S314 - our own picture
    assert [element.tag for element in tree] == [f"{SVG}title", f"{SVG}image"]


def test_contour_only_with_a_threshold(image):
    assert "<path" not in pictures.overlay_svg(image, 0, Look())
    tree = ET.fromstring(pictures.overlay_svg(image, 0, Look(threshold_nats=0.5)))  # noqa: S314 - our own picture
    (path,) = tree.iter(f"{SVG}path")
    numbers = [float(number) for number in re.findall(r"[0-9.]+", path.get("d"))]
    assert max(numbers[::2]) <= 40
    assert max(numbers[1::2]) <= 48


def test_svg_escapes_the_prompt(known):
    hostile = known.image("S-1", "I-1", 3, (), colour=True, size=(48, 40))
    svg = pictures.overlay_svg(hostile, len(hostile.attributions) - 1, Look())
    assert "<script" not in svg
    title = ET.fromstring(svg).find(f"{SVG}title")  # noqa: S314 - our own picture
    assert known.script in title.text
