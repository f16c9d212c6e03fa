import pytest
import torch

from medaudit.attribution.coiba import Coiba, CoibaSettings


@pytest.mark.parametrize("image", [True, False])
def test_one_lambda_a_token_is_shared_by_the_blocks(plain, image):
    """The equations with sigmoids and logarithms as they stand, the library's blocks, autograd by ``backward``."""
    side, index = plain.sides()[0 if image else 1], 0 if image else 1
    draw = plain.sides()[index].draws[0]
    states = [one[0] for one in plain.library.states(plain.inputs(image), image=image)]
    stats = {block: (states[block + 1].mean(0), states[block + 1].std(0, unbiased=False)) for block in (1, 2)}
    alpha = torch.full((len(states[0]), 1), 5.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([alpha], lr=1.0)
    standard = (states[2] - stats[1][0]) / stats[1][1]

    def nats():
        passed = torch.sigmoid(alpha)
        return -0.5 * (1 + torch.log((1 - passed) ** 2) - (passed * standard) ** 2 - (1 - passed) ** 2)

    losses = []
    for _ in range(3):
        passed = torch.sigmoid(alpha)
        noise = stats[1][0] + stats[1][1] * draw((2, *states[0].shape)).double()
        hidden = passed * states[2] + (1 - passed) * noise
        kept = {}
        hook = plain.library.layers(image=image)[2].register_forward_hook(
            lambda _m, _a, out, kept=kept: kept.update(out=out[0] if isinstance(out, tuple) else out)
        )
        plain.library.embed(plain.inputs(image), image=image, block=2, states=hidden)
        hook.remove()
        noise = stats[2][0] + stats[2][1] * draw((2, *states[0].shape)).double()
        hidden = passed * kept["out"] + (1 - passed) * noise
        embedded = plain.library.embed(plain.inputs(image), image=image, block=3, states=hidden)
        loss = 0.3 * nats().mean() - (embedded @ plain.target(image)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    found = Coiba(CoibaSettings(first_block=1, last_block=2, beta=0.3, steps=4, samples=2)).relevance(side)
    assert torch.allclose(found.relevance[0], nats().sum(-1).detach(), rtol=1e-8)
    assert found.losses[0] == pytest.approx(losses, rel=1e-8)
