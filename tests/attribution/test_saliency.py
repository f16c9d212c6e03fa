import torch

from medaudit.attribution.saliency import Saliency, SmoothGrad, SmoothGradSettings


def slope(plain, point, *, image):
    point = point.detach().requires_grad_()
    embedded = plain.library.embed(plain.inputs(image), image=image, block=0, states=None if image else point)
    if image:
        embedded = plain.library.embed(point, image=True)
    return torch.autograd.grad((embedded @ plain.target(image)).sum(), point)[0][0]


def words(plain):
    return plain.library.states(plain.ids, image=False)[0]


def test_saliency_is_the_size_of_the_gradient_at_pixels_and_words(plain, sum_patches):
    seen, written = plain.sides()
    expected = sum_patches(slope(plain, plain.pixels, image=True).abs().amax(0), plain.model)
    assert torch.allclose(Saliency().relevance(seen).relevance[0], expected, rtol=1e-8)
    expected = slope(plain, words(plain), image=False).norm(dim=-1)
    assert torch.allclose(Saliency().relevance(written).relevance[0], expected, rtol=1e-8)


def test_smoothgrad_is_the_size_of_the_mean_gradient_over_noisy_copies(plain, sum_patches):
    method = SmoothGrad(SmoothGradSettings(samples=5, spread=0.2, batch=2))
    seen, written = plain.sides()
    for side, image in ((seen, True), (written, False)):
        point = plain.pixels if image else words(plain)
        draw = plain.sides()[0 if image else 1].shared
        noise = torch.cat([draw((count, *point.shape[1:])) for count in (2, 2, 1)]).double()
        sigma = 0.2 * (point.max() - point.min())
        mean = sum(slope(plain, point + sigma * one, image=image) for one in noise) / 5
        expected = sum_patches(mean.abs().amax(0), plain.model) if image else mean.norm(dim=-1)
        assert torch.allclose(method.relevance(side).relevance[0], expected, rtol=1e-8)
