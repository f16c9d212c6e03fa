"""M2IB on a random-weight CLIP of a published size: the cached engine against the same maths without caching.

Without caching means what the paper's protocol says literally: every step runs both towers whole on every noise
copy. Both sides draw the same noise and must end in the same map; the ratio is taken in one run.

Usage: ``python benchmarks/m2ib.py [--model b32|b16] [--prompts 1 14] [--naive-steps 2]``
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from transformers import CLIPConfig, CLIPModel

from medaudit.attribution.bottleneck import blend, capacity
from medaudit.attribution.m2ib import M2IBSettings, solve
from medaudit.models.hf_clip import ClipTextTower, ClipVisionTower, towers
from medaudit.models.interface import Hidden

PATCH = {"b32": 32, "b16": 16}
BLOCK = 9


def build(name: str) -> tuple[ClipVisionTower, ClipTextTower]:
    """Towers of CLIP ViT-B with random weights."""
    torch.manual_seed(0)
    vision = {"image_size": 224, "patch_size": PATCH[name], "hidden_size": 768, "intermediate_size": 3072}
    config = CLIPConfig(vision_config=vision | {"num_hidden_layers": 12, "num_attention_heads": 12})
    return towers(CLIPModel(config))


def timed(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of some runs."""
    values = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        values.append(time.perf_counter() - began)
    return statistics.median(values)


def naive_steps(
    vision: ClipVisionTower, text: ClipTextTower, pixels: torch.Tensor, ids: torch.Tensor, steps: int
) -> None:
    """Some steps of the image side as the protocol says: both towers, every copy, every step."""
    alpha = torch.full((1, vision.grid.tokens, 768), 5.0)
    alpha.requires_grad_()
    optimiser = torch.optim.Adam([alpha], lr=1.0)
    for _ in range(steps):
        copies = pixels.expand(10, -1, -1, -1)
        hidden = vision.run(vision.embed(copies), 0, BLOCK + 1)
        noise = torch.randn(1, 10, *hidden.states.shape[1:])
        mixed = blend(hidden.states[:1], alpha, noise)[0]
        embedded = vision.head(vision.run(Hidden(mixed, hidden.pooled), BLOCK + 1, vision.depth))
        target = text.head(text.run(text.embed(ids.expand(10, -1)), 0, text.depth))
        loss = 0.1 * capacity(hidden.states[:1], alpha).mean() - (embedded * target).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def cached(vision: ClipVisionTower, text: ClipTextTower, pixels: torch.Tensor, prompts: list[torch.Tensor]) -> None:
    """Image maps of several prompts: the prefix once, the other tower once a prompt, the suffix repeated."""
    with torch.no_grad():
        hidden = vision.run(vision.embed(pixels), 0, BLOCK + 1)
        targets = [text.encode(ids) for ids in prompts]
    for target in targets:
        solve(vision, hidden, BLOCK, target=target, draws=[torch.randn], beta=0.1, settings=M2IBSettings())


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=PATCH, default="b32")
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 14])
    parser.add_argument(
        "--naive-steps", type=int, default=2, help="steps to time of the uncached protocol; scaled to 10"
    )
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    vision, text = build(arguments.model)
    pixels = torch.randn(1, 3, 224, 224)
    ids = torch.tensor([[49406, 320, 2534, 1105, 4267, 2347, 320, 10000, 9000, 49407]])
    cached(vision, text, pixels, [ids])
    naive = timed(lambda: naive_steps(vision, text, pixels, ids, arguments.naive_steps), arguments.repeats)
    naive *= 10 / arguments.naive_steps
    print(
        f"CLIP ViT-B/{PATCH[arguments.model]}, random weights, 10 x 10, image side, {torch.get_num_threads()} threads"
    )
    print(f"{'uncached protocol, 1 prompt':32}{naive:8.2f} s   (scaled from {arguments.naive_steps} steps)")
    one = None
    for count in arguments.prompts:
        taken = timed(lambda count=count: cached(vision, text, pixels, [ids] * count), arguments.repeats)
        one = one or taken
        words = f"{naive * count / taken:6.1f} x faster, {taken / one:5.2f} x the first row"
        print(f"{f'medaudit, {count} prompts':32}{taken:8.2f} s   {words}")


if __name__ == "__main__":
    main()
