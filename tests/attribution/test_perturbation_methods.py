"""Occlusion, RISE and KernelSHAP against loops, and Shapley's own definition."""

from itertools import combinations, permutations

import pytest
import torch
from torch.nn.functional import interpolate

from medaudit.attribution.kernel_shap import KernelShap, KernelShapSettings, coalitions, shapley
from medaudit.attribution.occlusion import Occlusion, OcclusionSettings
from medaudit.attribution.perturb import blurred
from medaudit.attribution.rise import Rise, RiseSettings

SIDE = 8  # pixels of a patch; the grid is 14 x 14


def image_score(plain, pixels):
    with torch.no_grad():
        return float(plain.library.embed(pixels, image=True)[0] @ plain.written)


def text_score(plain, hidden):
    """Similarity with some words hidden from every token by the library's own attention mask."""
    word_of_token = torch.tensor(plain.read.word_of_token)
    mask = torch.tensor([[word not in hidden for word in word_of_token.tolist()]]).long()
    with torch.no_grad():
        return float(plain.library.embed(plain.ids, image=False, attention_mask=mask)[0] @ plain.seen)


def by_word(plain, relevance):
    word_of_token = torch.tensor(plain.read.word_of_token)
    return [float(relevance[word_of_token == word].sum()) for word in range(len(plain.read.words))]


@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_occlusion_is_the_mean_fall_over_the_windows_that_hide_a_patch(plain, fill):
    window = 12  # nine places on the grid
    instead = torch.zeros_like(plain.pixels) if fill == "mean" else blurred(plain.pixels)
    falls, counts, whole = torch.zeros(14, 14).double(), torch.zeros(14, 14).double(), image_score(plain, plain.pixels)
    for top in range(3):
        for left in range(3):
            changed = plain.pixels.clone()
            rows, columns = (slice(SIDE * at, SIDE * (at + window)) for at in (top, left))
            changed[..., rows, columns] = instead[..., rows, columns]
            falls[top : top + window, left : left + window] += whole - image_score(plain, changed)
            counts[top : top + window, left : left + window] += 1
    found = Occlusion(OcclusionSettings(window=window, fill=fill, batch=4)).relevance(plain.sides()[0]).relevance[0]
    assert found[0] == 0
    assert torch.allclose(found[1:].view(14, 14), falls / counts, atol=1e-12)


def test_a_words_occlusion_is_its_own_fall(plain):
    whole = text_score(plain, set())
    falls = [whole - text_score(plain, {word}) for word in range(len(plain.read.words))]
    found = Occlusion().relevance(plain.sides()[1]).relevance[0]
    assert by_word(plain, found) == pytest.approx(falls, abs=1e-7)
    assert found[0] == found[-1] == 0


def test_the_blur_keeps_the_mean_and_loses_what_is_small():
    flat = torch.full((1, 3, 64, 48), 2.0).double()
    assert torch.allclose(blurred(flat), flat)
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    assert blurred(noise).std() < 0.15


def test_rise_is_the_mean_over_masks_that_show_a_place(plain, sum_patches):
    settings = RiseSettings(masks=7, cells=3, keep=0.4, batch=4)
    draw = plain.sides()[0].shared
    cells = (torch.special.ndtr(draw((7, 3, 3))) < 0.4).double()
    shift = torch.special.ndtr(draw((7, 2)))
    masks = []
    for one, (down, right) in zip(cells, shift, strict=True):
        cell = 38  # 112 / 3, rounded up
        large = interpolate(one[None, None], size=(4 * cell, 4 * cell), mode="bilinear", align_corners=False)[0, 0]
        top, left = int(down * cell), int(right * cell)
        masks.append(large[top : top + 112, left : left + 112])
    scores = [image_score(plain, plain.pixels * mask) for mask in masks]
    weighted = sum(score * mask for score, mask in zip(scores, masks, strict=True))
    weight = sum(masks)
    values = torch.where(weight > 0, weighted / weight.clamp(min=1e-9) - sum(scores) / 7, 0)
    found = Rise(settings).relevance(plain.sides()[0]).relevance[0]
    assert torch.allclose(found, sum_patches(values, plain.model) / SIDE**2, atol=1e-10)


def test_rise_of_words_is_the_mean_over_texts_that_keep_a_word(plain):
    count = len(plain.read.words)
    keep = torch.special.ndtr(plain.sides()[1].shared((9, count))) < 0.5
    scores = [text_score(plain, {word for word in range(count) if not row[word]}) for row in keep]
    expected = []
    for word in range(count):
        kept = [score for score, row in zip(scores, keep, strict=True) if row[word]]
        expected.append(sum(kept) / len(kept) - sum(scores) / 9)
    found = Rise(RiseSettings(text_masks=9)).relevance(plain.sides()[1]).relevance[0]
    assert by_word(plain, found) == pytest.approx(expected, abs=1e-7)


def test_words_get_shapleys_own_values(plain):
    count = len(plain.read.words)
    value = {
        chosen: text_score(plain, set(range(count)) - set(chosen))
        for size in range(count + 1)
        for chosen in combinations(range(count), size)
    }
    expected = [0.0] * count
    orders = list(permutations(range(count)))
    for order in orders:
        for place, word in enumerate(order):
            before = tuple(sorted(order[:place]))
            expected[word] += (value[tuple(sorted((*before, word)))] - value[before]) / len(orders)
    found = KernelShap().relevance(plain.sides()[1])
    assert by_word(plain, found.relevance[0]) == pytest.approx(expected, abs=1e-6)
    assert found.residuals[0] < 1e-9


def test_squares_of_patches_get_shapleys_own_values(plain):
    settings = KernelShapSettings(group=7, coalitions=14)
    found = KernelShap(settings).relevance(plain.sides()[0]).relevance[0][1:].view(14, 14)

    def score(chosen):
        pixels = torch.zeros_like(plain.pixels)
        for row, column in chosen:
            rows, columns = slice(56 * row, 56 * row + 56), slice(56 * column, 56 * column + 56)
            pixels[..., rows, columns] = plain.pixels[..., rows, columns]
        return image_score(plain, pixels)

    squares = [(row, column) for row in range(2) for column in range(2)]
    value = {chosen: score(chosen) for size in range(5) for chosen in combinations(squares, size)}
    for square in squares:
        expected = 0.0
        for order in permutations(squares):
            before = tuple(one for one in squares if one in order[: order.index(square)])
            after = tuple(one for one in squares if one in (*before, square))
            expected += (value[after] - value[before]) / 24
        part = found[7 * square[0] : 7 * square[0] + 7, 7 * square[1] : 7 * square[1] + 7]
        assert float(part.sum()) == pytest.approx(expected, abs=1e-9)
        assert torch.allclose(part, part[0, 0])


def test_drawn_coalitions_come_in_complements_and_find_a_sum_exactly():
    generator = torch.Generator().manual_seed(0)
    keep, weights = coalitions(12, 200, lambda shape: torch.randn(shape, generator=generator))
    assert keep.shape == (200, 12)
    assert torch.equal(keep[0::2], ~keep[1::2])
    assert int(keep.sum(1).min()) > 0
    assert int(keep.sum(1).max()) < 12
    sizes = keep.sum(1)
    assert (sizes == 1).sum() > 2 * (sizes == 5).sum()  # the kernel prefers the smallest and largest
    worth = torch.arange(12).double() - 4
    values = shapley(
        keep.double(),
        weights.double(),
        (keep.double() @ worth)[None] + 2,
        torch.tensor([2.0]).double(),
        2 + worth.sum()[None],
    )
    assert torch.allclose(values[0], worth, atol=1e-9)
