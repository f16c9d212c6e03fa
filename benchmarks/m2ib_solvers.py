"""M2IB's solvers against each other on phantoms: how low each comes, how often, and how far their maps agree.

Run: python benchmarks/m2ib_solvers.py MODEL [--first 20] [--studies 10] [--block 2] [--out figures.json]

Standardised features, one lambda a token, antithetic noise. All solutions are judged by the objective on one set of
128 noise samples that none of them has seen. Pairs of a row with Adam run to convergence (200 steps of 10 samples from
the start that the fixed point has, learning rate 0.3):

- within 1 %: share of cases where the objective is no more than 1 % above converged Adam's;
- Pearson, rank: correlation of nats over patches; visible: rank correlation with nats that show nowhere made equal;
- peak: the largest patch touches the finding's mask (pointing game).

Two more runs of converged Adam, with other noise and from another start, say what can be asked at all.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from phantom_model import SEED, Bench, Case, console, patch_cover, present, says, visible
from rich.progress import track

from medaudit.attribution.adam import AdamPlan, solve_by_adam
from medaudit.attribution.fixed_point import START, solve_by_fixed_point
from medaudit.attribution.method import Noise
from medaudit.attribution.problem import Problem, Sampler, Solution
from medaudit.metrics.agreement import rank_correlation
from medaudit.metrics.localisation import pointing_hit
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.grid import Mask

PAIRS = 64
REFERENCE = "Adam, converged"
SAME_START = math.log(START / (1 - START))


@dataclass(frozen=True, slots=True)
class Way:
    """A solver at one setting: passes are ``rounds`` times ``samples``. ``plan`` is None for the fixed point."""

    rounds: int
    samples: int
    plan: AdamPlan | None = None
    seed: int = 0

    def solve(self, problem: Problem) -> Solution:
        """Solve one item."""
        if self.plan is None:
            return solve_by_fixed_point(problem, self.rounds, per_token=True)
        return solve_by_adam(problem, replace(self.plan, updates=self.rounds))


def _adam(learning_rate: float, initial_alpha: float) -> AdamPlan:
    return AdamPlan(0, learning_rate, initial_alpha, per_token=True)


WAYS: Mapping[str, Way] = {
    REFERENCE: Way(200, 10, _adam(0.3, SAME_START)),
    "Adam, converged, other noise": Way(200, 10, _adam(0.3, SAME_START), seed=1),
    "Adam, converged, from alpha 5": Way(200, 10, _adam(0.3, 5)),
    "Adam, the paper's steps": Way(10, 10, _adam(1, 5), seed=2),
    **{f"Adam, {n} steps": Way(n, 4, _adam(0.3, SAME_START), seed=2) for n in (25, 50, 100)},
    **{f"fixed point, {n} rounds": Way(n, 2, seed=2) for n in (8, 16, 24)},
    **{f"fixed point, {n} rounds of 4": Way(n, 4, seed=2) for n in (4, 16, 32)},
}


@dataclass(slots=True)
class Row:
    """What was found of one way, case by case."""

    objective: list[float] = field(default_factory=list)
    nats: list[NDArray[np.float64]] = field(default_factory=list)
    peak: list[bool] = field(default_factory=list)
    seconds: float = 0.0


def problem_of(bench: Bench, case: Case, text: str, way: Way, *, block: int, number: int) -> Problem:
    """One image held against one sentence."""
    tower, calibration = bench.model.vision, bench.model.calibration
    if calibration is None:
        msg = f"{bench.model.card.name} has no calibration; make it with medaudit calibrate"
        raise SystemExit(msg)
    with torch.no_grad():
        hidden = tower.run(tower.embed(case.seen.pixels), 0, block + 1)
    draw = Noise(way.seed, str(number)).draw(text, "image")
    sampler = Sampler([draw], hidden, way.samples, antithetic=True)
    statistics = calibration.image.layers[block]
    return Problem(tower, hidden, block, bench.text(text)[None], torch.ones(1), sampler, statistics, nullcontext)


def unseen(problem: Problem) -> tuple[torch.Tensor, ...]:
    """Noise that no way is given, in parts."""
    half = torch.randn((1, PAIRS, *problem.hidden.states.shape[1:]), generator=torch.Generator().manual_seed(99))
    return torch.cat([half, -half], dim=1).split(32, dim=1)


def measure(bench: Bench, cases: list[tuple[Case, str, Mask]], block: int) -> dict[str, Row]:
    """Solve every case in every way."""
    rows = {label: Row() for label in WAYS}
    grid = bench.model.grid
    for number, (case, text, mask) in enumerate(track(cases, "cases", console=console)):
        for label, way in WAYS.items():
            problem = problem_of(bench, case, text, way, block=block, number=number)
            began = perf_counter()
            found = way.solve(problem)
            rows[label].seconds += perf_counter() - began
            judged = [problem.objective(found.passed, noise).item() for noise in unseen(problem)]
            nats = found.nats[0, grid.prefix :].double().numpy()
            rows[label].objective.append(float(np.mean(judged)))
            rows[label].nats.append(nats)
            rows[label].peak.append(
                bool(pointing_hit(nats.reshape(grid.rows, grid.columns), patch_cover(mask, grid.rows)))
            )
    return rows


def summary(way: Way, row: Row, reference: Row) -> dict[str, float]:
    """One line of the table."""
    ours, theirs = np.array(row.objective), np.array(reference.objective)
    gap = (ours - theirs) / np.abs(theirs)
    pairs = list(zip(row.nats, reference.nats, strict=True))
    return {
        "passes": way.rounds * way.samples,
        "objective": float(ours.mean()),
        "median gap": float(np.median(gap)),
        "within 1 %": float((gap < 0.01).mean()),
        "Pearson": float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in pairs])),
        "rank": float(np.mean([rank_correlation(one, other) for one, other in pairs])),
        "visible": float(np.mean([rank_correlation(*map(visible, pair)) for pair in pairs])),
        "peak": float(np.mean(row.peak)),
        "seconds": row.seconds / len(ours),
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--first", type=int, default=0, help="first study of the cohort")
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--block", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    bench = Bench(args.model)
    drawn = [bench.case(draw_study(SEED, i)) for i in range(args.first, args.first + args.studies)]
    cases = [(case, says(kind), mask) for case, kind, mask in present(drawn)]
    rows = measure(bench, cases, args.block)
    found = {label: summary(way, rows[label], rows[REFERENCE]) for label, way in WAYS.items()}
    columns = list(found[REFERENCE])
    print(f"| solver | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for label, figures in found.items():
        cells = (f"{value:.0f}" if name == "passes" else f"{value:.3f}" for name, value in figures.items())
        print(f"| {label} | {' | '.join(cells)} |")
    largest = [np.sort(nats)[-10:].sum() / nats.sum() for nats in rows[REFERENCE].nats]
    print(
        f"\n{len(cases)} findings in {args.studies} phantoms. Ten patches hold {np.mean(largest):.1%} of a map's nats."
    )
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
