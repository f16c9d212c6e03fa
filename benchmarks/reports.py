"""Study PDFs: seconds and megabytes for 3 and 14 finding prompts, and PDFs a second with two processes.

    python benchmarks/reports.py [--studies 12]
    python benchmarks/reports.py --in-one-run 1000     # resident memory while one run writes so many study PDFs

The studies are synthetic, 1024 x 840 pixels, 14 x 14 tokens, every prompt with its curves. Nothing is read or written
but memory; ``--in-one-run`` keeps an audit of small pictures (128 x 105) in a temporary folder and writes its reports
as ``medaudit report`` does.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from medaudit.records import (
    Attribution,
    AxisMap,
    FaithfulnessCurve,
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
    Walk,
)
from medaudit.report.layout import Layout
from medaudit.report.study_pdf import study_pdf
from medaudit.report.write import write_reports
from medaudit.store.audit_store import AuditStore

_SIZE, _SMALL, _GRID = (1024, 840), (128, 105), 14
_PRINTED = (1, 10, 30, 100, 300, 1000, 3000)  # memory after so many studies
_MEBIBYTE = 2**20
_RUN = RunRecord(
    "benchmark", "name: benchmark\n", "0" * 64, "study",
    ModelCard("benchmark", "clip", {"model.safetensors": "0" * 64}, (224, 224), (_GRID, _GRID), "softmax"),
    0, keeps_identifiers=False, started="2025-01-01T00:00:00Z",
)  # fmt: skip


def study(seed: int, prompts: int, size: tuple[int, int] = _SIZE) -> StudyAudit:
    """A study with a smooth picture with noise and ``prompts`` finding prompts."""
    rows, columns = size
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns] / max(size)
    picture = 128 + 70 * np.sin(7 * y + seed) * np.cos(9 * x) + generator.normal(0, 6, size)
    geometry = GridMap(
        size, (224, 224), TokenGrid(_GRID, _GRID, 1),
        AxisMap(rows / 224, 0.0), AxisMap(columns / 224, 0.0), (-0.5, rows - 0.5, -0.5, columns - 0.5),
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
        f"S-{seed}", "E-1", f"I-{seed}", 0, rows, columns, {"Modality": "DX"}, "Explicit VR Little Endian",
        "medaudit", "window", "0" * 64, ("L", "F"), (0.4, 0.4),
    )  # fmt: skip
    copy = ReadingCopy(np.clip(picture, 0, 255).astype(np.uint8))
    curves = tuple(_curve(one.prompt.text, walk, generator) for one in attributions for walk in Walk)
    return StudyAudit(StudyRecord(f"S-{seed}"), (ImageAudit(record, copy, geometry, attributions, curves=curves),))


def _curve(subject: str, walk: Walk, generator: np.random.Generator) -> FaithfulnessCurve:
    lines = (tuple(generator.uniform(-0.1, 0.4, 11).tolist()) for _ in range(4))
    return FaithfulnessCurve(subject, walk, tuple(np.linspace(0, 1, 11).tolist()), *lines)


def timed(task: tuple[int, int]) -> tuple[float, int]:
    """Seconds and bytes of one PDF."""
    audit = study(*task)
    start = perf_counter()
    document = study_pdf(_RUN, audit, Layout())
    return perf_counter() - start, len(document)


def in_one_run(studies: int) -> None:
    """Write the PDFs of so many studies of 3 prompts one after another; print the memory that the process holds."""
    with TemporaryDirectory() as scratch, AuditStore.create(Path(scratch) / "audit", _RUN) as store:
        for seed in range(studies):
            store.save_study(study(seed, 3, _SMALL), ())
        print(f"audit of {studies} studies: {_resident():.0f} MiB resident before the first report", flush=True)
        done = 0

        def on_study(_: str) -> None:
            nonlocal done
            done += 1
            if done in _PRINTED or done == studies:
                print(f"{done:6} study PDFs: {_resident():.0f} MiB resident", flush=True)

        outcome = write_reports(store, studies=[f"S-{seed}" for seed in range(studies)], on_study=on_study)
        print(f"{len(outcome.written)} written, {len(outcome.failed)} failed")


def _resident() -> float:
    """MiB of memory that this process holds now; Linux alone says so in a file."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE


def main() -> None:
    """Print one line a number of prompts, and the rate with two processes."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--studies", type=int, default=12)
    arguments.add_argument("--in-one-run", type=int, default=0, metavar="N")
    chosen = arguments.parse_args()
    if chosen.in_one_run:
        in_one_run(chosen.in_one_run)
        return
    count = chosen.studies
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
