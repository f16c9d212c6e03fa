"""A faithfulness curve: what it refuses, and the area that it wins or loses by."""

from dataclasses import replace

import pytest

from medaudit.records import FaithfulnessCurve, Walk

CURVE = FaithfulnessCurve(
    "a prompt", Walk.INSERTION, (0.0, 0.5, 1.0), (0.0, 0.4, 0.4), (0.0, 0.1, 0.4), (0.0, 0.2, 0.4), (0.0, -0.1, 0.4)
)


@pytest.mark.parametrize("share", [(0.0,), (0.0, 0.5, 0.9), (0.1, 0.5, 1.0), (0.0, 0.0, 1.0), (0.0, float("nan"), 1.0)])
def test_shares_rise_from_none_to_all(share):
    with pytest.raises(ValueError, match="share: expected numbers that rise from 0 to 1"):
        replace(CURVE, share=share)


@pytest.mark.parametrize("cosines", [(0.0, 0.1), (0.0, float("nan"), 0.4), (0.0, 1.1, 0.4)])
@pytest.mark.parametrize("name", ["own", "random", "constant", "centre"])
def test_every_line_is_cosines_one_a_share(name, cosines):
    with pytest.raises(ValueError, match=f"{name}: expected 3 cosines"):
        replace(CURVE, **{name: cosines})


def test_the_advantage_is_over_the_best_control():
    # Area of the own line 0.3, of the constant map's 0.2, of the worst 0.05.
    assert CURVE.advantage == pytest.approx(0.1)
    # Where parts are hidden, the least area is best: the centre map's.
    assert replace(CURVE, walk=Walk.DELETION).advantage == pytest.approx(0.05 - 0.3)
