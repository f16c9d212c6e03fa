"""How long image tokens keep what they saw: the share of a score that rests on the finding's tokens, by block.

Run: python benchmarks/place_by_block.py MODEL [--studies 10]

A phantom's twin lacks the finding and is the same otherwise. Behind every block the tokens that the finding covers are
taken from the twin: the share of the score's whole fall that this brings about ("removed"); and the other way round,
they alone are brought into the twin ("brings"). Both are 1 where the finding's own tokens carry the score. Near 0 other
tokens do, and a method that reads later blocks, however faithful, cannot point at the finding. Medians over findings.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from phantom_model import SEED, SIDE, Bench, Case, console, patch_cover, present, says
from rich.progress import track

from medaudit.phantom.cohort import draw_study
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.grid import Mask
from medaudit.phantom.study import render

LEAST_FALL = 0.02
"""Of the cosine. A case whose score hardly falls without its finding says nothing of where it rests."""


@torch.no_grad()
def shares(bench: Bench, case: Case, kind: FindingKind, mask: Mask) -> NDArray[np.float64] | None:
    """(blocks, 2) what is removed, and what is brought; None where the score hardly falls."""
    tower, grid, text = bench.model.vision, bench.model.grid, bench.text(says(kind))
    without = replace(case.spec, findings=tuple(one for one in case.spec.findings if one.kind is not kind))
    twin = bench.image(render(without, SIDE).pixels, case.spec)
    seen, gone = (float((tower.encode(one.pixels) @ text).item()) for one in (case.seen, twin))
    if seen - gone < LEAST_FALL:
        return None
    covered = torch.cat([torch.zeros(grid.prefix), torch.from_numpy(patch_cover(mask, grid.rows)).ravel()]) > 0
    found = []
    for block in range(tower.depth):
        with_it, without_it = (tower.run(tower.embed(one.pixels), 0, block + 1) for one in (case.seen, twin))
        removed = torch.where(covered[:, None], without_it.states, with_it.states)
        brought = torch.where(covered[:, None], with_it.states, without_it.states)
        scores = [
            float((tower.suffix(with_it.with_states(states), block + 1) @ text).item()) for states in (removed, brought)
        ]
        found.append(((seen - scores[0]) / (seen - gone), (scores[1] - gone) / (seen - gone)))
    return np.array(found)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--studies", type=int, default=10)
    args = parser.parse_args()
    bench = Bench(args.model)
    cases = list(present([bench.case(draw_study(SEED, i)) for i in range(args.studies)]))
    every = [shares(bench, *case) for case in track(cases, "twins", console=console)]
    found = [one for one in every if one is not None]
    if not found:
        print("no finding moves the score by 0.02; take more studies", file=sys.stderr)
        return 1
    print("| behind block | removed | brings |\n|---|---|---|")
    for block, (removed, brings) in enumerate(np.median(found, axis=0)):
        print(f"| {block} | {removed:.2f} | {brings:.2f} |")
    print(f"\n{len(found)} of {len(cases)} findings in {args.studies} phantoms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
