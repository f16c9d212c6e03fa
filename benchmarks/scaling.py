"""How M2IB's time grows with prompts, images and samples, on one model; ratios to the first row of each kind.

Run: python benchmarks/scaling.py [MODEL_FOLDER] [--prompts 1 4 14] [--images 1 4] [--samples 4 10] [--repeats 3]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Noise
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.catalogue import BUNDLED_MODEL
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.registry import load_model
from medaudit.records import AxisMap, GridMap, Prompt, PromptKind
from medaudit.resources import bundled_models_folder


def image_of(model: VisionLanguageModel, seed: int) -> ModelInput:
    """A picture of noise; time does not depend on what is to be seen."""
    rows, columns = model.preprocessing.input_size
    pixels = torch.randn(1, 3, rows, columns, generator=torch.Generator().manual_seed(seed))
    seen = (-0.5, rows - 0.5, -0.5, columns - 0.5)
    return ModelInput(pixels, GridMap((rows, columns), (rows, columns), model.grid, AxisMap(1, 0), AxisMap(1, 0), seen))


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median of some runs, after one that warms up."""
    work()
    values = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        values.append(time.perf_counter() - began)
    return statistics.median(values)


def rows(model: VisionLanguageModel, arguments: argparse.Namespace) -> Iterator[tuple[str, int, float]]:
    """(what grows, how many, seconds)."""
    base = M2IBSettings(image_block=arguments.block, text_block=arguments.block)

    def run(images: int, prompts: int, settings: M2IBSettings) -> Callable[[], object]:
        asked = [Prompt(f"finding number {number}", PromptKind.CONTROL) for number in range(prompts)]
        seen = [image_of(model, number) for number in range(images)]
        method = M2IB(settings)
        return lambda: [method.explain(model, one, asked, Noise(0, str(i))) for i, one in enumerate(seen)]

    for prompts in arguments.prompts:
        yield "prompts", prompts, seconds(run(1, prompts, base), arguments.repeats)
    for images in arguments.images:
        yield "images", images, seconds(run(images, 1, base), arguments.repeats)
    for samples in arguments.samples:
        yield "samples", samples, seconds(run(1, 1, replace(base, samples=samples)), arguments.repeats)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=bundled_models_folder() / BUNDLED_MODEL)
    parser.add_argument("--block", type=int, default=-3)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 4, 14])
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--samples", type=int, nargs="+", default=[4, 10])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    model = load_model(arguments.model, torch.device("cpu"))
    title = f"{model.card.name}: M2IB, image and words, {torch.get_num_threads()} threads"
    table = Table("of", "how many", "seconds", "times the first", title=title)
    first: dict[str, float] = {}
    for what, count, taken in rows(model, arguments):
        ratio = taken / first.setdefault(what, taken)
        table.add_row(what, str(count), f"{taken:.2f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
