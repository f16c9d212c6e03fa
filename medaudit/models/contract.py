"""The contract of a model adapter, as checks that any adapter can be run against.

Every method and check of medaudit relies on these clauses. In a test of your own::

    import pytest
    from medaudit.models.contract import CLAUSES

    @pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
    def test_my_adapter(clause):
        clause(load(FOLDER, torch.device("cpu")))

A clause returns nothing, or raises :class:`ContractError` that says what was expected and what was found. They are
written for small models; on a full-size one the battery takes some minutes on a CPU.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import AttributionError
from medaudit.imaging.preprocess import Fit, preprocess
from medaudit.models.interface import Tower, VisionLanguageModel

PROMPTS = ("no pleural effusion", "left lung")
TOLERANCE = 1e-5
"""Largest difference of two float32 embeddings that are meant to be the same: another order of the same sums."""

Clause = Callable[[VisionLanguageModel], None]


class ContractError(AssertionError):
    """An adapter breaks a clause."""


def embeddings_are_finite_float32_of_length_one(model: VisionLanguageModel) -> None:
    """Both towers give (B, E) float32, the same E, norm 1."""
    image, text = _images(model), [model.text.encode(ids) for ids in _prompts(model)]
    for name, embedding in (("image", image), *(("text", one) for one in text)):
        _expect(embedding.dtype == torch.float32, f"{name} embedding: expected float32; got {embedding.dtype}")
        _expect(bool(torch.isfinite(embedding).all()), f"{name} embedding: expected finite values")
        off = float((embedding.norm(dim=-1) - 1).abs().max())
        _expect(off < TOLERANCE, f"{name} embedding: expected length 1; off by {off:.3g}")
    widths = {image.shape[1], *(one.shape[1] for one in text)}
    _expect(len(widths) == 1, f"embeddings: expected one width for both towers; got {sorted(widths)}")


def a_batch_gives_what_its_items_give_alone(model: VisionLanguageModel) -> None:
    """No item influences another."""
    pixels = _pixels(model)
    alone = torch.cat([model.vision.encode(item[None]) for item in pixels])
    _same("image batch", model.vision.encode(pixels), alone)
    ids = _prompts(model)[0]
    _same("text batch", model.text.encode(ids.repeat(3, 1)), model.text.encode(ids).expand(3, -1))


def padding_under_a_mask_changes_nothing(model: VisionLanguageModel) -> None:
    """Tokens that the mask hides have no influence; a tower that was trained on its padding refuses masks."""
    ids = _prompts(model)[0]
    mask = torch.ones_like(ids, dtype=torch.bool)
    try:
        model.text.embed(ids, mask)
    except ValueError:
        return
    # The first token stands for padding: no layout reads it as an end.
    rest = ids[:, :1].expand(-1, 3)
    longer, hidden = torch.cat([ids, rest], dim=1), torch.cat([mask, torch.zeros_like(rest, dtype=torch.bool)], dim=1)
    _same("padded prompt", model.text.encode(longer, hidden), model.text.encode(ids))


def every_block_has_the_grid_that_it_states(model: VisionLanguageModel) -> None:
    """``grid_at`` counts the image tokens of every block; ``grid`` is the last one's; text has none."""
    tower, hidden = model.vision, model.vision.embed(_pixels(model))
    _expect(tower.grid == tower.grid_at(tower.depth - 1), "grid: expected the last block's grid_at")
    _expect(model.text.grid is None, "text tower: expected no grid")
    for block in range(-1, tower.depth):
        if block >= 0:
            hidden = tower.run(hidden, block, block + 1)
        grid, found = tower.grid_at(block), hidden.states.shape[1]
        _expect(grid is not None and grid.tokens == found, f"grid_at({block}): states {found} tokens, says {grid}")


def geometry_leads_back_to_stored_pixels(model: VisionLanguageModel) -> None:
    """Preprocessing makes the input that the card states, and a map of tokens covers what was seen."""
    generator = np.random.default_rng(0)
    values = generator.random((96, 64)).astype(np.float32)
    shown = DisplayImage(values=values, modality_values=None, inverted=False, window=None, description="")
    for fit in (None, Fit.PAD):
        seen = preprocess(shown, model.preprocessing, model.grid, fit=fit)
        _expect(
            seen.pixels.shape == (1, 3, *model.card.input_size),
            f"pixels: the card says {model.card.input_size}; got {tuple(seen.pixels.shape)}",
        )
        projected = seen.grid_map.project(np.ones((model.grid.rows, model.grid.columns), dtype=np.float32))
        _expect(bool(np.isfinite(projected).any()), "projected map: expected some stored pixels to be seen")
        if fit is Fit.PAD:
            _expect(bool(np.isfinite(projected).all()), "padded: expected every stored pixel to be seen")
        model.vision.embed(seen.pixels.to(model.device))
    stated = (model.grid.rows, model.grid.columns)
    _expect(model.card.grid == stated, f"card.grid: expected {stated}; got {model.card.grid}")


def prefix_and_suffix_make_the_whole(model: VisionLanguageModel) -> None:
    """Running to any block and on from there is running through."""
    for tower, inputs in _sides(model):
        whole = tower.encode(inputs)
        for stop in range(tower.depth + 1):
            hidden = tower.run(tower.embed(inputs), 0, stop)
            _same(f"{type(tower).__name__}: cut after block {stop}", tower.suffix(hidden, stop), whole)


def repeated_states_keep_their_items(model: VisionLanguageModel) -> None:
    """``with_states`` of k copies in a row gives every copy its item's embedding."""
    for tower, inputs in _sides(model):
        hidden = tower.run(tower.embed(inputs), 0, 1)
        copies = hidden.with_states(hidden.states.repeat_interleave(2, dim=0))
        _same(type(tower).__name__, tower.suffix(copies, 1), tower.encode(inputs).repeat_interleave(2, dim=0))


def some_tokens_are_what_they_are_among_all(model: VisionLanguageModel) -> None:
    """``only`` computes the tokens asked for, and nothing else about them changes."""
    for tower, inputs in _sides(model):
        hidden = tower.embed(inputs)
        every = tower.run(hidden, 0, tower.depth).states
        only = torch.tensor([[every.shape[1] - 1, 0]], device=every.device).expand(len(inputs), -1)
        some = tower.run(hidden, 0, tower.depth, only=only).states
        _same(type(tower).__name__, some, torch.stack([one[index] for one, index in zip(every, only, strict=True)]))


def attention_rows_sum_to_one(model: VisionLanguageModel) -> None:
    """A tower shows the attention of its blocks, or refuses by name."""
    for tower, inputs in _sides(model):
        hidden = tower.embed(inputs)
        try:
            weights = tower.attention(hidden, 0)
        except AttributionError:
            continue
        tokens = hidden.states.shape[1]
        _expect(weights.shape[-2:] == (tokens, tokens), f"attention: expected N x N of {tokens}; got {weights.shape}")
        _same(type(tower).__name__, weights.sum(-1), torch.ones_like(weights.sum(-1)))


def gradients_reach_states_and_pixels(model: VisionLanguageModel) -> None:
    """Gradients flow from the embedding to the input and to any block's states, and into no weight."""
    pixels = _pixels(model).requires_grad_()
    with torch.enable_grad():
        embedding = model.vision.encode(pixels)
        (to_pixels,) = torch.autograd.grad(embedding[:, 0].sum(), [pixels])
        for tower, inputs in _sides(model):
            hidden = tower.run(tower.embed(inputs), 0, 1)
            states = hidden.states.detach().requires_grad_()
            again = replace(hidden, states=states, carried=None if hidden.carried is None else hidden.carried.detach())
            (to_states,) = torch.autograd.grad(tower.suffix(again, 1)[:, 0].sum(), [states])
            _expect(bool(to_states.abs().sum() > 0), f"{type(tower).__name__}: no gradient reaches block 0's output")
    _expect(bool(torch.isfinite(to_pixels).all() and to_pixels.abs().sum() > 0), "no gradient reaches the pixels")


def the_same_input_gives_the_same_bits(model: VisionLanguageModel) -> None:
    """No randomness: evaluation mode, no dropout."""
    for tower, inputs in _sides(model):
        _expect(torch.equal(tower.encode(inputs), tower.encode(inputs)), f"{type(tower).__name__}: two runs differ")


def weights_are_frozen_and_stay_as_they_were(model: VisionLanguageModel) -> None:
    """No weight takes gradients, and using the model changes none."""
    before = [tensor.detach().clone() for tensor in weights_of(model)]
    _expect(bool(before), "towers: expected to find weights in them")
    _expect(not any(tensor.requires_grad for tensor in weights_of(model)), "weights: expected requires_grad False")
    gradients_reach_states_and_pixels(model)
    for tower, inputs in _sides(model):
        tower.run(tower.embed(inputs), 0, tower.depth)
    after = list(weights_of(model))
    same = len(before) == len(after) and all(map(torch.equal, before, after))
    _expect(same, "weights: expected them unchanged after use")


def prompts_are_read_word_by_word(model: VisionLanguageModel) -> None:
    """Every word has a token, in order; a prompt that is too long is refused, never cut."""
    for text in PROMPTS:
        prompt = model.tokenize(text)
        tokens = prompt.ids.shape[1]
        counts = (len(prompt.tokens), len(prompt.word_of_token))
        _expect(prompt.ids.shape[0] == 1 and counts == (tokens, tokens), f"{text!r}: {tokens} ids, {counts} tokens")
        _expect(prompt.words == tuple(text.split()), f"{text!r}: expected its words; got {prompt.words}")
        named = [index for index in prompt.word_of_token if index >= 0]
        _expect(named == sorted(named) and set(named) == set(range(len(prompt.words))), f"{text!r}: words {named}")


def the_card_says_what_the_model_is(model: VisionLanguageModel) -> None:
    """Name, family, checksums, and a score that is never called a probability."""
    card = model.card
    _expect(bool(card.name and card.family), "card: expected a name and a family")
    _expect(bool(card.files) and all(len(value) == 64 for value in card.files.values()), "card.files: expected sha256s")
    _expect(
        card.score == model.score.kind.value, f"card.score: expected {model.score.kind.value!r}; got {card.score!r}"
    )


CLAUSES: tuple[Clause, ...] = (
    embeddings_are_finite_float32_of_length_one,
    a_batch_gives_what_its_items_give_alone,
    padding_under_a_mask_changes_nothing,
    every_block_has_the_grid_that_it_states,
    geometry_leads_back_to_stored_pixels,
    prefix_and_suffix_make_the_whole,
    repeated_states_keep_their_items,
    some_tokens_are_what_they_are_among_all,
    attention_rows_sum_to_one,
    gradients_reach_states_and_pixels,
    the_same_input_gives_the_same_bits,
    weights_are_frozen_and_stay_as_they_were,
    prompts_are_read_word_by_word,
    the_card_says_what_the_model_is,
)
"""All clauses; each takes a loaded model."""


def weights_of(model: VisionLanguageModel) -> Iterator[Tensor]:
    """Every tensor that the two towers hold, each once."""
    seen: set[int] = set()
    for tower in (model.vision, model.text):
        yield from _tensors(tower, seen)


def _tensors(value: object, seen: set[int]) -> Iterator[Tensor]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        yield value
        return
    for part in _parts(value):
        yield from _tensors(part, seen)


def _parts(value: object) -> Iterable[object]:
    """What an object of a tower holds: items, attributes, fields, or what a function closes over."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, nn.Module | Tower):
        return vars(value).values()
    if is_dataclass(value):
        return [getattr(value, one.name) for one in fields(value)]
    return [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]


def _pixels(model: VisionLanguageModel) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, *model.card.input_size, generator=generator).to(model.device)


@torch.no_grad()
def _images(model: VisionLanguageModel) -> Tensor:
    return model.vision.encode(_pixels(model))


def _prompts(model: VisionLanguageModel) -> list[Tensor]:
    return [model.tokenize(text).ids.to(model.device) for text in PROMPTS]


def _sides(model: VisionLanguageModel) -> tuple[tuple[Tower, Tensor], tuple[Tower, Tensor]]:
    return (model.vision, _pixels(model)), (model.text, _prompts(model)[0])


def _expect(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as the sentence that it is
    if not holds:
        raise ContractError(message)


def _same(what: str, found: Tensor, expected: Tensor) -> None:
    _expect(found.shape == expected.shape, f"{what}: expected {tuple(expected.shape)}; got {tuple(found.shape)}")
    # Absolute for embeddings, relative for states, which may be large.
    scale = max(1.0, float(expected.detach().abs().max()))
    off = float((found - expected).detach().abs().max()) / scale
    _expect(off <= TOLERANCE, f"{what}: expected the same to {TOLERANCE:g}; differs by {off:.3g}")
