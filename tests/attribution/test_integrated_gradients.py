import pytest
import torch

from medaudit.attribution.integrated_gradients import (
    NIB,
    IGSettings,
    IntegratedGradients,
    NIBSettings,
)
from medaudit.attribution.perturb import blurred


def slope(plain, point, block, *, image):
    point = point.detach().requires_grad_()
    if block is None:
        embedded = plain.library.embed(point, image=True)
    else:
        embedded = plain.library.embed(plain.inputs(image), image=image, block=block, states=point)
    return torch.autograd.grad((embedded @ plain.target(image)).sum(), point)[0][0]


def test_an_images_integral_is_the_mean_gradient_by_the_way_from_grey(plain, sum_patches):
    method = IntegratedGradients(IGSettings(steps=5, batch=2))
    mean = sum(slope(plain, plain.pixels * (step + 0.5) / 5, None, image=True) for step in range(5)) / 5
    expected = sum_patches((mean * plain.pixels[0]).sum(0), plain.model)
    assert torch.allclose(method.relevance(plain.sides()[0]).relevance[0], expected, atol=1e-12)


def test_a_texts_integral_goes_from_end_tokens_and_gives_begin_and_end_nothing(plain):
    method = IntegratedGradients(IGSettings(steps=4))
    words = plain.library.states(plain.ids, image=False)[0]
    base = words.clone()
    base[0, 1:-1] = words[0, -1]
    way = words - base
    mean = sum(slope(plain, base + (step + 0.5) / 4 * way, 0, image=False) for step in range(4)) / 4
    found = method.relevance(plain.sides()[1]).relevance[0]
    assert torch.allclose(found, (mean * way[0]).sum(-1), atol=1e-12)
    assert found[0] == found[-1] == 0


@pytest.mark.parametrize("baseline", ["mean", "blur"])
def test_the_sum_is_the_change_of_the_similarity_and_the_residual_what_is_missing(plain, baseline):
    seen, written = plain.sides()
    base = torch.zeros_like(plain.pixels) if baseline == "mean" else blurred(plain.pixels)
    with torch.no_grad():
        change = (plain.seen - plain.library.embed(base, image=True)[0]) @ plain.written
    misses = []
    for steps in (8, 64):
        found = IntegratedGradients(IGSettings(steps=steps, baseline=baseline)).relevance(seen)
        assert float(abs(found.relevance.sum() - change)) == pytest.approx(found.residuals[0], abs=1e-12)
        misses.append(found.residuals[0])
    assert misses[1] < misses[0] / 8
    assert misses[1] < 1e-2 * abs(float(change))
    assert IntegratedGradients(IGSettings(steps=64)).relevance(written).residuals[0] < 1e-3


@pytest.mark.parametrize("image", [True, False])
def test_nib_is_the_right_riemann_sum_from_zero_inside_the_model(plain, image):
    states = plain.library.states(plain.inputs(image), image=image)[2]
    mean = sum(slope(plain, states * step / 10, 2, image=image) for step in range(1, 11)) / 10
    side = plain.sides()[0 if image else 1]
    found = NIB(NIBSettings(image_block=2, text_block=2, batch=3)).relevance(side).relevance[0]
    assert torch.allclose(found, (mean * states[0]).sum(-1), atol=1e-12)
