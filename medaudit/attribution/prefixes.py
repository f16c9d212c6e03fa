"""Prompts up to a block of the text tower: computed once a run, put together for shared passes."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from medaudit.models.interface import Hidden, TokenizedPrompt, VisionLanguageModel

# Prompts of a pipeline are asked of every image, report sentences of one. About 60 kB each at BiomedCLIP's width.
REMEMBERED = 1024


@dataclass(frozen=True, slots=True, eq=False)
class TextPrefix:
    """A prompt ``text``: its tokens, the states (1, T, C) at the output of a block, and its embedding (1, E)."""

    text: str
    read: TokenizedPrompt
    hidden: Hidden
    embedding: Tensor


def text_prefix(model: VisionLanguageModel, text: str, block: int) -> TextPrefix:
    """Encode a prompt alone, so that it does not depend on its company, once for as many images as ask for it."""
    remembered: OrderedDict[tuple[str, int], TextPrefix] = model.memo.setdefault("text prefixes", OrderedDict())
    key = (text, block)
    if key in remembered:
        remembered.move_to_end(key)
        return remembered[key]
    read = model.tokenize(text)
    mask = None if read.mask is None else read.mask.to(model.device)
    with torch.no_grad():
        hidden = model.text.run(model.text.embed(read.ids.to(model.device), mask), 0, block + 1)
        found = TextPrefix(text, read, hidden, model.text.suffix(hidden, block + 1))
    remembered[key] = found
    if len(remembered) > REMEMBERED:
        remembered.popitem(last=False)
    return found


def joined(parts: Sequence[Hidden]) -> Hidden:
    """Items (1, T, C) of several lengths as one (I, longest, C), padded at the end under a mask.

    Raises
    ------
    ValueError
        The head reads more than one token, or a state of earlier blocks.

    """
    if len(parts) == 1:
        return parts[0]
    lengths = [part.states.shape[1] for part in parts]
    longest = max(lengths)
    if not all(can_join(part) for part in parts):
        msg = "joined: items of a head that reads more than one token go alone"
        raise ValueError(msg)
    states = torch.cat([pad(part.states, (0, 0, 0, longest - part.states.shape[1])) for part in parts])
    pooled = torch.cat([part.pooled for part in parts if part.pooled is not None])
    if min(lengths) == longest and all(part.mask is None for part in parts):
        return Hidden(states, pooled)
    masks = [
        torch.ones_like(part.states[..., 0], dtype=torch.bool) if part.mask is None else part.mask for part in parts
    ]
    return Hidden(states, pooled, torch.cat([pad(mask, (0, longest - mask.shape[1])) for mask in masks]))


def can_join(part: Hidden) -> bool:
    """Whether an item may be padded beside others."""
    return part.pooled is not None and part.carried is None
