"""M2IB: multi-modal information bottleneck attribution, as the paper sets it out.

Wang, Rudner, Wilson, NeurIPS 2023. For one side of the model, with the other side's embedding held
constant, it minimises over alpha (one value a token and channel of one block's output)

    beta * mean over tokens and channels of KL  -  mean over noise samples of cos(embedding of Z, other side)

by Adam. The relevance of a token is the KL that is left, summed over its channels.

What is computed once: the blocks before the bottleneck (an image's once for all its prompts) and the other
side. What is repeated: the blocks behind it. The paper's code evaluates the map before its last step, so the
last of its ``steps`` passes moves nothing; here it is not run at all, and the map is the same.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from medaudit.attribution.bottleneck import blend, capacity
from medaudit.attribution.method import Draw, Noise
from medaudit.errors import AttributionError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.interface import Hidden, TokenizedPrompt, Tower, VisionLanguageModel
from medaudit.records import Attribution, Prompt, RelevanceMap, SolverTrace, TokenRelevance


@dataclass(frozen=True, slots=True)
class M2IBSettings:
    """Settings of M2IB; the defaults are the paper's.

    ``image_block`` and ``text_block`` are 0-based, negative from the end: the bottleneck sits on that block's
    output. -3 of 12 blocks is 9, the paper's. ``batch`` is how many prompts share a pass; 1 keeps results
    the same to the bit, larger values to rounding.
    """

    image_block: int = -3
    text_block: int = -3
    image_beta: float = 0.1
    text_beta: float = 0.1
    steps: int = 10
    samples: int = 10
    learning_rate: float = 1.0
    initial_alpha: float = 5.0
    batch: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "samples", "batch"):
            if getattr(self, name) < 1:
                msg = f"M2IBSettings.{name}: expected at least 1; got {getattr(self, name)}"
                raise ValueError(msg)
        for name in ("image_beta", "text_beta", "learning_rate"):
            if not getattr(self, name) > 0:
                msg = f"M2IBSettings.{name}: expected a value > 0; got {getattr(self, name)}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A solved bottleneck: ``nats`` (I, T) float32 on the CPU; ``loss`` one tuple an item, one value a pass."""

    nats: Tensor
    loss: tuple[tuple[float, ...], ...]


def solve(
    tower: Tower,
    hidden: Hidden,
    block: int,
    *,
    target: Tensor,
    draws: Sequence[Draw],
    beta: float,
    settings: M2IBSettings,
) -> Solution:
    """Minimise the M2IB objective for I items at once; items do not influence each other.

    Parameters
    ----------
    tower
        The side that holds the bottleneck.
    hidden
        States (I, T, C) at the output of ``block``, without gradients.
    block
        0-based; the blocks after it are repeated.
    target
        (I, E) normalised embeddings of the other side.
    draws
        One noise stream an item; each pass draws (samples, T, C) from it.
    beta
        Weight of the mean KL against the cosine.
    settings
        Steps, samples and the optimiser's numbers.

    Raises
    ------
    AttributionError
        The result is not finite.

    """
    states = hidden.states
    items, tokens, width = states.shape
    alpha = torch.full_like(states, settings.initial_alpha, requires_grad=True)
    optimiser = torch.optim.Adam([alpha], lr=settings.learning_rate)
    weights = None if hidden.mask is None else hidden.mask[..., None].to(states.dtype)
    losses = []
    for _ in range(settings.steps - 1):
        noise = torch.stack([draw((settings.samples, tokens, width)) for draw in draws]).to(states.device)
        mixed = blend(states, alpha, noise.to(states.dtype)).flatten(0, 1)
        embedded = tower.suffix(hidden.with_states(mixed), block + 1).view(items, settings.samples, -1)
        fit = (embedded * target[:, None]).sum(-1).mean(1)
        loss = beta * _mean(capacity(states, alpha), weights) - fit
        optimiser.zero_grad(set_to_none=True)
        # The sum keeps every item's gradient what it would be alone.
        (alpha.grad,) = torch.autograd.grad(loss.sum(), [alpha])
        optimiser.step()
        losses.append(loss.detach())
    with torch.no_grad():
        nats = capacity(states, alpha)
        nats = (nats if weights is None else nats * weights).sum(-1).float().cpu()
    if not bool(torch.isfinite(nats).all()):
        msg = "m2ib: the bottleneck did not end in finite numbers; lower learning_rate or steps"
        raise AttributionError(msg)
    trace = torch.stack(losses, dim=1).cpu() if losses else torch.empty(items, 0)
    return Solution(nats, tuple(tuple(row) for row in trace.tolist()))


@dataclass(frozen=True, slots=True)
class M2IB:
    """The method: image side and text side for every prompt, the image's prefix once for all."""

    settings: M2IBSettings = M2IBSettings()
    name: ClassVar[str] = "m2ib"

    def explain(
        self, model: VisionLanguageModel, image: ModelInput, prompts: Sequence[Prompt], noise: Noise
    ) -> tuple[Attribution, ...]:
        """See :meth:`medaudit.attribution.method.Method.explain`."""
        settings = self.settings
        image_block = resolve_block("image_block", settings.image_block, model.vision.depth)
        text_block = resolve_block("text_block", settings.text_block, model.text.depth)
        read = [model.tokenize(prompt.text) for prompt in prompts]
        with torch.no_grad():
            seen = model.vision.run(model.vision.embed(image.pixels.to(model.device)), 0, image_block + 1)
            image_embedding = model.vision.suffix(seen, image_block + 1)
            texts = [self._prefix(model, prompt, text_block) for prompt in read]
            text_embeddings = [model.text.suffix(hidden, text_block + 1) for hidden in texts]
        maps: list[tuple[Tensor, tuple[float, ...]]] = []
        for start in range(0, len(prompts), settings.batch):
            chunk = range(start, min(start + settings.batch, len(prompts)))
            hidden = seen.with_states(seen.states.repeat(len(chunk), 1, 1))
            target = torch.cat([text_embeddings[i] for i in chunk])
            draws = [noise.draw(prompts[i].text, "image") for i in chunk]
            solved = solve(
                model.vision,
                hidden,
                image_block,
                target=target,
                draws=draws,
                beta=settings.image_beta,
                settings=settings,
            )
            maps += zip(solved.nats, solved.loss, strict=True)
        results = []
        for prompt, tokens, hidden, embedding, (nats, loss) in zip(
            prompts, read, texts, text_embeddings, maps, strict=True
        ):
            # Prompts differ in length, so the text side is solved one by one; its passes are short.
            draw = [noise.draw(prompt.text, "text")]
            words = solve(
                model.text,
                hidden,
                text_block,
                target=image_embedding,
                draws=draw,
                beta=settings.text_beta,
                settings=settings,
            )
            results.append(
                Attribution(
                    prompt=prompt,
                    similarity=float((image_embedding * embedding).sum()),
                    image=_relevance_map(nats, image),
                    text=TokenRelevance(tokens.tokens, words.nats[0].numpy(), tokens.words, tokens.word_of_token),
                    method=self.name,
                    image_trace=SolverTrace(loss, float(nats.sum()), noise.seed),
                    text_trace=SolverTrace(words.loss[0], float(words.nats.sum()), noise.seed),
                    settings=asdict(settings) | {"image_block": image_block, "text_block": text_block},
                )
            )
        return tuple(results)

    @staticmethod
    def _prefix(model: VisionLanguageModel, prompt: TokenizedPrompt, block: int) -> Hidden:
        mask = None if prompt.mask is None else prompt.mask.to(model.device)
        return model.text.run(model.text.embed(prompt.ids.to(model.device), mask), 0, block + 1)


def resolve_block(name: str, block: int, depth: int) -> int:
    """0-based block of a tower of ``depth`` blocks; a negative ``block`` counts from the end.

    Raises
    ------
    AttributionError
        The tower has no such block.

    """
    resolved = block + depth if block < 0 else block
    if not 0 <= resolved < depth:
        msg = f"{name}: expected -{depth} .. {depth - 1} for a tower of {depth} blocks; got {block}"
        raise AttributionError(msg)
    return resolved


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """(I,) mean over tokens and channels of (I, T, C), over tokens that are not masked."""
    if weights is None:
        return values.mean((1, 2))
    return (values * weights).sum((1, 2)) / (weights.sum((1, 2)) * values.shape[2])


def _relevance_map(nats: Tensor, image: ModelInput) -> RelevanceMap:
    grid = image.grid_map.grid
    patches = nats[grid.prefix : grid.tokens].reshape(grid.rows, grid.columns)
    return RelevanceMap(np.ascontiguousarray(patches.numpy(), dtype=np.float32), image.grid_map)
