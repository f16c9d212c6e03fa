"""M2IB with cross-attention guidance: what the other side attends to pays less for its information.

Bourigault, Mandic, "Multi-Modal Information Bottleneck Attribution with Cross-Attention Guidance". The idea is theirs:
the relevance of one modality is guided by the other through cross-attention. The equations are not. The function that
would hold them is empty in the authors' public code, and its cross-attention is a block of random weights that nothing
trains; a guide made of those would be arbitrary. Here the guide has no parameters. Patches v_i and words w_j are the
embeddings that the model's own head makes of each token behind the last block; with c_ji = <w_j, v_i>,

    a_i = mean over words j of softmax over patches i (scale * c_ji),       of N patches, sum 1,
    r_i = 1 / (1 - guidance + guidance * N * a_i),

and the same of words, attended to by patches. M2IB is then solved with a price for every token,

    beta * mean over tokens and channels of r * KL  -  mean over noise samples of <embedding of Z, target>:

a token that gets its share of attention (a_i = 1 / N) pays beta, one that gets more less, one that gets none
beta / (1 - guidance). Class, begin and end tokens pay beta. Relevance is the KL itself, in nats, not its price;
without guidance it is M2IB. So a map leans towards the guide by construction: where a token's own embedding agrees with
the words, not where the model looks. What the guide adds is seen beside the same map with ``guidance: 0``.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.adam import AdamProtocol, solve_by_adam
from medaudit.attribution.method import Draw, MethodInfo, Needs
from medaudit.attribution.problem import Problem, Sampler, Solution
from medaudit.attribution.sides import Found, PairMethod, Side, each_token
from medaudit.errors import AttributionError
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class CaM2ibSettings(AdamProtocol):
    """``image_block`` and ``text_block``: on whose output the bottleneck sits; 0-based, negative from the end.

    ``guidance`` in 0 .. 1, 1 excluded, is how far prices follow attention; ``scale`` multiplies the cosines (0: by
    what the model was trained with).
    """

    image_block: int = -3
    text_block: int = -3
    guidance: float = 0.5
    scale: float = 0.0

    def __post_init__(self) -> None:
        AdamProtocol.__post_init__(self)
        if not 0 <= self.guidance < 1:
            msg = f"CaM2ibSettings.guidance: expected 0 <= guidance < 1; got {self.guidance}"
            raise ValueError(msg)
        if self.scale < 0:
            msg = f"CaM2ibSettings.scale: expected a value >= 0; got {self.scale}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class _Priced(Problem):
    """The same objective with ``price`` (I, T, 1), each token's own."""

    price: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """See :meth:`Problem.mean`; each token counts with its price."""
        return Problem.mean(self, values * self.price)


@dataclass(frozen=True, slots=True)
class CaM2ib(PairMethod):
    """Every prompt is solved by itself, with the image's tokens embedded once for all."""

    settings: CaM2ibSettings = CaM2ibSettings()
    name: ClassVar[str] = "ca-m2ib"
    info: ClassVar[MethodInfo] = MethodInfo(
        "M2IB with cross-attention guidance",
        "the idea of Bourigault and Mandic; equations ours, without parameters",
        "91 forward, 90 backward through the last 2 blocks",
        Quantity.NATS,
        needs=Needs.BLOCKS,
        noise=True,
    )

    def both(self, seen: Side, written: Sequence[Side]) -> tuple[Found | None, list[Found | None]]:
        """See :meth:`PairMethod.both`."""
        patches, scale = _embeddings(seen), self.settings.scale or seen.model.score.scale
        on_image, on_text = [], []
        for side, target, draw in zip(written, seen.targets, seen.draws, strict=True):
            agreement = scale * _embeddings(side) @ patches.T
            on_image.append(self._solve(seen, target, draw, self._price(seen, agreement)))
            on_text.append(self._solve(side, side.targets[0], side.draws[0], self._price(side, agreement.T)))
        return _found(on_image), [_found([one]) for one in on_text]

    def _price(self, side: Side, agreement: Tensor) -> Tensor:
        """(T, 1) price of every token of ``side``, for scaled cosines (Q, K) of the other side's with its content."""
        price = torch.ones(len(side.content), dtype=agreement.dtype, device=agreement.device)
        guidance = self.settings.guidance
        share = agreement.softmax(-1).mean(0) * agreement.shape[1]
        price[side.content] = 1 / (1 - guidance + guidance * share)
        return price[:, None]

    def _solve(self, side: Side, target: Tensor, draw: Draw, price: Tensor) -> Solution:
        settings, block = self.settings, side.block(self.settings)
        hidden = side.hidden(block + 1)
        if hidden.states.shape[1] != len(price):
            msg = (
                f"ca-m2ib: its block has {hidden.states.shape[1]} tokens, the tower's last {len(price)}: this tower's "
                "grid changes from stage to stage; choose image_block: -1, or m2ib"
            )
            raise AttributionError(msg)
        problem = _Priced(
            tower=side.tower,
            hidden=hidden,
            block=block,
            target=target[None],
            beta=hidden.states.new_full((1,), settings.beta),
            sampler=Sampler([draw], hidden, settings.samples),
            statistics=None,
            autocast=nullcontext,
            price=price[None].to(hidden.states),
        )
        return solve_by_adam(problem, settings.plan)


def _embeddings(side: Side) -> Tensor:
    """(K, E) normalised embedding of every token of content, behind the last block."""
    with torch.no_grad():
        return each_token(side.tower, side.hidden(side.tower.depth))[side.content]


def _found(solved: Sequence[Solution]) -> Found:
    nats = torch.cat([one.nats for one in solved])
    return Found(nats, tuple(one.loss[0] for one in solved), tuple(one.residual[0] for one in solved))
