"""Shared passes: how many, what happens when memory runs out, texts of several lengths, precision."""

import pytest
import torch

from medaudit.attribution.batches import automatic_batch, in_batches, is_out_of_memory
from medaudit.attribution.precision import choose, rank_agreement
from medaudit.attribution.prefixes import joined
from medaudit.models.interface import Hidden
from medaudit.models.lowered import lowered
from medaudit.models.registry import load_model


def test_memory_that_runs_out_halves_the_batch_and_loses_nothing():
    sizes = []

    def work(chunk):
        sizes.append(len(chunk))
        if len(chunk) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101, TRY003 - as torch says it
        return [item * 10 for item in chunk]

    assert in_batches(range(11), 8, work) == tuple(range(0, 110, 10))
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]


def test_one_item_that_does_not_fit_and_any_other_error_are_raised():
    def fails(message):
        def work(chunk):
            raise RuntimeError(message)

        return work

    with pytest.raises(RuntimeError, match="allocate memory"):
        in_batches([1], 4, fails("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(RuntimeError, match="shapes"):
        in_batches([1, 2], 4, fails("shapes differ"))
    assert is_out_of_memory(MemoryError())
    assert in_batches([], 4, fails("never called")) == ()


def test_the_automatic_batch_depends_on_the_shapes_alone_on_a_processor():
    cpu = torch.device("cpu")
    assert automatic_batch(500, 768, 2, cpu) > automatic_batch(1970, 768, 2, cpu) >= 1
    assert automatic_batch(10**6, 768, 2, cpu) == 1


def test_items_of_several_lengths_are_padded_under_a_mask():
    short = Hidden(torch.ones(1, 3, 4), torch.tensor([2]))
    long = Hidden(torch.ones(1, 5, 4), torch.tensor([4]))
    both = joined([short, long])
    assert both.states.shape == (2, 5, 4)
    assert both.mask.sum(1).tolist() == [3, 5]
    assert both.pooled.tolist() == [2, 4]
    assert joined([long, long]).mask is None
    with pytest.raises(ValueError, match="go alone"):
        joined([Hidden(torch.ones(1, 3, 4), None), long])


@pytest.mark.parametrize(
    ("asked", "gains", "agreement", "chosen"),
    [
        ("auto", True, 0.995, "bfloat16"),
        ("auto", True, 0.985, "float32"),
        ("auto", False, 1.0, "float32"),
        ("float32", True, 1.0, "float32"),
        ("bfloat16", False, 0.1, "bfloat16"),
    ],
)
def test_precision_is_chosen_by_what_was_measured(asked, gains, agreement, chosen):
    assert choose(asked, lambda: gains, lambda: agreement) == chosen


def test_what_is_not_asked_is_not_measured():
    def never():
        raise AssertionError

    assert choose("float32", never, never) == "float32"
    assert choose("auto", lambda: False, never) == "float32"


def test_rank_agreement_is_spearmans():
    assert rank_agreement(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([0.1, 5.0, 6.0])) == pytest.approx(1)
    assert rank_agreement(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0])) == pytest.approx(-1)


def test_a_lowered_tower_leaves_the_tower_as_it_is_and_says_the_same_roughly(random_clip):
    tower = load_model(random_clip, torch.device("cpu")).vision
    before = [weight.clone() for weight in tower.blocks[2].mlp.parameters()]
    lower = lowered(tower, 2)
    assert lower.blocks[1] is tower.blocks[1]
    assert lower.blocks[2].attention.query.weight.dtype is torch.bfloat16
    assert all(torch.equal(old, new) for old, new in zip(before, tower.blocks[2].mlp.parameters(), strict=True))
    assert all(weight.dtype is torch.float32 for weight in tower.blocks[2].mlp.parameters())
    pixels = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = lower.encode(pixels)
    with torch.no_grad():
        assert torch.cosine_similarity(low.float(), tower.encode(pixels)).min() > 0.999
