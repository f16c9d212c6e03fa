import pytest
import torch
from torch.autograd.functional import jacobian

from medaudit.attribution.second_order import SecondOrder, SecondOrderSettings, interactions


def integrated(plain, block, steps, *, image):
    """(N, E) by the full Jacobian of the library's embedding at every step."""
    inputs = plain.inputs(image)
    point = plain.library.states(inputs, image=image)[block].detach()
    if image:
        base = plain.library.states(torch.zeros_like(inputs), image=True)[block].detach()
    else:
        words = plain.library.states(inputs, image=False)[0].clone()
        words[:, 1:-1] = words[:, -1:]
        kept = []
        layer = plain.library.layers(image=False)[block]
        hook = layer.register_forward_pre_hook(
            lambda _m, args, kwargs: kept.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
        )
        plain.library.embed(inputs, image=False, block=0, states=words)
        hook.remove()
        base = kept[0].detach()
    total = 0
    for step in range(steps):
        at = base + (step + 0.5) / steps * (point - base)
        total = total + jacobian(lambda x: plain.library.embed(inputs, image=image, block=block, states=x)[0], at)[:, 0]
    with torch.no_grad():
        ends = [plain.library.embed(inputs, image=image, block=block, states=one)[0] for one in (base, point)]
    return torch.einsum("end,nd->ne", total / steps, (point - base)[0]), ends[1] - ends[0]


def test_interactions_are_products_of_integrated_jacobians(plain):
    method = SecondOrder(SecondOrderSettings(image_block=3, text_block=2, steps=3, batch=7))
    seen, written = plain.sides()
    image, way_image = integrated(plain, 3, 3, image=True)
    text, way_text = integrated(plain, 2, 3, image=False)
    expected = text @ image.T
    assert torch.allclose(interactions(method.parts(written), method.parts(seen)), expected, atol=1e-12)
    on_image, (on_text,) = method.both(seen, [written])
    assert torch.allclose(on_image.relevance[0], expected.sum(0), atol=1e-12)
    assert torch.allclose(on_text.relevance[0], expected.sum(1), atol=1e-12)
    missing = abs(float(expected.sum() - way_text @ way_image))
    assert on_image.residuals[0] == pytest.approx(missing, abs=1e-12)


def test_interactions_add_up_to_the_change_of_the_similarity(plain):
    seen, written = plain.sides()
    misses = [SecondOrder(SecondOrderSettings(steps=steps)).both(seen, [written])[0].residuals[0] for steps in (2, 20)]
    assert misses[1] < misses[0] / 10
