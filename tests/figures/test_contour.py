import numpy as np

from medaudit.figures.contour import contours


def test_a_cone_gives_one_closed_circle():
    rows, columns = np.mgrid[:61, :81]
    cone = 30 - np.hypot(rows - 30, columns - 40)
    (line,) = contours(cone, 10.0)
    assert np.array_equal(line[0], line[-1])
    radius = np.hypot(line[:, 0] - 30, line[:, 1] - 40)
    assert np.abs(radius - 20).max() < 0.05
    assert np.abs(np.diff(line, axis=0)).max() <= 1.0


def test_two_regions_give_two_lines():
    field = np.zeros((20, 40))
    field[5:10, 5:10] = field[5:10, 25:30] = 1
    assert len(contours(field, 0.5)) == 2


def test_an_unseen_margin_leaves_the_outline_open():
    field = np.zeros((20, 20), dtype=np.float32)
    field[8:12] = 1
    field[:, :5] = np.nan
    lines = contours(field, 0.5)
    assert len(lines) == 2
    for line in lines:
        assert not np.array_equal(line[0], line[-1])
        assert sorted((line[0, 1], line[-1, 1])) == [5, 19]


def test_a_saddle_keeps_its_high_corners_apart():
    field = np.array([[1.0, 0.0], [0.0, 1.0]])
    for corners, high in ((field, {(0.0, 0.0), (1.0, 1.0)}), (1 - field, {(0.0, 1.0), (1.0, 0.0)})):
        lines = contours(corners, 0.5)
        nearest = {tuple(np.rint(line.mean(axis=0)).tolist()) for line in lines}
        assert nearest == high


def test_every_point_lies_on_the_level():
    field = np.random.default_rng(3).random((30, 30))
    for row, column in np.concatenate(contours(field, 0.5)):
        top, left = int(row), int(column)
        if row > top:
            value = field[top, left] + (field[top + 1, left] - field[top, left]) * (row - top)
        elif column > left:
            value = field[top, left] + (field[top, left + 1] - field[top, left]) * (column - left)
        else:
            value = field[top, left]
        assert abs(value - 0.5) < 1e-9


def test_nothing_crosses_in_flat_thin_or_unseen_fields():
    assert contours(np.ones((5, 5)), 0.5) == []
    assert contours(np.arange(9.0)[None], 4.0) == []
    assert contours(np.full((5, 5), np.nan), 0.5) == []
