import pytest
import torch

from medaudit.attribution.snna import Snna, SnnaSettings


@pytest.mark.parametrize("image", [True, False])
def test_attention_is_weighted_by_norm_and_gradient_over_noisy_inputs(plain, image):
    side = plain.sides()[0 if image else 1]
    draw = plain.sides()[0 if image else 1].shared
    clean = plain.pixels if image else plain.library.states(plain.ids, image=False)[0]
    sigma = 0.1 * (clean.max() - clean.min())
    layer = plain.eager.layers(image=image)[3].self_attn
    expected, met = 0, {}
    for _ in range(3):
        noisy = clean + sigma * draw(tuple(clean.shape)).double()
        hooks = [
            layer.register_forward_hook(lambda _m, _a, out: met.update(weights=out[1])),
            layer.v_proj.register_forward_hook(lambda _m, _a, out: met.update(value=out[0].detach())),
        ]
        noisy.requires_grad_()  # the weights must be part of a graph
        if image:
            embedded = plain.eager.embed(noisy, image=True)
        else:
            embedded = plain.eager.embed(plain.ids, image=False, block=0, states=noisy)
        for hook in hooks:
            hook.remove()
        slope = torch.autograd.grad((embedded @ plain.target(image)).sum(), met["weights"])[0][0]
        weights, row = met["weights"][0].detach(), 0 if image else -1
        for head in range(4):
            part = slice(8 * head, 8 * head + 8)
            norms = torch.stack([(layer.out_proj.weight[:, part] @ one[part]).norm() for one in met["value"]])
            expected = expected + (slope[head, row] * weights[head, row] * norms).clamp(min=0) / (4 * 3)
    found = Snna(SnnaSettings(samples=3)).relevance(side).relevance[0]
    assert found.max() > 0
    assert torch.allclose(found, expected.detach(), rtol=1e-5, atol=1e-12)
