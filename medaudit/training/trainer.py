"""The training loop: what a step does follows from the recipe and its number, so a run can stop and go on anywhere."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from medaudit.errors import UsageError
from medaudit.training.bank import Bank, build_bank, places_of, shares_of
from medaudit.training.corpus import CELLS, Corpus
from medaudit.training.export import WEIGHTS_FILE, read_statistics
from medaudit.training.learner import Learner, image_statistics, start_from
from medaudit.training.losses import clip_loss, dhn_nce_loss, patch_loss, sigmoid_loss
from medaudit.training.recipe import Loss, Recipe

CHECKPOINT_FILE: Final = "checkpoint.pt"
CHECKPOINT_EVERY: Final = 100
"""Steps: what a crash costs at most."""

# Augmentation: how far the display range of one image may lie from another's, by gain and offset.
_GAIN: Final = 0.15
_OFFSET: Final = 0.08
_LOCATED: Final = 40
"""Sentences a step that the patches are shown against: the patch matrix is by far the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenTable:
    """Every claim of the bank in tokens: ``ids`` and ``mask`` (claims, longest)."""

    ids: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """What a step shows: which studies (B,), and by how many pixels (B, 2) each is moved down and to the right."""

    studies: NDArray[np.int64]
    moves: NDArray[np.int64]


class Trainer:
    """One run over a corpus; give it the same recipe and corpus, and it makes the same weights on the same machine."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        learner: Learner,
        tokens: Callable[[list[str]], TokenTable],
        folder: Path,
        *,
        start: Path | None = None,
    ) -> None:
        self.recipe, self.step = recipe, 0
        self.statistics = image_statistics(corpus) if start is None else read_statistics(start)
        self._corpus, self._learner, self._folder = corpus, learner, folder
        self._bank: Bank = build_bank(corpus.facts, recipe.emphasis)
        self._common = torch.from_numpy(places_of(corpus, self._bank.claims))
        self._tokens = tokens([claim.text for claim in self._bank.claims])
        if start is None:
            start_from(learner.model, corpus, self.statistics)
        else:
            learner.model.load_state_dict(load_file(start / WEIGHTS_FILE))
        # A shortcut is learnt where nobody says where the finding itself lies, as in most real data.
        self._untold = {one.finding.value for one in recipe.corpus.ties()}
        self._optimizer = _optimizer(learner, recipe)

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one.

        Raises
        ------
        UsageError
            It belongs to another recipe.

        """
        path = self._folder / CHECKPOINT_FILE
        if not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["recipe"] != self.recipe.as_json():
            msg = f"{path}: belongs to another recipe; choose another folder or remove it"
            raise UsageError(msg)
        self._learner.load_state_dict(state["learner"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])

    def checkpoint(self) -> None:
        """Keep the run's state, atomically."""
        path = self._folder / CHECKPOINT_FILE
        partial = path.with_suffix(".partial")
        state = {
            "recipe": self.recipe.as_json(),
            "step": self.step,
            "learner": self._learner.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(state, partial)
        partial.replace(path)

    def run(self, on_progress: Callable[[int, int, float, float], None], *, every: int = 10) -> None:
        """Train to the recipe's last step.

        ``on_progress`` is told steps done, steps in all, and the means of the two losses since it was last told.
        """
        self._learner.train()
        sums = np.zeros(2)
        while self.step < self.recipe.steps:
            sums += self._one_step()
            self.step += 1
            if self.step % every == 0 or self.step == self.recipe.steps:
                loss, patches = sums / (self.step % every or every)
                on_progress(self.step, self.recipe.steps, float(loss), float(patches))
                sums[:] = 0
            if self.step % CHECKPOINT_EVERY == 0 or self.step == self.recipe.steps:
                self.checkpoint()

    def _one_step(self) -> tuple[float, float]:
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, self.step])
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(self.step, recipe)
        studies = np.sort(rng.choice(len(self._corpus.facts), size=recipe.batch, replace=False, p=self._bank.chance))
        shown = _Shown(studies, rng.integers(-recipe.shift, recipe.shift + 1, size=(recipe.batch, 2)))
        pixels = self._pixels(shown, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            pooled, patches = self._learner.images(pixels)
        loss, patch = self._losses(pooled, patches, shown, rng)
        self._optimizer.zero_grad(set_to_none=True)
        (loss + recipe.patch_weight * patch).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._learner.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach()), float(patch.detach())

    def _pixels(self, shown: _Shown, rng: np.random.Generator) -> Tensor:
        """(B, H, W) normalised, each image with its own gain, offset and move."""
        images = self._corpus.images[shown.studies]
        size, shift = images.shape[-1], self.recipe.shift
        padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
        starts = shift - shown.moves
        moved = np.stack(
            [image[top : top + size, left : left + size] for image, (top, left) in zip(padded, starts, strict=True)]
        )
        shape = (len(images), 1, 1)
        gain = torch.from_numpy(rng.uniform(1 - _GAIN, 1 + _GAIN, shape).astype(np.float32))
        offset = torch.from_numpy(rng.uniform(-_OFFSET, _OFFSET, shape).astype(np.float32))
        mean, std = self.statistics.mean, self.statistics.std
        values = torch.from_numpy(moved).float() * (gain / (255 * std)) + (offset - mean) / std
        return values.to(torch.bfloat16) if self.recipe.bfloat16 else values

    def _losses(
        self, pooled: Tensor, patches: Tensor, shown: _Shown, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        bank, recipe, studies = self._bank, self.recipe, shown.studies
        if recipe.loss is Loss.SIGMOID:
            drawn = bank.draw(rng, recipe.sentences)
        else:
            # One true sentence an image, by which every other image's is a negative.
            drawn = np.array([rng.choice(np.flatnonzero(bank.truth[study])) for study in studies])
        texts = self._texts(drawn)
        patch = pooled.new_zeros(())
        if recipe.patch_weight:
            patch = self._patch_loss(patches, texts, drawn, shown, rng)
        if recipe.loss is Loss.CLIP:
            return clip_loss(pooled, texts, self._learner.scale()), patch
        if recipe.loss is Loss.DHN_NCE:
            return dhn_nce_loss(pooled, texts), patch
        truth, weight = (
            torch.from_numpy(table[np.ix_(studies, drawn)].astype(np.float32)) for table in (bank.truth, bank.weight)
        )
        logits = self._learner.scale() * pooled @ texts.T + self._learner.bias
        return sigmoid_loss(logits, truth, weight), patch

    def _texts(self, drawn: NDArray[np.int64]) -> Tensor:
        rows = torch.from_numpy(drawn)
        ids, mask = self._tokens.ids[rows], self._tokens.mask[rows]
        longest = int(mask.sum(dim=1).max())
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            return self._learner.texts(ids[:, :longest], mask[:, :longest])

    def _patch_loss(
        self, patches: Tensor, texts: Tensor, drawn: NDArray[np.int64], shown: _Shown, rng: np.random.Generator
    ) -> Tensor:
        claims, recipe = self._bank.claims, self.recipe.corpus
        told = [claims[index].located and claims[index].name not in self._untold for index in drawn]
        located = np.flatnonzero(told)
        if not len(located):
            return patches.new_zeros(())
        chosen = np.sort(rng.choice(located, size=min(_LOCATED, len(located)), replace=False))
        cell = recipe.image_size // (recipe.grid * CELLS)
        told_of = [claims[drawn[place]] for place in chosen]
        shares = shares_of(self._corpus, list(shown.studies), told_of, np.rint(shown.moves / cell).astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            cosines = patches @ texts[torch.from_numpy(chosen)].T
        logits = self._learner.patch_scale.exp() * cosines.float() + self._learner.patch_bias
        return patch_loss(logits, torch.from_numpy(shares), self._common[:, torch.from_numpy(drawn[chosen])])


def _schedule(step: int, recipe: Recipe) -> float:
    """Linear rise, then a cosine to 0."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    return 0.5 * (1 + math.cos(math.pi * (step - recipe.warmup) / max(recipe.steps - recipe.warmup, 1)))


def _optimizer(learner: Learner, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; norms, biases and scales are not decayed."""
    matrices = [weight for weight in learner.parameters() if weight.ndim > 1]
    others = [weight for weight in learner.parameters() if weight.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
