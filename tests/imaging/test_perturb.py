"""Small changes are small, and parts are filled from what surrounds them."""

import numpy as np
import pytest
import torch

from medaudit.imaging.perturb import STAYS_IN_PLACE, filled, imputed, mirrored, moved, small_changes, written

SMOOTH = torch.linspace(0.2, 0.8, 64).expand(3, 48, 64).contiguous()


def test_small_changes_stay_in_range_and_leave_the_picture_alone():
    before = SMOOTH.clone()
    changes = small_changes(SMOOTH, torch.Generator().manual_seed(0))
    assert torch.equal(SMOOTH, before)
    assert sum(name.startswith(STAYS_IN_PLACE) for name in changes) == 6
    for changed in changes.values():
        assert changed.shape == SMOOTH.shape
        assert 0 <= changed.min() <= changed.max() <= 1
        assert 1e-4 < (changed - SMOOTH).abs().mean() < 0.1
    again = small_changes(SMOOTH, torch.Generator().manual_seed(0))
    assert all(torch.equal(changes[name], again[name]) for name in changes)


def test_filling_continues_a_smooth_picture_and_touches_nothing_else():
    masks = torch.zeros(2, 48, 64, dtype=torch.bool)
    masks[0, 10:20, 20:40] = masks[1, :, 30:34] = True
    spoilt = SMOOTH.clone()
    spoilt[:, 10:20, 20:40] = 1
    result = filled(spoilt, masks[:1])
    assert (result[0] - SMOOTH)[:, 10:20, 20:40].abs().max() < 0.12
    assert torch.equal(result[0][:, ~masks[0]], spoilt[:, ~masks[0]])
    # A result does not depend on its company.
    assert torch.equal(filled(spoilt, masks)[0], result[0])


def test_a_whole_turn_and_two_mirrors_change_nothing():
    picture = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    assert moved(picture, degrees=360) == pytest.approx(picture, abs=1e-3)
    assert torch.equal(mirrored(mirrored(picture)), picture)


def test_a_shift_moves_right_and_down():
    picture = torch.zeros(3, 40, 80)
    picture[:, 10, 20] = 1
    assert int(moved(picture, across=0.25, down=0.5)[0].argmax()) == 30 * 80 + 40


def test_what_turns_keeps_its_distance_on_a_picture_that_is_no_square():
    picture = torch.zeros(1, 40, 80).expand(3, -1, -1).clone()
    picture[:, 19:21, 54:56] = 1  # 15 pixels right of the centre
    turned = moved(picture, degrees=90)[0]
    rows, columns = (turned > 0.4).nonzero(as_tuple=True)
    assert abs(abs(float(rows.float().mean()) - 19.5) - 15) < 1
    assert abs(float(columns.float().mean()) - 39.5) < 1


def test_letters_are_white_and_where_they_are_said_to_be():
    marked = written(torch.zeros(3, 200, 200), "L", height=0.05, left=0.9, top=0.04)
    rows, columns = (marked[0] > 0.5).nonzero(as_tuple=True)
    assert 6 <= rows.min() <= 10
    assert 178 <= columns.min() <= 182
    assert 7 <= rows.max() - rows.min() <= 14


def dense(picture, mask):
    """The same system of equations, written out and solved at once: (H, W) float64."""
    rows, columns = mask.shape
    places = [(i, j) for i in range(rows) for j in range(columns)]
    number = {place: index for index, place in enumerate(places)}
    matrix, right = np.zeros((rows * columns,) * 2), picture.astype(np.float64).ravel().copy()
    for (i, j), index in number.items():
        if not mask[i, j]:
            matrix[index, index] = 1
            continue
        right[index] = 0
        for down, across in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
            other = number.get((i + down, j + across))
            if other is not None:
                weight = 1 / 12 if down and across else 1 / 6
                matrix[index, index] += weight
                matrix[index, other] -= weight
    return np.linalg.solve(matrix, right).reshape(rows, columns)


def test_imputed_pixels_are_the_weighted_mean_of_their_neighbours():
    rng = np.random.default_rng(5)
    picture = torch.from_numpy(0.2 + 0.6 * rng.random((3, 18, 21))).float()
    masks = torch.zeros(4, 18, 21, dtype=torch.bool)
    masks[0, :7, :9] = True  # a corner
    masks[1, 5:12, 4:20] = True
    masks[2] = torch.from_numpy(rng.random((18, 21)) < 0.7)
    found = imputed(picture, masks, torch.Generator(), noise=0)
    for mask, result in zip(masks, found, strict=True):
        assert torch.equal(result[:, ~mask], picture[:, ~mask])
        for channel in range(3):
            assert np.abs(result[channel].numpy() - dense(picture[channel].numpy(), mask.numpy())).max() < 2e-3


def test_noise_of_one_size_is_added_where_something_was_taken_and_nowhere_else():
    picture = torch.full((3, 64, 64), 0.5)
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[:, 8:56, 8:56] = True
    one, other = imputed(picture, masks, torch.Generator().manual_seed(0))
    assert torch.equal(one, other)
    assert torch.equal(one[0], one[2])
    assert float(one[0, 8:56, 8:56].std()) == pytest.approx(0.01, rel=0.1)
    assert torch.equal(one[:, ~masks[0]], picture[:, ~masks[0]])


def test_nothing_can_be_imputed_from_nothing():
    with pytest.raises(ValueError, match="takes all of it"):
        imputed(torch.zeros(3, 8, 8), torch.ones(1, 8, 8, dtype=torch.bool), torch.Generator())
