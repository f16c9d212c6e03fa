import pytest
import torch

from medaudit.attribution.mfaba import Mfaba, MfabaSettings


def test_an_images_way_down_is_walked_and_paid_for(plain, sum_patches):
    length = 0.002 * float(plain.pixels.max() - plain.pixels.min())
    point, total = plain.pixels.clone(), torch.zeros_like(plain.pixels)
    for _ in range(4):
        point = point.detach().requires_grad_()
        (slope,) = torch.autograd.grad(plain.library.embed(point, image=True)[0] @ plain.written, point)
        total += length * slope.abs()
        point = point.detach() - length * slope.sign()
    with torch.no_grad():
        fall = (plain.seen - plain.library.embed(point, image=True)[0]) @ plain.written
    found = Mfaba(MfabaSettings(steps=4, step=0.002)).relevance(plain.sides()[0])
    assert torch.allclose(found.relevance[0], sum_patches(total[0].sum(0), plain.model), rtol=1e-9)
    assert found.residuals[0] == pytest.approx(abs(float(found.relevance.sum() - fall)), abs=1e-12)
    short = Mfaba(MfabaSettings(steps=4, step=0.00002)).relevance(plain.sides()[0])
    assert short.residuals[0] / float(short.relevance.sum()) < 0.01  # first order is all there is nearby


def test_begin_and_end_of_a_text_do_not_move(plain):
    found = Mfaba().relevance(plain.sides()[1]).relevance[0]
    assert found[0] == found[-1] == 0
    assert found[1:-1].min() > 0
