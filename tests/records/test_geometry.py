import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medaudit.records import AxisMap, GridMap, RelevanceMap, TokenGrid


def whole(rows, columns, size=56, grid=7):
    """An image squashed to ``size`` x ``size``: nothing is lost."""
    axes = [AxisMap(n / size, (n / size - 1) / 2) for n in (rows, columns)]
    return GridMap(
        (rows, columns), (size, size), TokenGrid(grid, grid, 1), *axes, (-0.5, rows - 0.5, -0.5, columns - 0.5)
    )


def test_projection_is_bilinear_interpolation_between_token_centres():
    tokens = torch.rand(7, 7, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(tokens[None, None], size=(224, 224), mode="bilinear")[0, 0]
    assert np.allclose(whole(224, 224).project(tokens.numpy()), expected.numpy(), atol=1e-6)


def test_a_constant_map_stays_constant_and_sees_everything():
    grid_map = whole(100, 61)
    projected = grid_map.project(np.full((7, 7), 2.5, np.float32))
    assert projected.shape == (100, 61)
    assert np.allclose(projected, 2.5)
    assert grid_map.sees_everything()


def test_what_was_cropped_away_is_nan():
    # 100 x 60 stored, the middle 60 rows seen: rows 20 .. 79.
    grid_map = GridMap((100, 60), (60, 60), TokenGrid(6, 6, 1), AxisMap(1, 20), AxisMap(1, 0), (19.5, 79.5, -0.5, 59.5))
    projected = grid_map.project(np.ones((6, 6), np.float32))
    assert np.isnan(projected[:20]).all()
    assert np.isnan(projected[80:]).all()
    assert np.allclose(projected[20:80], 1)
    assert not grid_map.sees_everything()


def test_a_flip_is_undone():
    upright = whole(56, 56)
    flipped = GridMap((56, 56), (56, 56), TokenGrid(7, 7, 1), upright.row, AxisMap(-1, 55), upright.seen)
    tokens = np.arange(49, dtype=np.float32).reshape(7, 7)
    assert np.allclose(flipped.project(tokens), upright.project(tokens)[:, ::-1], atol=1e-5)


def test_padding_after_a_crop_covers_pixels_that_were_not_seen():
    # 60 x 60 stored, rows 20 .. 39 kept, padded to 60 again: the axes alone would claim all of it.
    grid_map = GridMap((60, 60), (60, 60), TokenGrid(6, 6, 1), AxisMap(1, 0), AxisMap(1, 0), (19.5, 39.5, -0.5, 59.5))
    seen = ~np.isnan(grid_map.project(np.ones((6, 6), np.float32)))
    assert seen[20:40].all()
    assert not seen[:20].any()
    assert not seen[40:].any()


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 300), columns=st.integers(1, 300), grid=st.integers(1, 20))
def test_projection_stays_within_the_tokens_values(rows, columns, grid):
    tokens = np.random.default_rng(rows).random((grid, grid), dtype=np.float32)
    projected = whole(rows, columns, size=grid * 8, grid=grid).project(tokens)
    assert projected.shape == (rows, columns)
    assert projected.min() >= tokens.min() - 1e-6
    assert projected.max() <= tokens.max() + 1e-6


def test_a_picture_of_another_size_covers_the_same_image():
    tokens = np.arange(49, dtype=np.float32).reshape(7, 7)
    small = whole(560, 560).project(tokens, (56, 56))
    assert np.allclose(small, whole(56, 56).project(tokens), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: TokenGrid(0, 7, 1), "rows"),
        (lambda: AxisMap(0, 1), "scale"),
        (lambda: AxisMap(float("nan"), 1), "finite"),
        (lambda: GridMap((9, 9), (9, 9), TokenGrid(3, 3, 0), AxisMap(1, 0), AxisMap(1, 0), (2, 1, 0, 3)), "seen"),
        (lambda: RelevanceMap(np.zeros((3, 3), np.float32), whole(9, 9)), "shape|expected"),
        (lambda: RelevanceMap(np.full((7, 7), np.nan, np.float32), whole(9, 9)), "finite"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused_at_birth(make, field):
    with pytest.raises(ValueError, match=field):
        make()
