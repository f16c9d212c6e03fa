import math

import pytest
import torch

from medaudit.attribution.adaib import Adaib, AdaibSettings, relevance_of_pair


@pytest.mark.parametrize("image", [True, False])
def test_a_pair_pays_by_the_distance_of_its_embeddings(plain, image):
    """-L with f from the distance itself and g at its floor, sigmoids and logarithms as they stand."""
    side, index = plain.sides()[0 if image else 1], 0 if image else 1
    draw = plain.sides()[index].draws[0]
    related = math.exp(-(float((plain.seen - plain.written).norm()) ** 2) / (2 * 0.6**2))
    state = plain.library.states(plain.inputs(image), image=image)[2][0]
    alpha = torch.full_like(state, 4.0, requires_grad=True)
    optimiser = torch.optim.Adam([alpha], lr=0.5)

    def nats():
        passed = torch.sigmoid(alpha)
        return -0.5 * (1 + torch.log((1 - passed) ** 2) - (passed * state) ** 2 - (1 - passed) ** 2)

    losses = []
    for _ in range(4):
        passed = torch.sigmoid(alpha)
        mixed = passed * state + (1 - passed) * draw((2, *state.shape)).double()
        embedded = plain.library.embed(plain.inputs(image), image=image, block=2, states=mixed)
        loss = 0.3 * nats().mean() - related * (embedded @ plain.target(image)).mean()
        optimiser.zero_grad()
        (loss / related).backward()  # Adam's epsilon alone tells the scale of a loss
        optimiser.step()
        losses.append(float(loss.detach()))
    settings = AdaibSettings(1, 1, beta=0.3, width=0.6, steps=5, samples=2, learning_rate=0.5, initial_alpha=4.0)
    found = Adaib(settings).relevance(side)
    assert torch.allclose(found.relevance[0].double(), nats().sum(-1).detach(), rtol=1e-5)
    assert found.losses[0] == pytest.approx(losses, rel=1e-8)


def test_a_pair_that_is_less_related_pays_more():
    assert relevance_of_pair(1.0, 0.5) == 1
    assert 0 < relevance_of_pair(-1.0, 0.5) < relevance_of_pair(0.2, 0.5) < relevance_of_pair(0.3, 0.5)
    assert relevance_of_pair(0.2, 2.0) > relevance_of_pair(0.2, 1.0)
