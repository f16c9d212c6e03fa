import dataclasses

import pytest
import torch

from medaudit.attribution.ca_m2ib import CaM2ib, CaM2ibSettings
from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Noise
from medaudit.attribution.registry import build_method
from medaudit.errors import AttributionError, UsageError
from medaudit.models.interface import Tower


def embeddings(plain, *, image):
    """Every token's own embedding by the library's last norm and projection, one at a time."""
    clip, states = plain.library.clip, plain.library.states(plain.inputs(image), image=image)[-1][0]
    norm = clip.vision_model.post_layernorm if image else clip.text_model.final_layer_norm
    project = clip.visual_projection if image else clip.text_projection
    found = [project(norm(state)) for state in states]
    return [one / one.norm() for one in found][1:] if image else [one / one.norm() for one in found][1:-1]


def prices(plain, *, image, scale, guidance):
    """1 for class, begin and end; else by the attention that the other side's tokens pay, looped."""
    own, others = embeddings(plain, image=image), embeddings(plain, image=not image)
    paid = [0.0] * len(own)
    for other in others:
        weights = [torch.exp(scale * (other @ one)).item() for one in own]
        paid = [before + weight / sum(weights) / len(others) for before, weight in zip(paid, weights, strict=True)]
    found = [1.0] + [1 / (1 - guidance + guidance * len(own) * one) for one in paid]
    return torch.tensor(found if image else [*found, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("image", [True, False])
def test_tokens_pay_by_the_other_sides_attention(plain, image):
    """The equations with sigmoids and logarithms as they stand, the library's blocks, autograd by ``backward``."""
    seen, written = plain.sides()
    draw = (plain.sides()[0] if image else plain.sides()[1]).draws[0]
    price = prices(plain, image=image, scale=9.0, guidance=0.7)
    assert price.max() > 1.05
    assert price.min() < 0.99
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
        loss = 0.3 * (price[:, None] * nats()).mean() - (embedded @ plain.target(image)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    protocol = {"beta": 0.3, "steps": 5, "samples": 2, "learning_rate": 0.5, "initial_alpha": 4.0}
    on_image, (on_text,) = CaM2ib(CaM2ibSettings(1, 1, guidance=0.7, scale=9, **protocol)).both(seen, [written])
    found = on_image if image else on_text
    assert torch.allclose(found.relevance[0].double(), nats().sum(-1).detach(), rtol=1e-5)
    assert found.losses[0] == pytest.approx(losses, rel=1e-8)


def test_without_guidance_it_is_m2ib(model32, picture32, plain):
    noise = Noise(seed=5, image="1.2.3#0")
    (own,) = CaM2ib(CaM2ibSettings(guidance=0, steps=4, samples=2)).explain(model32, picture32, [plain.prompt], noise)
    (other,) = M2IB(M2IBSettings(steps=4, samples=2)).explain(model32, picture32, [plain.prompt], noise)
    assert own.image.values == pytest.approx(other.image.values, rel=1e-5)
    assert own.text.values == pytest.approx(other.text.values, rel=1e-5)
    assert own.settings["image_block"] == 1


def test_the_models_own_scale_is_used_where_none_is_given(plain):
    maps = []
    for scale in (0, plain.model.score.scale):
        seen, written = plain.sides()
        maps.append(CaM2ib(CaM2ibSettings(scale=scale, steps=2, samples=2)).both(seen, [written])[0].relevance)
    assert torch.equal(*maps)


class Shrinking(Tower):
    """As a tower of stages: more tokens before its last block than behind it."""

    def __init__(self, inner):
        self.inner, self.depth, self.grid = inner, inner.depth, inner.grid

    def embed(self, inputs, mask=None):
        hidden = self.inner.embed(inputs, mask)
        return hidden.with_states(torch.cat([hidden.states, hidden.states[:, -5:]], 1))

    def run(self, hidden, start, stop, *, only=None):
        hidden = self.inner.run(hidden, start, stop, only=only)
        return hidden.with_states(hidden.states[:, : self.grid.tokens]) if stop == self.depth else hidden

    def head(self, hidden):
        return self.inner.head(hidden)

    def attention(self, hidden, block):
        return self.inner.attention(hidden, block)


def test_a_block_of_another_grid_is_refused_with_a_way_out(model32, picture32, plain):
    model, noise = dataclasses.replace(model32, vision=Shrinking(model32.vision)), Noise(seed=5, image="1.2.3#0")
    with pytest.raises(AttributionError, match=r"202 tokens, the tower's last 197.*choose image_block: -1, or m2ib"):
        CaM2ib().explain(model, picture32, [plain.prompt], noise)
    assert CaM2ib(CaM2ibSettings(image_block=-1, steps=2, samples=2)).explain(model, picture32, [plain.prompt], noise)


@pytest.mark.parametrize(("settings", "message"), [({"guidance": 1.0}, "guidance < 1"), ({"scale": -1.0}, "scale")])
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        build_method("ca-m2ib", settings)
