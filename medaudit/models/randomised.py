"""A tower whose blocks forgot what they learnt, beside the tower itself, which stays as it is.

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3.1, draw new weights from the distribution of
the initialisation. A published model does not say what that was, so each tensor's own values are put in random order:
as many of each size as before, none in its place.
"""

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import nn

from medaudit.models.transformer import TransformerTower


def randomised(tower: TransformerTower, which: range, generator: torch.Generator) -> TransformerTower:
    """Tower of which some blocks hold their weights in random order; the others and the head are shared."""
    return tower.with_blocks(
        [_shuffled(block, generator) if i in which else block for i, block in enumerate(tower.blocks)]
    )


def _shuffled(part: Any, generator: torch.Generator) -> Any:  # noqa: ANN401 - a block, its attention, a module, a number
    """The same part with copies of its modules, the values of each of their tensors in random order."""
    if isinstance(part, nn.Module):
        other = copy.deepcopy(part)
        with torch.no_grad():
            for tensor in other.parameters():
                order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].view_as(tensor))
        return other
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{item.name: _shuffled(getattr(part, item.name), generator) for item in fields(part)})
    return part
