"""M2IB's speed on a random-weight CLIP of a published size, against the same protocol computed plainly.

Plainly means what the public code does: every one of the 10 steps runs both towers whole, forward and backward, on
10 noise copies, with weights that take gradients. The rows below it are medaudit's, on the same noise in one
process; only their ratios mean something on a machine that does other things as well. A map costs its own tower's
blocks up to the bottleneck, once, and those behind it, repeated; the other side's embedding is at hand, as in an
audit, where one of an image serves all its prompts and one of a prompt all images. "Both towers anew" embeds the other
side as well. The floor is what the operations of medaudit's own run would take at the rate that this machine's matrix
product reaches.

Run: python benchmarks/attribution_speed.py [--model b32|b16|tiny] [--prompts 14] [--plain-steps 1] [--repeats 3]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import CLIPConfig, CLIPModel

from medaudit.attribution.batches import automatic_batch, in_batches
from medaudit.attribution.m2ib import M2IBSettings, solve
from medaudit.attribution.method import Draw
from medaudit.attribution.precision import BFLOAT16, FLOAT32, Precision
from medaudit.metrics.agreement import rank_correlation
from medaudit.models.hf_clip import towers
from medaudit.models.interface import Hidden, Tower
from medaudit.models.lowered import lowered

STEPS, SAMPLES = 10, 10
TEXT = [49406, 320, 2534, 1105, 4267, 2347, 320, 10000, 9000, 49407]
PAPER = M2IBSettings(steps=STEPS, samples=SAMPLES)
FOUR_ROUNDS = M2IBSettings(solver="fixed-point", steps=4, samples=4, lambda_per="token")


@dataclass(frozen=True, slots=True)
class Size:
    """A CLIP: sides in pixels, widths and depth; the block is the one that the bottleneck follows."""

    image: int
    patch: int
    width: int
    text_width: int
    depth: int
    block: int


SIZES = {
    "b32": Size(224, 32, 768, 512, 12, 9),
    "b16": Size(224, 16, 768, 512, 12, 9),
    "tiny": Size(64, 16, 64, 64, 4, 1),
}


def build(size: Size) -> CLIPModel:
    """Random weights, the published shape."""
    torch.manual_seed(0)
    common = {"num_hidden_layers": size.depth}
    vision = {"image_size": size.image, "patch_size": size.patch, "hidden_size": size.width}
    config = CLIPConfig(
        vision_config=common
        | vision
        | {"intermediate_size": 4 * size.width, "num_attention_heads": max(1, size.width // 64)},
        text_config=common
        | {"hidden_size": size.text_width, "intermediate_size": 4 * size.text_width}
        | {"num_attention_heads": max(1, size.text_width // 64)},
    )
    return CLIPModel(config).eval()


def stream(seed: int = 0) -> Draw:
    """Noise that is the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way of medaudit's to compute maps."""

    tower: Tower
    precision: Precision
    prompts: int = 1
    settings: M2IBSettings = PAPER
    anew: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One side of an image-text pair: the tower with the bottleneck, the other one, and what each is given."""

    own: Tower
    other: Tower
    given: Tensor
    wanted: Tensor
    block: int

    def plain(self, steps: int, weights: list[Tensor]) -> Tensor:
        """Some of the protocol's steps, both towers whole at each, gradients for every weight; (T,) nats."""
        draw = stream()
        start = self.own.run(self.own.embed(self.given), 0, self.block + 1).states.detach()
        alpha = torch.full_like(start, 5.0).requires_grad_()
        optimiser = torch.optim.Adam([alpha], lr=1.0)
        for _ in range(steps):
            hidden = self.own.run(self.own.embed(self.given.expand(SAMPLES, *self.given.shape[1:])), 0, self.block + 1)
            passed = alpha.sigmoid()
            kl = -0.5 * (1 + torch.log((1 - passed) ** 2) - (passed * hidden.states) ** 2 - (1 - passed) ** 2)
            mixed = passed * hidden.states + (1 - passed) * draw((SAMPLES, *start.shape[1:]))
            after = self.own.run(Hidden(mixed, hidden.pooled), self.block + 1, self.own.depth)
            wanted = self.other.encode(self.wanted.expand(SAMPLES, *self.wanted.shape[1:]))
            loss = 0.1 * kl.mean() - cosine_similarity(self.own.head(after), wanted).mean()
            torch.autograd.backward(loss, inputs=[alpha, *weights])
            optimiser.step()
            optimiser.zero_grad()
        return kl[0].sum(-1).detach()

    @torch.no_grad()
    def embedded(self) -> Tensor:
        """(1, E) of the other side."""
        return self.other.encode(self.wanted)

    @torch.no_grad()
    def prefix(self) -> Hidden:
        """What medaudit computes once for all that the other side may hold."""
        return self.own.run(self.own.embed(self.given), 0, self.block + 1)

    def cached(self, way: Way, at_hand: Tensor) -> Tensor:
        """Medaudit's way for some prompts, as many in a pass as an audit takes; (T,) nats of the first."""
        hidden, target = self.prefix(), self.embedded() if way.anew else at_hand
        tokens, width = hidden.states.shape[1:]
        behind = self.own.depth - self.block - 1
        size = automatic_batch(tokens * way.settings.samples, width, behind, hidden.states.device)

        def together(numbers: Sequence[int]) -> list[Tensor]:
            found = solve(
                way.tower,
                hidden.with_states(hidden.states.repeat(len(numbers), 1, 1)),
                self.block,
                target=target.repeat(len(numbers), 1),
                draws=[stream(number) for number in numbers],
                beta=0.1,
                settings=way.settings,
                autocast=way.precision.autocast,
            )
            return list(found.nats)

        return in_batches(range(way.prompts), size, together)[0]


def operations(pair: Pair, way: Way, passes: int, width: int) -> float:
    """Multiplications and additions of a map: the prefix once, the suffix ``passes`` times, the other tower if anew.

    A token costs a block 24 D^2 forward and as much backward (no gradients for weights); the last block's pooled token
    costs next to nothing, and so do attention's products of tokens with tokens beside these.
    """
    tokens = pair.own.embed(pair.given).states.shape[1]
    other = pair.other.embed(pair.wanted).states if way.anew else torch.empty(1, 0, 0)
    prefix = (pair.block + 1) * 24 * width**2 * tokens
    repeated = operations_behind(pair.own.depth - pair.block - 1, width, tokens * passes)
    return prefix + repeated + pair.other.depth * 24 * other.shape[2] ** 2 * other.shape[1]


def operations_behind(blocks: int, width: int, tokens: int) -> float:
    """Of the ``blocks`` behind a bottleneck, forward and backward, for all ``tokens``; the last block costs nothing."""
    return max(0, blocks - 1) * 48 * width**2 * tokens


def rate(dtype: torch.dtype, repeats: int) -> float:
    """Operations a second of a large matrix product."""
    left, right = torch.randn(2048, 768).to(dtype), torch.randn(768, 3072).to(dtype)
    return 2 * 2048 * 768 * 3072 / timed(lambda: left @ right, 5 * repeats)[0]


def timed(work: Callable[[], Tensor], repeats: int) -> tuple[float, Tensor]:
    """Median seconds, and the result."""
    result = work()
    values = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        values.append(time.perf_counter() - began)
    return statistics.median(values), result


def rows(pair: Pair, weights: list[Tensor], width: int, arguments: argparse.Namespace) -> list[tuple[str, ...]]:
    """One line a way of computing the map."""
    for weight in weights:
        weight.requires_grad_()
    seconds, _ = timed(lambda: pair.plain(arguments.plain_steps, weights), max(1, arguments.repeats // 2))
    plain = seconds * STEPS / arguments.plain_steps
    for weight in weights:
        weight.requires_grad_(requires_grad=False)
        weight.grad = None
    lower = lowered(pair.own, pair.block + 1)
    exact, fast = Precision(FLOAT32, "cpu"), Precision(BFLOAT16, "cpu")
    ways = {
        "float32": Way(pair.own, exact),
        "float32, both towers anew": Way(pair.own, exact, anew=True),
        f"float32, {arguments.prompts} prompts": Way(pair.own, exact, arguments.prompts),
        "bfloat16": Way(lower, fast),
        f"bfloat16, {arguments.prompts} prompts": Way(lower, fast, arguments.prompts),
        "fixed point, float32": Way(pair.own, exact, settings=FOUR_ROUNDS),
        "fixed point, bfloat16": Way(lower, fast, settings=FOUR_ROUNDS),
        f"fixed point, bfloat16, {arguments.prompts} prompts": Way(lower, fast, arguments.prompts, FOUR_ROUNDS),
    }
    out = [("plain, as published", f"{plain:.2f}", "100", "", "", "1.0", "")]
    whole = {
        name: rate(dtype, arguments.repeats) for name, dtype in ((FLOAT32, torch.float32), (BFLOAT16, torch.bfloat16))
    }
    reference: dict[str, Tensor] = {}
    at_hand = pair.embedded()
    for name, way in ways.items():
        seconds, nats = timed(lambda way=way: pair.cached(way, at_hand), arguments.repeats)
        updates = way.settings.steps if way.settings.solver == "fixed-point" else way.settings.steps - 1
        passes = updates * way.settings.samples * way.prompts
        work_done = operations(pair, way, passes, width)
        same = rank_correlation(reference.setdefault(way.settings.solver, nats), nats)
        floor = seconds * whole[way.precision.name] / work_done
        out.append(
            (
                name,
                f"{seconds:.2f}",
                str(passes),
                f"{work_done / 1e9:.0f}",
                f"{floor:.1f} x",
                f"{plain * way.prompts / seconds:.1f}",
                f"{same:.4f}",
            )
        )
    return out


def main() -> None:
    """Print a table a side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SIZES, default="b32")
    parser.add_argument("--prompts", type=int, default=14)
    parser.add_argument("--plain-steps", type=int, default=1, help="of the published protocol, to time; scaled to 10")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=["image", "text"], default=["image", "text"])
    arguments = parser.parse_args()
    size = SIZES[arguments.model]
    model = build(size)
    vision, text = towers(model)
    pixels, ids = torch.randn(1, 3, size.image, size.image), torch.tensor([TEXT])
    sides = {
        "image": (Pair(vision, text, pixels, ids, size.block), size.width),
        "text": (Pair(text, vision, ids, pixels, size.block), size.text_width),
    }
    weights = [weight for name, weight in model.named_parameters() if "logit_scale" not in name]
    for side in arguments.sides:
        pair, width = sides[side]
        table = Table(
            "way",
            "seconds",
            "passes",
            "GFLOP",
            "of the floor",
            "times faster",
            "rank correlation",
            title=f"{arguments.model}, {side} map, {torch.get_num_threads()} threads",
        )
        for row in rows(pair, weights, width, arguments):
            table.add_row(*row)
        Console().print(table)


if __name__ == "__main__":
    main()
