"""Lines of equal relevance, by marching squares with linear interpolation."""

import numpy as np
from numpy.typing import NDArray

Polyline = NDArray[np.float64]

# Which edges of a cell a line joins, by the corners that lie at or above the level
# (1 top left, 2 top right, 4 bottom right, 8 bottom left). Edges: 0 top, 1 right, 2 bottom, 3 left.
# Saddles (5, 10) are cut so that the two high corners stay apart.
_JOINS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 0),), 2: ((0, 1),), 3: ((3, 1),), 4: ((1, 2),), 5: ((3, 0), (1, 2)), 6: ((0, 2),), 7: ((3, 2),),
    8: ((2, 3),), 9: ((2, 0),), 10: ((0, 1), (2, 3)), 11: ((2, 1),), 12: ((1, 3),), 13: ((1, 0),), 14: ((0, 3),),
}  # fmt: skip

# An edge of the pixel lattice: row and column of its upper or left end, and whether it runs down.
_Edge = tuple[int, int, bool]


def contours(nats: NDArray[np.floating], level: float) -> list[Polyline]:
    """Where ``nats`` crosses ``level``.

    Parameters
    ----------
    nats
        (h, w) in nats; NaN where the model saw nothing. No line passes a cell with a NaN corner, so
        a region that reaches the edge of the field of view has an open outline there.
    level
        In nats.

    Returns
    -------
    Polylines (n, 2), float64 (row, column), 0-based pixel centres; closed ones repeat their first
    point at the end. Empty where nothing crosses, and for pictures one pixel high or wide.

    """
    high = nats >= level  # NaN compares false, and its cells are left out below
    corners = high[:-1, :-1] * 1 + high[:-1, 1:] * 2 + high[1:, 1:] * 4 + high[1:, :-1] * 8
    unseen = np.isnan(nats)
    whole = ~(unseen[:-1, :-1] | unseen[:-1, 1:] | unseen[1:, 1:] | unseen[1:, :-1])
    crossed = whole & (corners > 0) & (corners < 15)
    links: dict[_Edge, list[_Edge]] = {}
    for row, column in np.argwhere(crossed).tolist():
        edges: tuple[_Edge, ...] = (
            (row, column, False), (row, column + 1, True), (row + 1, column, False), (row, column, True),
        )  # fmt: skip
        for start, end in _JOINS[int(corners[row, column])]:
            links.setdefault(edges[start], []).append(edges[end])
            links.setdefault(edges[end], []).append(edges[start])
    return [np.array([_crossing(nats, edge, level) for edge in chain]) for chain in _chains(links)]


def _crossing(nats: NDArray[np.floating], edge: _Edge, level: float) -> tuple[float, float]:
    """(row, column) at which the line crosses a lattice edge."""
    row, column, down = edge
    first = float(nats[row, column])
    second = float(nats[row + 1, column] if down else nats[row, column + 1])
    share = (level - first) / (second - first)
    return (row + share, float(column)) if down else (float(row), column + share)


def _chains(links: dict[_Edge, list[_Edge]]) -> list[list[_Edge]]:
    """Join links into open chains (from their ends) and then into loops. Consumes ``links``."""
    ends = [edge for edge, near in links.items() if len(near) == 1]
    chains = []
    for start in (*ends, *tuple(links)):
        chain, here = [start], start
        while links[here]:
            following = links[here].pop()
            links[following].remove(here)
            chain.append(following)
            here = following
        if len(chain) > 1:
            chains.append(chain)
    return chains
