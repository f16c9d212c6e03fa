"""How many M2IB image maps a device makes in a second, from one image to thousands, and how near its limit that is.

Run: python benchmarks/throughput.py [--device cuda] [--model b16] [--items 1 16 256 4096] [--precision bfloat16]

Random weights: time does not depend on what a model has learnt. ``b16`` has the image tower of BiomedCLIP (ViT-B/16 at
224 pixels). Every item is a prompt of its own with noise of its own, the paper's protocol, in the batches that an audit
would take; the blocks before the bottleneck are not counted, as an image's serve all its prompts.

- share of the rate: what the blocks behind the bottleneck must multiply, over the rate of one large matrix product on
  the same device in the same precision;
- noise: the share of the time that drawing it takes. It is drawn on the processor, so that every device gets the same;
- waits: how often a batch waits for the device (CUDA alone, as torch counts them).
"""

import argparse
import sys
import time
import warnings
from dataclasses import dataclass

import torch
from attribution_speed import SAMPLES, SIZES, STEPS, Size, build, operations_behind
from rich.console import Console
from rich.table import Table
from torch import Tensor

from medaudit.attribution.batches import automatic_batch
from medaudit.attribution.m2ib import M2IBSettings
from medaudit.attribution.m2ib_side import M2IBSide
from medaudit.attribution.method import Noise
from medaudit.attribution.precision import BFLOAT16, PRECISIONS, Precision
from medaudit.models.hf_clip import towers
from medaudit.models.interface import Hidden, Tower
from medaudit.models.lowered import lowered

PRODUCT = 4096
"""Side of the matrices whose product is timed."""


@dataclass(frozen=True, slots=True)
class Found:
    """Figures of one number of items."""

    seconds: float
    batches: int
    waits: int | None


def wait_for(device: torch.device) -> None:
    """Until all that was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product, the best of five."""
    left, right = (torch.randn(PRODUCT, PRODUCT, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        _ = left @ right
        wait_for(device)
        best = min(best, time.perf_counter() - began)
    return 2 * PRODUCT**3 / best


def side_of(tower: Tower, size: Size, precision: Precision) -> M2IBSide:
    """The image side as an audit has it."""
    lower = lowered(tower, size.block + 1) if precision.name == BFLOAT16 else tower
    settings = M2IBSettings(steps=STEPS, samples=SAMPLES)
    return M2IBSide("image", lower, size.block, 0.1, 0.0, None, settings, precision)


def measure(side: M2IBSide, hidden: Hidden, target: Tensor, items: int) -> Found:
    """Solve ``items`` bottlenecks."""
    device = hidden.states.device
    work = [(hidden, target, f"prompt {number}") for number in range(items)]
    tokens, width = hidden.states.shape[1:]
    batch = automatic_batch(tokens * SAMPLES, width, side.tower.depth - side.block - 1, device)
    wait_for(device)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        began = time.perf_counter()
        side.solve(work, Noise(0, "throughput"))
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
        wait_for(device)
        seconds = time.perf_counter() - began
    waits = sum("synchroniz" in str(one.message) for one in caught) if device.type == "cuda" else None
    return Found(seconds, -(-items // batch), waits)


def noise_seconds(shape: tuple[int, ...]) -> float:
    """Seconds of the draws of one map, the best of three."""
    best = float("inf")
    for number in range(3):
        draw = Noise(number, "throughput").draw("noise", "image")
        began = time.perf_counter()
        for _ in range(STEPS - 1):
            draw(shape)
        best = min(best, time.perf_counter() - began)
    return best


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", choices=SIZES, default="b16")
    parser.add_argument("--items", type=int, nargs="+", default=[1, 16, 256, 4096])
    parser.add_argument("--precision", choices=[name for name in PRECISIONS if name != "auto"], default=BFLOAT16)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    size, device = SIZES[arguments.model], arguments.device
    vision, _ = towers(build(size).to(device))
    precision = Precision(arguments.precision, device.type)
    pixels = torch.randn(1, 3, size.image, size.image, generator=torch.Generator().manual_seed(0)).to(device)
    side = side_of(vision, size, precision)
    with torch.no_grad():
        hidden = vision.run(vision.embed(pixels), 0, size.block + 1)
        target = vision.suffix(hidden, size.block + 1)
    tokens, width = hidden.states.shape[1:]
    whole = rate(device, torch.bfloat16 if precision.name == BFLOAT16 else torch.float32)
    work = operations_behind(size.depth - size.block - 1, size.width, tokens * (STEPS - 1) * SAMPLES)
    drawn = noise_seconds((SAMPLES, tokens, width))
    measure(side, hidden, target, 1)
    title = f"{arguments.model}, {precision.name}, {device}; matrix product {whole / 1e12:.2f} TFLOP/s"
    table = Table(
        "items", "batches", "seconds", "maps a second", "share of the rate", "noise", "waits a batch", title=title
    )
    for items in arguments.items:
        found = min(
            (measure(side, hidden, target, items) for _ in range(arguments.repeats)), key=lambda one: one.seconds
        )
        table.add_row(
            str(items),
            str(found.batches),
            f"{found.seconds:.2f}",
            f"{items / found.seconds:.1f}",
            f"{items * work / found.seconds / whole:.0%}",
            f"{items * drawn / found.seconds:.0%}",
            "" if found.waits is None else f"{found.waits / found.batches:.1f}",
        )
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
