"""AttnLRP: layer-wise relevance propagation through attention, as gradient times input under changed rules.

Achtibat et al., "AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers", ICML 2024. Every rule is
the gradient of a function that equals the model's own at this point:

- linear layers: epsilon rule with epsilon 0 (equation 8), which is gradient times input;
- softmax: its Taylor expansion without a bias (equation 13), again gradient times input;
- products of two activations, attention weights with values and queries with keys: half to each (equation 15);
- activations that act element by element: all to their input (identity rule, equation 9);
- layer norms and the final normalisation: their scale is a constant (section 3.3.3).

The rules hold inside one ``torch`` function mode for one forward pass; no module is touched. Relevance is conserved up
to what biases take.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from medaudit.attribution.method import MethodInfo, Needs
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.errors import AttributionError
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class AttnLRPSettings:
    """``image_block`` and ``text_block``: relevance of the states entering this block."""

    image_block: int = 0
    text_block: int = 0


@dataclass(frozen=True, slots=True)
class AttnLRP(SidedMethod):
    """One forward pass for all prompts of an image, one backward pass a prompt."""

    settings: AttnLRPSettings = AttnLRPSettings()
    name: ClassVar[str] = "attn-lrp"
    info: ClassVar[MethodInfo] = MethodInfo(
        "AttnLRP",
        "Achtibat et al., ICML 2024, equations 8-15",
        "1 forward, 1 backward",
        Quantity.SCORE,
        needs=Needs.TRANSFORMER,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.before(side, side.block(self.settings))
        with Rules():
            slopes = space.gradients(space.point)[:, 0]
        return Found((slopes * space.point).sum(-1))


class Rules(TorchFunctionMode):
    """Within it, ``torch`` functions have the gradients of AttnLRP and the values they always have."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Run ``func`` under its rule, or as it is where it has none."""
        if func is functional.multi_head_attention_forward:
            msg = "attn-lrp: this tower computes attention in one library call that cannot be followed; use legrad"
            raise AttributionError(msg)
        return _RULES.get(func, func)(*args, **(kwargs or {}))


def _half(value: Tensor) -> Tensor:
    """The same value with half of its gradient."""
    return value / 2 + (value / 2).detach()


def _attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    scores = _half(query) @ _half(key).transpose(-1, -2) / query.shape[-1] ** 0.5
    if attn_mask is not None:
        allowed = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, float("-inf")) if allowed else scores + attn_mask
    return _half(scores.softmax(-1)) @ _half(value)


def _layer_norm(
    states: Tensor, shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    axes = tuple(range(-len(shape), 0))
    centred = states - states.mean(axes, keepdim=True)
    normed = centred / (centred.square().mean(axes, keepdim=True) + eps).sqrt().detach()
    normed = normed if weight is None else normed * weight
    return normed if bias is None else normed + bias


def _normalize(states: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None) -> Tensor:  # noqa: ARG001
    length: Tensor = states.norm(p, dim, keepdim=True)
    return states / length.clamp_min(eps).detach()


def _element_wise(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def ruled(states: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401
        values = function(states, *args, **kwargs)
        # x * (f(x) / x): where x is 0 so are these functions, and nothing is passed on.
        ratio = torch.where(states == 0, 0, values / torch.where(states == 0, 1, states))
        return states * ratio.detach()

    return ruled


def _gate(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def ruled(*args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401
        return function(*args, **kwargs).detach()

    return ruled


# An activation written out, x * sigmoid(1.7 x), keeps the identity rule when its gate is a constant. A hyperbolic
# tangent is no gate but the activation of a pooler.
_RULES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    functional.scaled_dot_product_attention: _attention,
    functional.layer_norm: _layer_norm,
    functional.normalize: _normalize,
    functional.gelu: _element_wise(functional.gelu),
    functional.silu: _element_wise(functional.silu),
    torch.sigmoid: _gate(torch.sigmoid),
    Tensor.sigmoid: _gate(Tensor.sigmoid),
    torch.tanh: _element_wise(torch.tanh),
    Tensor.tanh: _element_wise(Tensor.tanh),
}
