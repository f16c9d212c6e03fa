import math

import numpy as np
import pytest
import torch

from medaudit.attribution.ampe import Ampe, AmpeSettings, rescaled


def transform(plane, axis):
    """The orthonormal DCT-II along an axis, by the Fourier transform of the plane and its mirror."""
    size = plane.shape[axis]
    doubled = np.fft.fft(np.concatenate([plane, np.flip(plane, axis)], axis), axis=axis).take(range(size), axis)
    shape = [1, 1]
    shape[axis] = size
    turn = np.exp(-0.5j * math.pi * np.arange(size) / size).reshape(shape)
    weight = np.full(size, math.sqrt(1 / (2 * size)))
    weight[0] = math.sqrt(1 / (4 * size))
    return (doubled * turn).real * weight.reshape(shape)


def test_scales_act_on_the_cosine_transform():
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(6, 9, generator=generator, dtype=torch.float64)
    scales = torch.rand(6, 9, generator=generator, dtype=torch.float64)
    before, after = (transform(transform(one.numpy(), 0), 1) for one in (plane, rescaled(plane, scales)))
    assert np.allclose(after, before * scales.numpy(), atol=1e-12)
    assert torch.allclose(rescaled(plane, torch.ones_like(plane)), plane, atol=1e-12)


def test_gradients_of_copies_with_other_frequencies_lead_the_way_down(plain, sum_patches):
    """One copy at a time, chance by the error function, the library's module."""
    side = plain.sides()[0]
    draw = plain.sides()[0].draws[0]
    reach = float(plain.pixels.max() - plain.pixels.min())
    point, total = plain.pixels.clone(), torch.zeros_like(plain.pixels)
    for _ in range(2):
        noise, chance = draw((2, 3, *plain.pixels.shape[1:])).double()
        slopes = []
        for one, other in zip(noise, chance, strict=True):
            scales = 0.6 + 0.8 * 0.5 * (1 + torch.erf(other / math.sqrt(2)))
            copy = rescaled(point + 0.05 * reach * one, scales).requires_grad_()
            slopes.append(torch.autograd.grad(plain.library.embed(copy, image=True)[0] @ plain.written, copy)[0])
        slope = sum(slopes) / 3
        total += 0.01 * reach / 2 * slope.abs()
        point = point - 0.01 * reach / 2 * slope.sign()
    with torch.no_grad():
        fall = (plain.seen - plain.library.embed(point, image=True)[0]) @ plain.written
    settings = AmpeSettings(steps=2, budget=0.01, copies=3, spread=0.05, spectrum=0.4, batch=2)
    found = Ampe(settings).relevance(side)
    assert torch.allclose(found.relevance[0], sum_patches(total[0].sum(0), plain.model), rtol=1e-9)
    assert found.residuals[0] == pytest.approx(abs(float(found.relevance.sum() - fall)), abs=1e-12)
