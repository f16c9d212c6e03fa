"""Small changes are small, and parts are filled from what surrounds them."""

import pytest
import torch

from medaudit.imaging.perturb import STAYS_IN_PLACE, filled, mirrored, moved, small_changes, written

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
