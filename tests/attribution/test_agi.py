import pytest
import torch

from medaudit.attribution.agi import Agi, AgiSettings
from medaudit.attribution.registry import build_method
from medaudit.errors import AttributionError, UsageError


def test_each_negative_draws_the_image_its_own_way_and_the_prompt_pays(plain, sum_patches):
    """One way after another, with the softmax's own gradient for the sign, at a scale that cosines do not have."""
    length = 0.002 * float(plain.pixels.max() - plain.pixels.min())
    maps, falls = [], []
    for text in ("radiograph of fluid", "a blank image"):
        with torch.no_grad():
            rival = plain.library.embed(plain.model.tokenize(text).ids, image=False)[0]
        point, total = plain.pixels.clone(), torch.zeros_like(plain.pixels)
        for _ in range(3):
            point = point.detach().requires_grad_()
            embedded = plain.library.embed(point, image=True)[0]
            asked = embedded @ plain.written
            false = torch.softmax(20 * torch.stack([asked, embedded @ rival]), 0)[1]
            (pull,) = torch.autograd.grad(false, point, retain_graph=True)
            (slope,) = torch.autograd.grad(asked, point)
            total -= length * pull.sign() * slope
            point = point.detach() + length * pull.sign()
        maps.append(sum_patches(total[0].sum(0), plain.model))
        with torch.no_grad():
            falls.append(float((plain.seen - plain.library.embed(point, image=True)[0]) @ plain.written))
    settings = AgiSettings(negatives="radiograph of fluid | a blank image|", steps=3, step=0.002)
    found = Agi(settings).relevance(plain.sides()[0])
    assert torch.allclose(found.relevance[0], torch.stack(maps).mean(0), rtol=1e-6)
    assert found.residuals[0] == pytest.approx(abs(float(found.relevance.sum()) - sum(falls) / 2), abs=1e-10)


def test_short_ways_miss_nothing_of_the_fall(plain):
    found = Agi(AgiSettings(steps=4, step=0.00002)).relevance(plain.sides()[0])
    assert found.residuals[0] < 0.01 * abs(float(found.relevance.sum()))


def test_the_prompt_itself_is_no_rival(plain):
    """The sign of a difference from itself would be that of rounding."""
    side, both = plain.sides()[0], f"{plain.prompt.text}|a blank image"
    found, alone = (Agi(AgiSettings(negatives=one, steps=2)).relevance(side) for one in (both, "a blank image"))
    assert torch.equal(found.relevance, alone.relevance)
    with pytest.raises(AttributionError, match="agi: negatives name the prompt itself and nothing else"):
        Agi(AgiSettings(negatives=plain.prompt.text)).relevance(side)


def test_negatives_without_a_sentence_are_refused():
    with pytest.raises(UsageError, match="negatives: expected at least one sentence; got"):
        build_method("agi", {"negatives": " | "})
