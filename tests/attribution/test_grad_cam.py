import pytest
import torch

from medaudit.attribution.grad_cam import GradCAM, GradCAMSettings


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("image", [True, False])
def test_states_are_weighted_by_their_mean_gradient_over_places_or_each_by_its_own(plain, image, pooled):
    states = plain.library.states(plain.inputs(image), image=image)[3].detach().requires_grad_()
    embedded = plain.library.embed(plain.inputs(image), image=image, block=3, states=states)
    slope = torch.autograd.grad((embedded @ plain.target(image)).sum(), states)[0][0]
    places = slope[1:] if image else slope[1:-1]
    weights = places.mean(0) if pooled else slope
    expected = (states[0] * weights).sum(-1).clamp(min=0)
    side = plain.sides()[0 if image else 1]
    found = GradCAM(GradCAMSettings(image_block=3, text_block=3, pooled=pooled)).relevance(side).relevance[0]
    assert found.max() > 0
    assert torch.allclose(found, expected.detach(), atol=1e-14)
