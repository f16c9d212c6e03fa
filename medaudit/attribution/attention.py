"""A walk through a tower's blocks with every attention weight in the open, to be read or differentiated."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medaudit.models.interface import AttentionHeads, Hidden, Tower


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What was met: the embedding (1, E); the states before each block, and behind the last; each block's heads.

    ``gathered`` (1, N, D) is what each block's tokens gathered. Gradients flow from the embedding to all of it.
    """

    embedded: Tensor
    states: tuple[Hidden, ...]
    heads: tuple[AttentionHeads, ...]
    gathered: tuple[Tensor, ...]

    def gradients(self, target: Tensor, wanted: Sequence[Tensor]) -> list[Tensor]:
        """Gradients of the similarity with ``target`` (E,) by tensors that were met; the graph is kept."""
        return list(torch.autograd.grad((self.embedded @ target).sum(), list(wanted), retain_graph=True))


def walk(tower: Tower, hidden: Hidden, start: int) -> Walk:
    """Run blocks ``start`` .. the last from ``hidden`` (one item), with their attention computed from explicit weights.

    Raises
    ------
    AttributionError
        The tower's blocks have no attention heads.

    """
    # Weights of the first block would be constants otherwise, and nothing could be differentiated by them.
    hidden = hidden.with_states(hidden.states.detach().requires_grad_())
    states, heads, gathered = [hidden], [], []
    for block in range(start, tower.depth):
        heads.append(tower.heads(hidden, block))
        gathered.append(heads[-1].gathered())
        hidden = tower.finish(hidden, block, gathered[-1])
        states.append(hidden)
    return Walk(tower.head(hidden), tuple(states), tuple(heads), tuple(gathered))
