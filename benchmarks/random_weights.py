"""Does a method's map need what the model has learnt? Rank correlation with its map of the model with random weights.

Run: python benchmarks/random_weights.py MODEL [--studies 20] [--methods NAME ...]

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, as the check of the audit does it (docs/checks.md): the
weights of the last image block in random order, then those of all. Near 1: a map of the picture, not of the model.
Every finding of every phantom, its plain sentence; means, in brackets the least and the largest. RISE and KernelSHAP
ask fewer masks and coalitions than by default, the same for both maps of a pair.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from methods_on_phantoms import QUICK
from phantom_model import SEED, WAYS, Bench, console, present, says
from rich.progress import track

from medaudit.attribution.m2ib import M2IB
from medaudit.attribution.method import Method, Noise
from medaudit.attribution.registry import METHODS, build_method
from medaudit.audit.checks.randomisation import ALL_BLOCKS, LAST_BLOCK, forgetful
from medaudit.metrics.agreement import rank_correlation
from medaudit.phantom.cohort import draw_study
from medaudit.records import Prompt, PromptKind

STAGES = {LAST_BLOCK: "last block", ALL_BLOCKS: "all blocks"}
CALIBRATED = "m2ib, calibrated, block 2"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    args = parser.parse_args()
    bench = Bench(args.model)
    models = forgetful(bench.model, seed=0)
    if not models:
        sys.exit(f"{bench.model.card.name}: expected an image tower of transformer blocks")
    methods: dict[str, Method] = {name: build_method(name, QUICK.get(name, {})) for name in args.methods}
    methods[CALIBRATED] = M2IB(replace(WAYS["calibrated"], image_block=2))
    drawn = [bench.case(draw_study(SEED, i)) for i in range(args.studies)]
    cases = list(present(drawn))
    found: dict[str, dict[str, list[float]]] = {label: {stage: [] for stage in STAGES} for label in methods}
    for number, (case, kind, _) in enumerate(track(cases, "cases", console=console)):
        prompts, noise = [Prompt(says(kind), PromptKind.CONTROL)], Noise(0, str(number))
        for label, method in methods.items():
            own = method.explain(bench.model, case.seen, prompts, noise)[0].image.values
            for stage, model in models.items():
                other = method.explain(model, case.seen, prompts, noise)[0].image.values
                found[label][stage].append(rank_correlation(own, other))
    print(f"| method | {' | '.join(STAGES.values())} |\n{'|---' * (len(STAGES) + 1)}|")
    for label, stages in found.items():
        cells = (f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" for values in stages.values())
        print(f"| {label} | {' | '.join(cells)} |")
    print(f"\n{len(cases)} findings in {args.studies} phantoms.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
