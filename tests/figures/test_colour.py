from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaudit.figures.colour import MINIMUM_NATS, ColourScale, luminance, nice_ceiling
from medaudit.records import AxisMap, GridMap, Quantity, RelevanceMap, TokenGrid


def _map(values):
    nats = np.asarray(values, dtype=np.float32)
    grid = TokenGrid(*nats.shape, prefix=1)
    geometry = GridMap((8, 8), (4, 4), grid, AxisMap(2, 0.5), AxisMap(2, 0.5), (-0.5, 7.5, -0.5, 7.5))
    return RelevanceMap(nats, geometry)


@pytest.mark.parametrize("maximum", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_needs_a_positive_end(maximum):
    with pytest.raises(ValueError, match="maximum_nats"):
        ColourScale(maximum)


@pytest.mark.parametrize("colormap", ["jet", "twilight", "no-such-map", "Greys"])
def test_a_colormap_must_rise_in_luminance(colormap):
    with pytest.raises(ValueError, match="colormap"):
        ColourScale(1.0, colormap)


@pytest.mark.parametrize("colormap", ["plasma", "inferno", "viridis", "cividis", "crameri:batlow"])
def test_more_nats_are_never_darker(colormap):
    light = luminance(ColourScale(3.2, colormap).rgb(np.linspace(0, 3.2, 500)))
    assert (np.diff(light) > -0.006).all()
    assert light[-1] - light[0] > 0.5


def test_a_flat_map_gets_one_colour_and_zero_the_low_end():
    scale = ColourScale(2.0)
    flat = scale.rgb(np.full((3, 4), 0.5, dtype=np.float32))
    assert flat.shape == (3, 4, 3)
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1
    assert scale.rgb(0.0).tolist() == scale.rgb(-3.0).tolist() == scale.bar(9)[0, 0].tolist()
    assert scale.rgb(2.0).tolist() == scale.rgb(50.0).tolist() == scale.bar(9)[0, -1].tolist()
    assert scale.bar(9, upright=True)[0, 0].tolist() == scale.rgb(2.0).tolist()


def test_what_was_not_seen_has_no_colour():
    with pytest.raises(ValueError, match="NaN"):
        ColourScale(1.0).rgb(np.array([0.1, np.nan]))


def test_a_common_scale_covers_every_map():
    scale = ColourScale.for_maps([_map([[0.1, 0.2]]), _map([[3.05, 0.0]])])
    assert scale.maximum_nats == 3.2
    assert scale.sentence() == "0 to 3.2 nats per token, common to all prompts of this image"
    assert scale.sentence("word", "") == "0 to 3.2 nats per word"


def test_another_quantity_is_never_called_nats():
    change = replace(_map([[0.02, -0.5]]), quantity=Quantity.CHANGE)
    scale = ColourScale.for_maps([change])
    assert scale.sentence("token", "") == "0 to 0.02 cosine change per token"
    assert ColourScale.for_maps([replace(change, values=change.values / 1e4)]).maximum_nats == 1e-4
    with pytest.raises(ValueError, match="one quantity; got cosine change, nats"):
        ColourScale.for_maps([change, _map([[1.0]])])


def test_maps_without_relevance_share_the_smallest_scale():
    assert ColourScale.for_maps([]).maximum_nats == MINIMUM_NATS
    assert ColourScale.for_maps([_map(np.zeros((2, 2)))]).maximum_nats == MINIMUM_NATS
    assert ColourScale.for_maps([_map(np.full((2, 2), -4.0))]).maximum_nats == MINIMUM_NATS


@given(st.floats(1e-6, 1e9))
def test_a_nice_ceiling_is_close_above(value):
    nice = nice_ceiling(value)
    assert value * (1 - 1e-9) <= nice <= value * 1.34
    assert nice_ceiling(nice) == nice
    assert len(f"{nice:g}".replace(".", "").strip("0").split("e")[0]) <= 2


@pytest.mark.parametrize(
    ("maximum", "labels"),
    [
        (3.2, ("0.0", "0.8", "1.6", "2.4", "3.2")),
        (0.01, ("0.0000", "0.0025", "0.0050", "0.0075", "0.0100")),
        (400, ("0", "100", "200", "300", "400")),
    ],
)
def test_ticks_are_written_no_finer_than_needed(maximum, labels):
    assert ColourScale(maximum).tick_labels() == labels
