"""Text towers from a checkpoint's tensors: BERT, and CLIP's causal transformer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from medaudit.models.interface import Hidden
from medaudit.models.tensors import Tensors, linear
from medaudit.models.transformer import Block, Module, PostNormBlock, SelfAttention, TransformerTower, pooled_state
from medaudit.models.vit import HEAD_WIDTH, OPENAI_EPS, Head, openai_blocks

BERT_EPS = 1e-12
# Narrower text towers exist as test checkpoints only; theirs have four heads.
_NARROW, _NARROW_HEADS = 128, 4


@dataclass(frozen=True, slots=True)
class Words:
    """Token ids -> states: words, positions, and BERT's first segment and norm where there are such."""

    words: Tensor
    positions: Tensor
    segment: Tensor | None = None
    norm: Module | None = None

    def __call__(self, ids: Tensor) -> Tensor:
        """(B, N) -> (B, N, D)."""
        states = embedding(ids, self.words) + self.positions[: ids.shape[1]]
        if self.segment is not None:
            states = states + self.segment
        return states if self.norm is None else self.norm(states)


class TextTower(TransformerTower):
    """A transformer on words; ``_pooled`` says which token the head reads."""

    grid = None

    def __init__(self, words: Words, blocks: list[Block], head: Head, *, causal: bool) -> None:
        super().__init__(blocks, causal=causal)
        self._words = words
        self._head = head

    @property
    def context(self) -> int:
        """The longest prompt, in tokens, that has positions."""
        return self._words.positions.shape[0]

    @property
    def vocabulary(self) -> int:
        """How many tokens the tower knows."""
        return self._words.words.shape[0]

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, N) token ids, with a (B, N) bool ``mask`` where they are padded -> tokens before block 0."""
        return Hidden(self._words(inputs), self._pooled(inputs, mask), mask)

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding."""
        return normalize(self._head(hidden), dim=-1)

    def _pooled(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:  # noqa: ARG002 - for those that need it
        """(B,) index of the token that the head reads: the first, BERT's [CLS]."""
        return torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)


class LastWordTower(TextTower):
    """The head reads the last token that is not padding."""

    def _pooled(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:
        if mask is None:
            return torch.full((len(inputs),), inputs.shape[1] - 1, device=inputs.device)
        return mask.sum(dim=-1) - 1


class EndTokenTower(TextTower):
    """The head reads the token with the largest id: OpenAI's end token, the first of them."""

    def _pooled(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:  # noqa: ARG002
        return inputs.argmax(dim=-1)


def token_head(projection: Module) -> Head:
    """Head that projects the state of the pooled token."""
    return lambda hidden: projection(pooled_state(hidden))


def bert_heads(width: int, stated: int | None) -> int:
    """Attention heads of a BERT; the tensors do not show them, every published one has 64 channels a head."""
    return stated or (_NARROW_HEADS if width < _NARROW else width // HEAD_WIDTH)


def bert_words(tensors: Tensors, name: str) -> Words:
    """Build BERT's embeddings ``name.*``."""
    words = tensors.take(f"{name}.word_embeddings.weight", (None, None))
    width = words.shape[1]
    return Words(
        words,
        tensors.take(f"{name}.position_embeddings.weight", (None, width)),
        # Two segments: RoBERTa, which has one, counts its positions from another number.
        tensors.take(f"{name}.token_type_embeddings.weight", (2, width))[0],
        tensors.norm(f"{name}.LayerNorm", width, BERT_EPS),
    )


def bert_blocks(tensors: Tensors, name: str, width: int, heads: int) -> list[Block]:
    """Build BERT's layers ``name.0``, ``name.1`` ..."""
    return [_bert_block(tensors, f"{name}.{i}", width, heads) for i in range(tensors.count(name))]


def open_clip_bert(tensors: Tensors, prefix: str, heads: int | None) -> TextTower:
    """Build open_clip's HFTextEncoder: BERT without its pooler; a head that is linear, or linear - GELU - linear."""
    words = bert_words(tensors, f"{prefix}.transformer.embeddings")
    width = words.words.shape[1]
    blocks = bert_blocks(tensors, f"{prefix}.transformer.encoder.layer", width, bert_heads(width, heads))
    projection: nn.Module
    if tensors.count(f"{prefix}.proj"):
        first = tensors.linear(f"{prefix}.proj.0", width, bias=False)
        second = tensors.linear(f"{prefix}.proj.2", first.out_features, bias=False)
        projection = nn.Sequential(first, nn.GELU(), second)
    else:
        projection = tensors.linear(f"{prefix}.proj", width, bias=False)
    return TextTower(words, blocks, token_head(projection), causal=False)


def openai_text(tensors: Tensors, prefix: str, act: nn.Module, heads: int | None) -> TextTower:
    """Build OpenAI's text transformer; ``prefix`` is empty, or ``text.`` in open_clip's custom towers."""
    words = tensors.take(f"{prefix}token_embedding.weight", (None, None))
    width = words.shape[1]
    positions = tensors.take(f"{prefix}positional_embedding", (None, width))
    blocks = openai_blocks(tensors, f"{prefix}transformer.resblocks", width, heads or width // HEAD_WIDTH, act)
    norm = tensors.norm(f"{prefix}ln_final", width, OPENAI_EPS)
    projection = linear(tensors.take(f"{prefix}text_projection", (width, None)).T, None)
    return EndTokenTower(Words(words, positions), blocks, token_head(nn.Sequential(norm, projection)), causal=True)


def _bert_block(tensors: Tensors, name: str, width: int, heads: int) -> PostNormBlock:
    query, key, value = (tensors.linear(f"{name}.attention.self.{part}", width) for part in ("query", "key", "value"))
    first = tensors.linear(f"{name}.intermediate.dense", width)
    return PostNormBlock(
        attention=SelfAttention(query, key, value, tensors.linear(f"{name}.attention.output.dense", width), heads),
        norm1=tensors.norm(f"{name}.attention.output.LayerNorm", width, BERT_EPS),
        mlp=nn.Sequential(first, nn.GELU(), tensors.linear(f"{name}.output.dense", first.out_features)),
        norm2=tensors.norm(f"{name}.output.LayerNorm", width, BERT_EPS),
    )
