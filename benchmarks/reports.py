"""Study PDFs: seconds and megabytes for 3 and 14 finding prompts, and PDFs a second with two processes.

    python benchmarks/reports.py [--studies 12]

The studies are synthetic, 1024 x 840 pixels, 14 x 14 tokens. Nothing is read or written but memory.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from time import perf_counter

import numpy as np

from medaudit.records import (
    Attribution,
    AxisMap,
    GridMap,
    ImageAudit,
    ImageRecord,
    ModelCard,
    Prompt,
    PromptKind,
    ReadingCopy,
    RelevanceMap,
    RunRecord,
    SolverTrace,
    StudyAudit,
    StudyRecord,
    TokenGrid,
    TokenRelevance,
)
from medaudit.report.layout import Layout
from medaudit.report.study_pdf import study_pdf

_ROWS, _COLUMNS, _GRID = 1024, 840, 14
_RUN = RunRecord(
    "benchmark", "name: benchmark\n", "0" * 64, "study",
    ModelCard("benchmark", "clip", {"model.safetensors": "0" * 64}, (224, 224), (_GRID, _GRID), "softmax"),
    0, keeps_identifiers=False, started="2025-01-01T00:00:00Z",
)  # fmt: skip


def study(seed: int, prompts: int) -> StudyAudit:
    """A study with a smooth picture with noise and ``prompts`` finding prompts."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:_ROWS, 0:_COLUMNS] / max(_ROWS, _COLUMNS)
    picture = 128 + 70 * np.sin(7 * y + seed) * np.cos(9 * x) + generator.normal(0, 6, (_ROWS, _COLUMNS))
    geometry = GridMap(
        (_ROWS, _COLUMNS), (224, 224), TokenGrid(_GRID, _GRID, 1),
        AxisMap(_ROWS / 224, 0.0), AxisMap(_COLUMNS / 224, 0.0), (-0.5, _ROWS - 0.5, -0.5, _COLUMNS - 0.5),
    )  # fmt: skip
    words = ("a", "chest", "radiograph", "showing", "finding")
    trace = SolverTrace(tuple(np.linspace(1, 0.1, 10).tolist()), 100.0, 0)
    attributions = tuple(
        Attribution(
            Prompt(f"a chest radiograph showing finding {index}", PromptKind.FINDING, f"finding {index}"),
            float(generator.uniform(0.1, 0.5)),
            RelevanceMap(generator.gamma(1.0, 1.0, (_GRID, _GRID)).astype(np.float32), geometry),
            TokenRelevance(words, generator.random(len(words)).astype(np.float32), words, tuple(range(len(words)))),
            "m2ib",
            trace,
            trace,
        )
        for index in range(prompts)
    )
    record = ImageRecord(
        f"S-{seed}", "E-1", f"I-{seed}", 0, _ROWS, _COLUMNS, {"Modality": "DX"}, "Explicit VR Little Endian",
        "medaudit", "window", "0" * 64, ("L", "F"), (0.4, 0.4),
    )  # fmt: skip
    copy = ReadingCopy(np.clip(picture, 0, 255).astype(np.uint8))
    return StudyAudit(StudyRecord(f"S-{seed}"), (ImageAudit(record, copy, geometry, attributions),))


def timed(task: tuple[int, int]) -> tuple[float, int]:
    """Seconds and bytes of one PDF."""
    audit = study(*task)
    start = perf_counter()
    document = study_pdf(_RUN, audit, Layout())
    return perf_counter() - start, len(document)


def main() -> None:
    """Print one line a number of prompts, and the rate with two processes."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--studies", type=int, default=12)
    count = arguments.parse_args().studies
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    timed((0, 3))  # fonts and languages are read once a process
    for prompts in (3, 14):
        results = [timed((seed, prompts)) for seed in range(count)]
        seconds, size = median(one for one, _ in results), median(one for _, one in results)
        print(f"{prompts:3} prompts: median {seconds:.2f} s, {size / 1e6:.2f} MB a study PDF")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(timed, [(0, 3), (1, 3)]))  # start both
        start = perf_counter()
        list(pool.map(timed, [(seed, 3) for seed in range(2 * count)]))
        print(f"  3 prompts: {2 * count / (perf_counter() - start):.1f} study PDFs a second with two processes")


if __name__ == "__main__":
    main()
