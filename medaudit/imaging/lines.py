"""Bright thin lines of some length: tubes, drains, catheters, leads and wires look like that, and so do some others.

The picture is averaged along short lines of many directions. A place is on a line where this average is higher than on
both sides of it, and about as much so close by as farther off: ribs and other bands are wider, edges have one side
only. Such places that follow each other in their own direction are a chain. Ribs, vessels and folds make many weak
chains; a line is a chain that is long and stands out from the others of the same picture.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medaudit.imaging.regions import Plane, joined

Mask = NDArray[np.bool_]

_DIRECTIONS: Final = 16
# Shares of the longest side: the stretch that is averaged, how far off its sides lie, and twice that.
_STRETCH: Final = 1 / 24
_BESIDE: Final = 1 / 256
# Of the range from black to white: a place on a line stands out by so much at least, and a line by so much on average.
_LEAST_CONTRAST, _LEAST_STRENGTH = 0.003, 0.008
# Of what it stands out by at the double distance, so much at the single one.
_THIN: Final = 0.65
# A chain has no gap wider than this, in pixels, leaves its direction by no more than this, and turns by one direction.
_GAP: Final = 2
_ASTRAY: Final = 1.2
# Shares of the longest side: the shortest chain that counts among the picture's, the shortest line, and a usual one.
_COUNTS, _SHORTEST, _USUAL = 1 / 26, 1 / 20, 1 / 13
# A chain of usual length is a line where it is so many times as strong as the median chain; a longer one sooner.
_STANDS_OUT: Final = 2.8


def bright_lines(grey: Plane, allowed: Mask) -> Mask:
    """(rows, columns) bool, one pixel wide, of the bright thin lines of a picture in 0 .. 1 where they are allowed."""
    side = max(grey.shape)
    field = _stands_out(torch.from_numpy(np.array(grey, dtype=np.float32)))
    chains = _chains(field, allowed)
    lines = np.zeros(grey.shape, dtype=np.bool_)
    counted = chains.length >= side * _COUNTS
    if not counted.any():
        return lines
    relative = chains.strength / np.median(chains.strength[counted])
    kept = (
        (chains.length >= side * _SHORTEST)
        & (chains.strength >= _LEAST_STRENGTH)
        & (relative * np.sqrt(chains.length / (side * _USUAL)) >= _STANDS_OUT)
    )
    on = kept[chains.label]
    lines[chains.row[on], chains.column[on]] = True
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """What each place stands out by, in its best of :data:`_DIRECTIONS`; ``ridge`` is true on the crest of a line."""

    contrast: NDArray[np.float32]
    direction: NDArray[np.int64]
    ridge: Mask


def _stands_out(grey: Tensor) -> _Field:
    side = max(grey.shape)
    beside = max(1, round(side * _BESIDE))
    shape = (grey.shape[0], grey.shape[1])
    spectrum = torch.fft.rfft2(grey)
    contrast = torch.full_like(grey, -1)
    ridge = torch.zeros_like(grey, dtype=torch.bool)
    direction = torch.zeros_like(grey, dtype=torch.int64)
    for index, kernel in enumerate(_stretches(shape, max(5, round(side * _STRETCH)))):
        along = torch.fft.irfft2(spectrum * kernel, s=shape)
        angle = math.pi * index / _DIRECTIONS
        higher = {
            distance: along - _higher_side(along, distance * math.cos(angle), -distance * math.sin(angle))
            for distance in (1, beside, 2 * beside)
        }
        near = higher[beside]
        crest = (higher[1] >= 0) & (near > _LEAST_CONTRAST) & (near > _THIN * higher[2 * beside])
        better = near > contrast
        contrast, ridge = torch.where(better, near, contrast), torch.where(better, crest, ridge)
        direction[better] = index
    return _Field(contrast.numpy(), direction.numpy(), ridge.numpy())


def _higher_side(along: Tensor, down: float, across: float) -> Tensor:
    """The higher of the values that lie so far to one side and to the other."""
    step = (round(down), round(across))
    return torch.maximum(along.roll(step, (0, 1)), along.roll((-step[0], -step[1]), (0, 1)))


@lru_cache(maxsize=2)
def _stretches(shape: tuple[int, int], length: int) -> Tensor:
    """(directions, rows, columns // 2 + 1) spectra of the Gaussian mean over a stretch of each direction."""
    along = np.linspace(-length / 2, length / 2, 4 * length + 1)
    weight = np.exp(-((2 * along / length) ** 2))
    kernels = np.zeros((_DIRECTIONS, *shape), dtype=np.float32)
    for index, kernel in enumerate(kernels):
        angle = math.pi * index / _DIRECTIONS
        row, column = along * math.sin(angle), along * math.cos(angle)
        top, left = np.floor(row).astype(int), np.floor(column).astype(int)
        for down in (0, 1):
            for across in (0, 1):
                share = (1 - np.abs(row - top - down)) * (1 - np.abs(column - left - across))
                np.add.at(kernel, ((top + down) % shape[0], (left + across) % shape[1]), weight * share)
    kernels /= kernels.sum(axis=(1, 2), keepdims=True)
    spectra: Tensor = torch.fft.rfft2(torch.from_numpy(kernels))
    return spectra


@dataclass(frozen=True, slots=True, eq=False)
class _Chains:
    """Places by chain: ``label`` is the chain of each place, ``length`` (pixels) and ``strength`` one a chain."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    label: NDArray[np.intp]
    length: NDArray[np.float64]
    strength: NDArray[np.float64]


def _chains(field: _Field, allowed: Mask) -> _Chains:
    row, column = np.nonzero(field.ridge & allowed)
    first, second = _followers(row, column, field.direction[row, column], allowed.shape)
    label = np.unique(joined(first, second, len(row)), return_inverse=True)[1]
    number = int(label.max()) + 1 if len(label) else 0
    count = np.bincount(label, minlength=number)
    spans = []
    for place in (row, column):
        low, high = np.full(number, np.inf), np.full(number, -np.inf)
        np.minimum.at(low, label, place)
        np.maximum.at(high, label, place)
        spans.append(high - low)
    strength = np.bincount(label, field.contrast[row, column], number) / np.maximum(count, 1)
    return _Chains(row, column, label, np.hypot(*spans), strength)


def _followers(
    row: NDArray[np.intp], column: NDArray[np.intp], direction: NDArray[np.int64], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of places of which one follows the other: near, in its direction, and with much the same direction."""
    number = np.full((shape[0] + _GAP, shape[1] + 2 * _GAP), -1, dtype=np.int64)
    number[row, column + _GAP] = np.arange(len(row))
    angle = np.pi * direction / _DIRECTIONS
    first, second = [], []
    for down in range(_GAP + 1):
        for across in range(-_GAP, _GAP + 1):
            if down == 0 and across <= 0:
                continue
            other = number[row + down, column + _GAP + across]
            turn = np.abs(direction - direction[other])
            astray = np.abs(down * np.cos(angle) - across * np.sin(angle))
            follows = (other >= 0) & (np.minimum(turn, _DIRECTIONS - turn) <= 1) & (astray <= _ASTRAY)
            first.append(np.flatnonzero(follows))
            second.append(other[follows])
    return np.concatenate(first), np.concatenate(second)
