import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from medaudit.attribution.attn_lrp import AttnLRP, AttnLRPSettings, Rules
from medaudit.errors import AttributionError
from medaudit.models import hf_clip


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def relevance(function, wanted, *inputs):
    """Relevance of inputs for relevance ``wanted`` of the output: gradient times input under the rules."""
    inputs = [one.clone().requires_grad_() for one in inputs]
    with Rules():
        out = function(*inputs)
    slopes = torch.autograd.grad(out, inputs, wanted / out.detach())
    return out.detach(), [(slope * one).detach() for slope, one in zip(slopes, inputs, strict=True)]


def test_elementwise_functions_pass_all_to_their_input():
    states, wanted = draw(20), draw(20, seed=1)
    quick = lambda x: x * torch.sigmoid(1.702 * x)  # noqa: E731 - CLIP's activation
    for function in (functional.gelu, functional.silu, quick, nn.GELU(approximate="tanh")):
        values, (found,) = relevance(function, wanted, states)
        assert torch.allclose(values, function(states))
        assert torch.allclose(found, wanted)


def test_layer_norm_is_linear_with_a_constant_scale():
    states, weight, wanted = draw(3, 6), draw(6, seed=2), draw(3, 6, seed=1)
    values, (found,) = relevance(lambda x: functional.layer_norm(x, (6,), weight), wanted, states)
    assert torch.allclose(values, functional.layer_norm(states, (6,), weight))
    scale = weight / (states.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    matrix = (torch.eye(6).double() - 1 / 6)[None] * scale[:, None]  # (3, in, out)
    expected = states[:, :, None] * matrix * (wanted / values)[:, None]
    assert torch.allclose(found, expected.sum(2))


def test_attention_splits_products_in_halves_and_expands_the_softmax():
    query, key, value = (draw(1, 1, 4, 3, seed=seed) for seed in range(3))
    wanted = draw(1, 1, 4, 3, seed=4)
    values, found = relevance(functional.scaled_dot_product_attention, wanted, query, key, value)
    assert torch.allclose(values, functional.scaled_dot_product_attention(query, key, value))
    q, k, v, r, o = (one[0, 0] for one in (query, key, value, wanted, values))
    scores = q @ k.T / 3**0.5
    weights = scores.softmax(-1)
    of_weights, of_value, of_scores = torch.zeros(4, 4).double(), torch.zeros(4, 3).double(), torch.zeros(4, 4).double()
    for j in range(4):
        for i in range(4):
            for p in range(3):
                share = weights[j, i] * v[i, p] * r[j, p] / (2 * o[j, p])  # equation 15
                of_weights[j, i] += share
                of_value[i, p] += share
    for j in range(4):
        for i in range(4):
            of_scores[j, i] = scores[j, i] * (of_weights[j, i] - weights[j, i] * of_weights[j].sum())  # equation 13
    of_query, of_key = torch.zeros(4, 3).double(), torch.zeros(4, 3).double()
    for j in range(4):
        for i in range(4):
            for c in range(3):
                share = q[j, c] * k[i, c] / 3**0.5 * of_scores[j, i] / (2 * scores[j, i])
                of_query[j, c] += share
                of_key[i, c] += share
    for one, expected in zip(found, (of_query, of_key, of_value), strict=True):
        assert torch.allclose(one[0, 0], expected)


def test_without_attention_and_biases_relevance_is_conserved(plain):
    """Norms, linear layers, activations and the residual path: the sum over tokens is the similarity."""
    library = copy.deepcopy(plain.library.clip)
    for name, parameter in library.named_parameters():
        if name.endswith("bias") or "v_proj" in name:
            parameter.zero_()
    vision, _ = hf_clip.towers(library)
    seen = copy.copy(plain.sides()[0])
    with torch.no_grad():
        start = vision.embed(plain.pixels)
        score = vision.suffix(start, 0)[0] @ seen.targets[0]
    side = type(seen)(
        seen.model,
        vision,
        start,
        *(getattr(seen, n) for n in ("pixels", "targets", "others", "word_of_token", "draws", "shared")),
    )
    found = AttnLRP(AttnLRPSettings()).relevance(side).relevance[0]
    assert float(found.sum()) == pytest.approx(float(score), rel=1e-9)


def test_the_rules_end_with_the_mode_and_change_no_value(plain):
    seen, _ = plain.sides()
    with torch.no_grad(), Rules():
        ruled = seen.tower.encode(plain.pixels)
    with torch.no_grad():
        assert torch.allclose(ruled, seen.tower.encode(plain.pixels), atol=1e-12)
    point = draw(3).requires_grad_()
    (slope,) = torch.autograd.grad(functional.gelu(point).sum(), point)
    assert torch.allclose(slope, torch.func.grad(lambda x: functional.gelu(x).sum())(point.detach()))


def test_attention_that_cannot_be_followed_is_refused():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    states = torch.randn(1, 3, 8)
    with Rules(), pytest.raises(AttributionError, match="use legrad"):
        attention(states, states, states)
