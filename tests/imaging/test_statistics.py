"""Statistics of pictures whose brightness is written down here."""

import pytest
import torch

from medaudit.imaging.statistics import NAMES, picture_statistics


def named(grey):
    return dict(zip(NAMES, picture_statistics(grey.expand(1, 3, *grey.shape))[0].tolist(), strict=True))


def test_halves_black_and_white():
    grey = torch.zeros(8, 6)
    grey[:4] = 1
    found = named(grey)
    assert found["brightness"] == found["contrast"] == found["share of black"] == found["share of white"] == 0.5
    assert found["top against bottom"] == 1
    assert found["left against right"] == found["middle against rim"] == 0
    assert named(grey.T)["left against right"] == 1


def test_a_bright_middle():
    grey = torch.full((8, 8), 0.2)
    grey[2:6, 2:6] = 0.6
    assert named(grey)["middle against rim"] == pytest.approx(0.4)


def test_sharpness_is_the_logarithm_of_the_laplacian_and_ends_at_a_flat_picture():
    board = (torch.arange(9)[:, None] + torch.arange(9)) % 2 * 0.5
    assert named(board)["sharpness"] == pytest.approx(0.30103)  # 4 neighbours, each 0.5 away
    assert named(torch.full((9, 9), 0.3))["sharpness"] == -4
