"""Training-free dense readings of an image tower: each patch gets an embedding of its own to hold against the prompt.

MaskCLIP: Zhou, Loy, Dai, "Extract Free Dense Labels from CLIP", ECCV 2022, equation 3: in the last block every token
takes its own value instead of gathering.

CLIP Surgery: Li et al., "CLIP Surgery for Better Explainability with Enhancement in Open-Vocabulary Tasks", 2023,
equations 5-8: beside the model a second stream takes v-v attention (values for queries and keys) of the last blocks
without their MLPs. From each similarity the one with the redundant text is subtracted (feature surgery for a single
prompt, as the authors do with the empty text): the map would depend on the company of prompts otherwise.

GEM: Bousselham et al., "Grounding Everything: Emerging Localization Properties in Vision-Language Transformers",
CVPR 2024, equations 2-6: as Surgery, with q-q, k-k and v-v attention of normalised vectors averaged, one iteration
each, and a temperature from the tokens' mean norm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from medaudit.attribution.method import NO_SETTINGS, MethodInfo, Needs, NoSettings, check_positive
from medaudit.attribution.sides import Found, Side, SidedMethod, each_token
from medaudit.models.interface import AttentionHeads
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class MaskClip(SidedMethod):
    """One forward pass for all prompts of an image; on text each word keeps the value of its last block."""

    settings: NoSettings = NO_SETTINGS
    name: ClassVar[str] = "maskclip"
    info: ClassVar[MethodInfo] = MethodInfo(
        "MaskCLIP",
        "Zhou et al., ECCV 2022, equation 3",
        "1 forward, shared by all prompts",
        Quantity.COSINE,
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        last = side.tower.depth - 1
        hidden = side.hidden(last)
        with torch.no_grad():
            heads = side.tower.heads(hidden, last)
            own = side.tower.finish(hidden, last, heads.value.transpose(1, 2).flatten(2))
            return _cosines(side, each_token(side.tower, own))


@dataclass(frozen=True, slots=True)
class SurgerySettings:
    """``blocks`` is how many blocks the second stream takes; ``redundant`` the text that is subtracted."""

    blocks: int = 6
    redundant: str = ""

    def __post_init__(self) -> None:
        check_positive(self, "blocks")


@dataclass(frozen=True, slots=True)
class Surgery(SidedMethod):
    """One forward pass for all prompts of an image, and one of the redundant text."""

    settings: SurgerySettings = SurgerySettings()
    name: ClassVar[str] = "clip-surgery"
    info: ClassVar[MethodInfo] = MethodInfo(
        "CLIP Surgery",
        "Li et al., 2023, equations 5-8",
        "1 forward, shared by all prompts",
        Quantity.COSINE,
        sides=("image",),
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        with torch.no_grad():
            tokens = _second_stream(side, self.settings.blocks, _value_value)
            read = side.model.tokenize(self.settings.redundant)
            mask = None if read.mask is None else read.mask.to(tokens.device)
            redundant = side.other.encode(read.ids.to(tokens.device), mask)[0]
            found = _cosines(side, tokens).relevance - tokens @ redundant
        return Found(found)


@dataclass(frozen=True, slots=True)
class GemSettings:
    """``blocks`` is how many blocks the second stream takes; ``iterations`` of self-self attention in each."""

    blocks: int = 7
    iterations: int = 1

    def __post_init__(self) -> None:
        check_positive(self, "blocks", "iterations")


@dataclass(frozen=True, slots=True)
class Gem(SidedMethod):
    """One forward pass for all prompts of an image."""

    settings: GemSettings = GemSettings()
    name: ClassVar[str] = "gem"
    info: ClassVar[MethodInfo] = MethodInfo(
        "GEM (grounding everything)",
        "Bousselham et al., CVPR 2024, equations 2-6",
        "1 forward, shared by all prompts",
        Quantity.COSINE,
        sides=("image",),
        needs=Needs.HEADS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        with torch.no_grad():
            return _cosines(side, _second_stream(side, self.settings.blocks, self._self_self))

    def _self_self(self, heads: AttentionHeads) -> Tensor:
        sharpness = heads.read.norm(dim=-1).mean() / heads.value.shape[-1] ** 0.5
        gathered = []
        for start in (heads.query, heads.key, heads.value):
            vectors = start
            for _ in range(self.settings.iterations):
                unit = normalize(vectors, dim=-1)
                vectors = (unit @ unit.mT * sharpness).softmax(-1) @ unit
            unit = normalize(vectors, dim=-1)
            gathered.append(heads.gathered((unit @ unit.mT * sharpness).softmax(-1)))
        return torch.stack(gathered).mean(0)


def _value_value(heads: AttentionHeads) -> Tensor:
    scores = heads.value @ heads.value.mT / heads.value.shape[-1] ** 0.5
    return heads.gathered(scores.softmax(-1))


def _second_stream(side: Side, blocks: int, gather: Callable[[AttentionHeads], Tensor]) -> Tensor:
    """(N, E) embeddings of the tokens of a stream beside the model: what ``gather`` writes, added up, without MLPs."""
    first = max(side.tower.depth - blocks, 0)
    hidden = side.hidden(first)
    beside = hidden.states
    for block in range(first, side.tower.depth):
        heads = side.tower.heads(hidden, block)
        beside = beside + side.tower.write(gather(heads), block)
        hidden = side.tower.finish(hidden, block, heads.gathered())
    return each_token(side.tower, hidden.with_states(beside))


def _cosines(side: Side, tokens: Tensor) -> Found:
    return Found(torch.stack([tokens @ target for target in side.targets]))
