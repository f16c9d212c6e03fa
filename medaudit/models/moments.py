"""Mean and deviation of a tower's features over many items, collected block by block."""

import torch
from torch import Tensor

from medaudit.models.calibration import SideCalibration, Statistics
from medaudit.models.interface import Hidden, Tower

# A deviation below this share of its block's mean deviation says that a feature is constant, as the begin token is
# in every text. Noise of no size would leave nothing to block.
LEAST_DEVIATION = 0.01
LEAST_ITEMS = 2


class Moments:
    """Collects one tower's statistics, a batch at a time, in float64.

    Parameters
    ----------
    tower
        Its blocks are run one by one.
    rows
        Token positions with statistics of their own, the last row for all that follow; None for every position.

    """

    def __init__(self, tower: Tower, rows: int | None) -> None:
        self._tower, self._rows = tower, rows
        self._layers: list[_Sums] = []
        self._embeddings: list[Tensor] = []

    @torch.no_grad()
    def add(self, hidden: Hidden) -> None:
        """Count items of one length, given by their states before block 0."""
        for block in range(self._tower.depth):
            hidden = self._tower.run(hidden, block, block + 1)
            states = hidden.states.double().cpu()
            if len(self._layers) == block:
                self._layers.append(_Sums(self._rows or states.shape[1], states.shape[2]))
            self._layers[block].add(states)
        self._embeddings.append(self._tower.head(hidden).double().cpu())

    @property
    def embeddings(self) -> Tensor:
        """(n, E) float64 embeddings of the items counted so far."""
        return torch.cat(self._embeddings)

    def result(self) -> SideCalibration:
        """Means, deviations and the mean embedding.

        Raises
        ------
        ValueError
            Fewer than two items were counted.

        """
        items = sum(map(len, self._embeddings))
        if items < LEAST_ITEMS:
            msg = f"Moments: expected at least {LEAST_ITEMS} items; got {items}"
            raise ValueError(msg)
        layers = tuple(layer.result() for layer in self._layers)
        return SideCalibration(layers, self.embeddings.mean(0).float(), items)


class _Sums:
    """Sums of one block."""

    def __init__(self, rows: int, width: int) -> None:
        self._count = torch.zeros(rows, 1, dtype=torch.float64)
        self._sum, self._square = torch.zeros(2, rows, width, dtype=torch.float64)

    def add(self, states: Tensor) -> None:
        row = torch.arange(states.shape[1]).clamp(max=len(self._count) - 1)
        self._count.index_add_(0, row, torch.full((len(row), 1), float(len(states)), dtype=torch.float64))
        self._sum.index_add_(0, row, states.sum(0))
        self._square.index_add_(0, row, states.square().sum(0))

    def result(self) -> Statistics:
        mean = self._sum / self._count.clamp(min=1)
        deviation = (self._square / self._count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
        return Statistics(mean.float(), deviation.clamp(min=LEAST_DEVIATION * float(deviation.mean())).float())
