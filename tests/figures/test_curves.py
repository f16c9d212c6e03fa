"""Charts of curves: round ticks around every line, names that can be read, and SVG that holds no markup of others."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medaudit.figures.curves import ENGLISH, LETTERS, LINES, Colours, CosineAxis, Ink, curve_chart, svg
from medaudit.records import FaithfulnessCurve, Walk

SIZE = (238.0, 150.0)
SHARE = tuple(np.linspace(0, 1, 11).tolist())
COLOURS = Colours(dict.fromkeys(Ink, "#123456"), "#fff")


def curve(*lines, walk=Walk.INSERTION):
    return FaithfulnessCurve("a prompt", walk, SHARE, *(tuple(np.asarray(line).tolist()) for line in lines))


RISING = curve(*(0.1 + 0.3 * np.array(SHARE) ** power for power in (0.3, 1, 1.6, 0.7)))
MODEST = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINE = st.lists(st.floats(-1, 1), min_size=11, max_size=11)


def chart_of(one, words=ENGLISH):
    return curve_chart(one, CosineAxis.over([one]), SIZE, words)


def names(chart):
    return {label.text: label for label in chart.labels if label.bare}


@MODEST
@given(st.lists(st.builds(curve, LINE, LINE, LINE, LINE), max_size=3))
def test_an_axis_holds_every_line_between_few_round_ticks(found):
    axis = CosineAxis.over(found)
    values = [value for one in found for line in one.lines.values() for value in line]
    assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value in values)
    assert 2 <= len(axis.ticks) <= 7
    assert len({f"{tick:.{axis.decimals}f}" for tick in axis.ticks}) == len(axis.ticks)
    assert all(float(f"{tick:.{axis.decimals}f}") == pytest.approx(tick) for tick in axis.ticks)


def test_what_hardly_moves_looks_flat():
    flat = curve(*[np.full(11, 0.25) + np.linspace(0, 1e-4, 11)] * 4)
    heights = [y for stroke in chart_of(flat).strokes if stroke.ink is Ink.ACCENT for _, y in stroke.points]
    assert max(heights) - min(heights) < 1


@MODEST
@given(st.builds(curve, LINE, LINE, LINE, LINE))
def test_no_two_names_lie_on_each_other_and_none_leaves_the_chart(one):
    labels = list(names(chart_of(one)).values())
    assert len(labels) == len(LINES)
    boxes = [(x, y, x + len(label.text) * LETTERS * 0.62, y + LETTERS) for label in labels for x, y in [label.at]]
    for place, (left, bottom, right, top) in enumerate(boxes):
        assert 0 <= left < right <= SIZE[0]
        assert 0 <= bottom < top <= SIZE[1]
        for other in boxes[:place]:
            assert right <= other[0] or other[2] <= left or top <= other[1] or other[3] <= bottom


def test_a_name_stands_at_its_own_line():
    chart = chart_of(RISING)
    strokes = {stroke.dash: stroke for stroke in chart.strokes if len(stroke.points) == len(SHARE)}
    own = strokes[()]
    x, y = names(chart)["map"].at
    heights = np.interp(np.linspace(x, x + 3 * LETTERS * 0.62, 9), *np.array(own.points).T)
    assert min(abs(heights - y).min(), abs(heights - y - LETTERS).min()) < 4
    assert len(strokes) == len(LINES)  # each with dashes of its own, so that grey print keeps them apart


def test_axes_are_named_with_what_the_walk_does():
    said = [{label.text for label in chart_of(replace(RISING, walk=walk)).labels} for walk in Walk]
    assert {"Insertion", "share of the picture shown (%)", "cosine similarity", "0", "50", "100"} <= said[0]
    assert {"Deletion", "share of the picture hidden (%)", "cosine similarity"} <= said[1]


def test_the_alternative_text_says_the_areas():
    told = chart_of(RISING).alternative
    assert told.startswith("Insertion: cosine similarity against share of the picture shown (%).")
    assert "map 0.3" in told
    assert "constant 0.2" in told
    assert "\u22120.000" not in chart_of(curve(*[np.full(11, -1e-6)] * 4)).alternative


def test_svg_is_well_formed_loads_nothing_and_takes_no_text_for_markup():
    nasty = replace(ENGLISH, cosine='"><script>alert(1)</script>&')
    document = svg(chart_of(RISING, nasty), COLOURS)
    root = ET.fromstring(document)  # noqa: S314  # written a line above
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "polyline", "text"}
    assert nasty.cosine in root.attrib["aria-label"]
    assert "href" not in document
