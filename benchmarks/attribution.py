"""Every attribution method on every model: seconds, passes, peak memory, and the ratio to the slowest.

Run: python benchmarks/attribution.py [--models b32 b16 FOLDER] [--methods NAME ...] [--prompts 1] [--repeats 3]

``b32`` and ``b16`` are CLIP ViT-B with random weights: time does not depend on what a model has learnt. Passes count
forward and backward work in units of one item through one whole tower, both sides together. Peak memory is what a
fresh process grows by while it runs the method once. Timings are worth something on a quiet machine only; the ratio
to the slowest method of the same model is what to compare.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from medaudit.attribution.method import Noise
from medaudit.attribution.registry import METHODS, build_method
from medaudit.errors import AttributionError
from medaudit.imaging.preprocess import Fit, ModelInput, PreprocessingSpec
from medaudit.models.hf_clip import towers
from medaudit.models.interface import AttentionHeads, Hidden, TokenizedPrompt, Tower, VisionLanguageModel
from medaudit.models.registry import load_model
from medaudit.records import AxisMap, GridMap, ModelCard, Prompt, PromptKind

PATCH = {"b32": 32, "b16": 16}
TEXTS = ("a chest radiograph showing pleural effusion", "a chest radiograph showing a nodule", "a bowl of fruit")
NOISE = Noise(seed=0, image="benchmark")


@dataclass
class Passes:
    """Blocks x items, forward and backward, each block weighed as its share of its tower."""

    forward: float = 0.0
    backward: float = 0.0


@dataclass
class CountingTower(Tower):
    """A tower that counts the work asked of the one it wraps."""

    inner: Tower
    passes: Passes = field(default_factory=Passes)

    def __post_init__(self) -> None:
        self.depth, self.grid = self.inner.depth, self.inner.grid

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """Not counted: small beside the blocks."""
        return self.inner.embed(inputs, mask)

    def run(self, hidden: Hidden, start: int, stop: int, *, only: Tensor | None = None) -> Hidden:
        """Count the blocks."""
        return self._counted(self.inner.run(hidden, start, stop, only=only), stop - start)

    def head(self, hidden: Hidden) -> Tensor:
        """Not counted."""
        return self.inner.head(hidden)

    def attention(self, hidden: Hidden, block: int) -> Tensor:
        """Not counted: part of its block."""
        return self.inner.attention(hidden, block)

    def heads(self, hidden: Hidden, block: int) -> AttentionHeads:
        """Not counted: :meth:`finish` counts the block."""
        return self.inner.heads(hidden, block)

    def write(self, gathered: Tensor, block: int) -> Tensor:
        """Not counted: part of its block."""
        return self.inner.write(gathered, block)

    def finish(self, hidden: Hidden, block: int, gathered: Tensor) -> Hidden:
        """Count the block."""
        return self._counted(self.inner.finish(hidden, block, gathered), 1)

    def _counted(self, hidden: Hidden, blocks: int) -> Hidden:
        work = len(hidden.states) * blocks / self.depth
        self.passes.forward += work
        if not (blocks and hidden.states.requires_grad):
            return hidden
        states = hidden.states.clone()

        def went_back(_gradient: Tensor) -> None:
            self.passes.backward += work

        states.register_hook(went_back)
        return replace(hidden, states=states)


def random_clip(name: str) -> VisionLanguageModel:
    """CLIP ViT-B with random weights, and a tokenizer that gives every word an id."""
    torch.manual_seed(0)
    vision = {"image_size": 224, "patch_size": PATCH[name], "hidden_size": 768, "intermediate_size": 3072}
    config = CLIPConfig(vision_config=vision | {"num_hidden_layers": 12, "num_attention_heads": 12})
    seen, written = towers(CLIPModel(config))
    side = 224 // PATCH[name]
    spec = PreprocessingSpec((224, 224), 224, Fit.CROP, "bicubic", (0.5,) * 3, (0.25,) * 3)
    card = ModelCard(name=name, family="clip", files={}, input_size=(224, 224), grid=(side, side), score="cosine")

    def tokenize(text: str) -> TokenizedPrompt:
        words = tuple(text.split())
        ids = [49406, *(1000 + 7 * len(word) + index for index, word in enumerate(words)), 49407]
        places = (-1, *range(len(words)), -1)
        return TokenizedPrompt(torch.tensor([ids]), None, ("<", *words, ">"), words, places)

    return VisionLanguageModel(seen, written, tokenize, spec, card, torch.device("cpu"))


def picture(model: VisionLanguageModel) -> ModelInput:
    """Noise of the model's input size."""
    rows, columns = size = model.preprocessing.input_size
    pixels = torch.randn(1, 3, rows, columns, generator=torch.Generator().manual_seed(0))
    whole = (-0.5, rows - 0.5, -0.5, columns - 0.5)
    return ModelInput(pixels, GridMap(size, size, model.grid, AxisMap(1, 0), AxisMap(1, 0), whole))


def measure(
    model: VisionLanguageModel, name: str, settings: Mapping[str, Any], prompts: int, repeats: int
) -> dict[str, Any]:
    """Run a method: median seconds, passes, and how far the peak of this process rose."""
    passes = Passes()
    counted = replace(model, vision=CountingTower(model.vision, passes), text=CountingTower(model.text, passes))
    method, image = build_method(name, settings), picture(model)
    asked = [Prompt(TEXTS[i % len(TEXTS)] + " again" * (i // len(TEXTS)), PromptKind.CONTROL) for i in range(prompts)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    method.explain(counted, image, asked, NOISE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        method.explain(model, image, asked, NOISE)
        taken.append(time.perf_counter() - began)
    return {
        "method": name,
        "model": model.card.name,
        "seconds": statistics.median(taken),
        "forward": passes.forward,
        "backward": passes.backward,
        "peak_mb": peak / 1024,
    }


def apart(*arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - those of measure
    """:func:`measure` in a process of its own, whose peak memory is then the method's."""

    def work(end: Connection) -> None:
        try:
            end.send(measure(*arguments))
        except AttributionError as error:
            end.send({"method": arguments[1], "model": arguments[0].card.name, "refused": str(error)})

    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(there,))
    process.start()
    there.close()
    found: dict[str, Any] = here.recv()
    process.join()
    return found


def show(rows: Sequence[Mapping[str, Any]], prompts: int) -> None:
    """Print one table a model."""
    for model in dict.fromkeys(row["model"] for row in rows):
        done = [row for row in rows if row["model"] == model and "seconds" in row]
        slowest = max(row["seconds"] for row in done)
        table = Table("method", "seconds", "forward", "backward", "peak MB", "slowest is x times slower")
        table.title = f"{model}, {prompts} prompts, {torch.get_num_threads()} threads"
        for row in sorted(done, key=lambda row: -row["seconds"]):
            numbers = (row["seconds"], row["forward"], row["backward"], row["peak_mb"])
            table.add_row(row["method"], *(f"{value:.2f}" for value in numbers), f"{slowest / row['seconds']:.1f}")
        for row in rows:
            if row["model"] == model and "refused" in row:
                table.add_row(row["method"], "refused", "", "", "", "")
        Console().print(table)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["b32", "b16"], help="b32, b16, or model folders")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--settings", type=json.loads, default={}, help='JSON: {"method": {"setting": value}}')
    parser.add_argument("--prompts", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    args = parser.parse_args()
    rows = []
    for name in args.models:
        model = random_clip(name) if name in PATCH else load_model(Path(name), torch.device("cpu"))
        for method in args.methods:
            print(f"{name}: {method}", file=sys.stderr)
            rows.append(apart(model, method, args.settings.get(method, {}), args.prompts, args.repeats))
    show(rows, args.prompts)
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
