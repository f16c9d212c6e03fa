import pytest
import torch
from torch.nn.functional import normalize

from medaudit.attribution.dense import Gem, GemSettings, MaskClip, Surgery, SurgerySettings


def parts(layer, state):
    """The normed input of a layer's attention, and its queries, keys and values, (heads, N, d)."""
    attention, normed = layer.self_attn, layer.layer_norm1(state)
    split = [getattr(attention, name)(normed).view(-1, 4, 8).transpose(0, 1) for name in ("q_proj", "k_proj", "v_proj")]
    return normed, *split


def joined(heads):
    return heads.transpose(0, 1).flatten(1)


def cosines(plain, tokens):
    clip = plain.library.clip
    return normalize(clip.visual_projection(clip.vision_model.post_layernorm(tokens)), dim=-1)


def test_maskclip_gives_each_token_its_own_value(plain):
    layer = plain.library.layers(image=True)[3]
    state = plain.library.states(plain.pixels, image=True)[3][0]
    value = parts(layer, state)[3]
    after = state + layer.self_attn.out_proj(joined(value))
    after = after + layer.mlp(layer.layer_norm2(after))
    found = MaskClip().relevance(plain.sides()[0]).relevance[0]
    assert torch.allclose(found, cosines(plain, after) @ plain.written, atol=1e-12)


def test_surgery_adds_value_value_attention_beside_the_model(plain):
    states = plain.library.states(plain.pixels, image=True)
    beside = states[2][0]
    for block in (2, 3):
        layer = plain.library.layers(image=True)[block]
        value = parts(layer, states[block][0])[3]
        weights = (value @ value.transpose(1, 2) / 8**0.5).softmax(-1)
        beside = beside + layer.self_attn.out_proj(joined(weights @ value))
    with torch.no_grad():
        nothing = plain.library.embed(plain.model.tokenize("").ids, image=False)[0]
    found = Surgery(SurgerySettings(blocks=2)).relevance(plain.sides()[0]).relevance[0]
    assert torch.allclose(found, cosines(plain, beside) @ (plain.written - nothing), atol=1e-12)


@pytest.mark.parametrize("iterations", [1, 2])
def test_gem_averages_self_self_attention_of_unit_vectors(plain, iterations):
    states = plain.library.states(plain.pixels, image=True)
    beside = states[2][0]
    for block in (2, 3):
        layer = plain.library.layers(image=True)[block]
        normed, *three = parts(layer, states[block][0])
        sharp = normed.norm(dim=-1).mean() * 8**-0.5
        mixed = []
        for start in three:
            vectors = start
            for _ in range(iterations):
                vectors = normalize(vectors, dim=-1)
                vectors = (vectors @ vectors.transpose(1, 2) * sharp).softmax(-1) @ vectors
            vectors = normalize(vectors, dim=-1)
            mixed.append((vectors @ vectors.transpose(1, 2) * sharp).softmax(-1) @ three[2])
        beside = beside + layer.self_attn.out_proj(joined(sum(mixed) / 3))
    found = Gem(GemSettings(blocks=2, iterations=iterations)).relevance(plain.sides()[0]).relevance[0]
    assert torch.allclose(found, cosines(plain, beside) @ plain.written, atol=1e-12)
