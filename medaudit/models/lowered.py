"""A tower's last blocks with bfloat16 weights, beside the tower itself, which stays as it is.

Autocast casts every weight anew at each call; for the short passes of an attribution that costs as much as the
products. Here the weights of the linear layers are cast once. Sums, norms and softmax stay in float32: the
copy is called under ``torch.autocast``, which sees to that.
"""

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import nn

from medaudit.models.interface import Tower
from medaudit.models.transformer import TransformerTower


def lowered(tower: Tower, start: int, dtype: torch.dtype = torch.bfloat16) -> Tower:
    """Tower whose blocks from ``start`` on hold their linear weights in ``dtype``; the others and the head are shared.

    A tower that is not made of transformer blocks comes back as it is: autocast alone serves it.
    """
    if not isinstance(tower, TransformerTower):
        return tower
    blocks = [block if i < start else _cast(block, dtype) for i, block in enumerate(tower.blocks)]
    return tower.with_blocks(blocks)


def _cast(part: Any, dtype: torch.dtype) -> Any:  # noqa: ANN401 - a block, its attention, a module, a number
    """The same part with its linear layers copied into ``dtype``."""
    if isinstance(part, nn.Module):
        cast = copy.deepcopy(part)
        for module in cast.modules():
            if isinstance(module, nn.Linear):
                module.to(dtype)
        return cast
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{item.name: _cast(getattr(part, item.name), dtype) for item in fields(part)})
    return part
