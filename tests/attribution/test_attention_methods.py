"""Rollout, Chefer, Grad-ECLIP and LeGrad against the library's own attention weights."""

import pytest
import torch
from torch.nn.functional import layer_norm

from medaudit.attribution.chefer import Chefer, CheferSettings
from medaudit.attribution.grad_eclip import GradEclip, GradEclipSettings
from medaudit.attribution.legrad import LeGrad, LeGradSettings
from medaudit.attribution.rollout import Rollout, RolloutSettings

BOTH = pytest.mark.parametrize("image", [True, False])


def side_of(plain, *, image):
    return plain.sides()[0 if image else 1]


def pooled(image):
    return 0 if image else -1


@BOTH
@pytest.mark.parametrize("first", [0, 2])
def test_rollout_multiplies_mixed_weights(plain, image, first):
    weights = plain.eager.weights(plain.inputs(image), image=image)
    flow = torch.eye(weights[0].shape[-1]).double()
    for one in weights[first:]:
        mixed = one[0].mean(0) + torch.eye(len(flow))
        flow = (mixed / mixed.sum(-1, keepdim=True)) @ flow
    found = Rollout(RolloutSettings(image_block=first, text_block=first)).relevance(side_of(plain, image=image))
    assert torch.allclose(found.relevance[0], flow[pooled(image)], atol=1e-12)


@BOTH
@pytest.mark.parametrize("first", [1, 3])
def test_chefer_accumulates_weights_by_their_gradients(plain, image, first):
    states = plain.eager.states(plain.inputs(image), image=image)[first].detach().requires_grad_()
    kept = []
    hooks = [
        layer.self_attn.register_forward_hook(lambda _m, _a, out: kept.append(out[1]))
        for layer in plain.eager.layers(image=image)[first:]
    ]
    embedded = plain.eager.embed(plain.inputs(image), image=image, block=first, states=states)
    for hook in hooks:
        hook.remove()
    slopes = torch.autograd.grad((embedded @ plain.target(image)).sum(), kept)
    flow = torch.eye(kept[0].shape[-1]).double()
    for weight, slope in zip(kept, slopes, strict=True):
        flow = flow + (slope[0] * weight[0]).clamp(min=0).mean(0).detach() @ flow
    expected = flow[pooled(image)].clone()
    expected[pooled(image)] -= 1
    found = Chefer(CheferSettings(image_block=first, text_block=first)).relevance(side_of(plain, image=image))
    assert expected.max() > 0
    assert torch.allclose(found.relevance[0], expected, atol=1e-14)


@BOTH
@pytest.mark.parametrize("loosened", [True, False])
def test_grad_eclip_adds_up_first_order_shares_head_by_head(plain, image, loosened):
    blocks = 1 if image else 2
    layers = plain.eager.layers(image=image)[-blocks:]
    states = plain.eager.states(plain.inputs(image), image=image)[-1 - blocks].detach().requires_grad_()
    met = {}
    hooks = []
    for index, layer in enumerate(layers):
        for part in ("q_proj", "k_proj", "v_proj"):
            name = (index, part)
            hooks.append(
                getattr(layer.self_attn, part).register_forward_hook(
                    lambda _m, _a, out, name=name: met.__setitem__(name, out)
                )
            )
        hooks.append(
            layer.self_attn.out_proj.register_forward_pre_hook(
                lambda _m, args, index=index: met.__setitem__((index, "o"), args[0])
            )
        )
        hooks.append(
            layer.self_attn.register_forward_hook(
                lambda _m, _a, out, index=index: met.__setitem__((index, "weights"), out[1])
            )
        )
    embedded = plain.eager.embed(plain.inputs(image), image=image, block=4 - blocks, states=states)
    for hook in hooks:
        hook.remove()
    score, query = (embedded @ plain.target(image)).sum(), pooled(image)
    expected = torch.zeros(states.shape[1]).double()
    for index in range(blocks):
        slope = torch.autograd.grad(score, met[index, "o"], retain_graph=True)[0][0, query]
        q, k, v = (met[index, part][0].detach() for part in ("q_proj", "k_proj", "v_proj"))
        share = torch.zeros_like(expected)
        for head, part in enumerate(slice(8 * h, 8 * h + 8) for h in range(4)):
            cosine = torch.stack([q[query, part] @ one[part] / (q[query, part].norm() * one[part].norm()) for one in k])
            look = (cosine - cosine.min()) / (cosine.max() - cosine.min())
            look = look if loosened else met[index, "weights"][0, head, query].detach()
            share += torch.stack([(slope[part] * one[part]).sum() for one in v]) * look
        expected += share.clamp(min=0)
    settings = GradEclipSettings(image_blocks=1, text_blocks=2, loosened=loosened)
    found = GradEclip(settings).relevance(side_of(plain, image=image))
    assert torch.allclose(found.relevance[0], expected, rtol=1e-4, atol=1e-9)  # the library's softmax is float32


def test_the_shares_of_all_tokens_are_what_the_pooled_token_gathered(plain):
    """With the attention itself for a weight and no cut, shares add up to the first-order change of the output."""
    seen, _ = plain.sides()
    hidden = seen.hidden(3)
    heads = seen.tower.heads(hidden, 3)
    gathered = heads.gathered().requires_grad_()
    score = (seen.tower.head(seen.tower.finish(hidden, 3, gathered)) @ seen.targets[0]).sum()
    slope = torch.autograd.grad(score, gathered)[0]
    shares = heads.weights[0, :, 0] * torch.einsum("hd,hnd->hn", slope[0, 0].view(4, 8), heads.value[0])
    assert shares.sum() == pytest.approx(float(slope[0, 0] @ gathered[0, 0].detach()), rel=1e-10)


@BOTH
def test_legrad_is_each_blocks_own_gradient_by_its_weights(plain, image):
    clip = plain.eager.clip
    states = plain.eager.states(plain.inputs(image), image=image)
    weights = plain.eager.weights(plain.inputs(image), image=image)
    expected = torch.zeros(states[0].shape[1]).double()
    for block in (2, 3):
        layer = plain.eager.layers(image=image)[block]
        norm = layer.layer_norm1
        value = layer.self_attn.v_proj(layer_norm(states[block], (32,), norm.weight, norm.bias, norm.eps))
        value = value[0].view(-1, 4, 8).transpose(0, 1)
        weight = weights[block][0].detach().requires_grad_()
        written = layer.self_attn.out_proj((weight @ value).transpose(0, 1).flatten(1))
        after = states[block][0] + written
        mean = (after + layer.mlp(layer.layer_norm2(after))).mean(0)
        if image:
            embedded = clip.visual_projection(clip.vision_model.post_layernorm(mean))
        else:
            embedded = clip.text_projection(clip.text_model.final_layer_norm(mean))
        score = (embedded / embedded.norm()) @ plain.target(image)
        expected += torch.autograd.grad(score, weight)[0].clamp(min=0).mean((0, 1))
    found = LeGrad(LeGradSettings(blocks=2)).relevance(side_of(plain, image=image))
    assert torch.allclose(found.relevance[0], expected, atol=1e-14)
