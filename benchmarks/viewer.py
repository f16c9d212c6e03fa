"""How quick the viewer is: first page and study switch in a real browser, the worklist's queries, memory over switches.

``python benchmarks/viewer.py --studies 1000 --switches 500``. The studies are synthetic: noise at the size of a reading
copy, eight prompts each, and a file of noise for a PDF. Targets on two cores: first page < 1.5 s, study switch < 0.7 s
(medians); the server's memory grows by less than a tenth from switch 50 to the last.
"""

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from medaudit.records import (
    Attribution,
    AxisMap,
    Finding,
    GridMap,
    ImageAudit,
    ImageRecord,
    Measurement,
    ModelCard,
    Prompt,
    PromptKind,
    ReadingCopy,
    RelevanceMap,
    RunRecord,
    Severity,
    SolverTrace,
    StudyAudit,
    StudyRecord,
    TokenGrid,
    TokenRelevance,
)
from medaudit.store.audit_store import AuditStore
from medaudit.store.worklist import Order, Search

_WARM = 50
"""Switches after which every cache is full."""

_MEMORY_AT = (0, _WARM, 100, 150, 250, 350, 500)

_PDF_BYTES = 100_000

_PROMPTS = tuple(f"a picture with finding {number}" for number in range(8))


def make_store(folder: Path, studies: int, side: int) -> None:
    """An audit of synthetic studies, one image of (side, side) each."""
    card = ModelCard("none", "none", {}, (224, 224), (14, 14), "cosine")
    run = RunRecord("none", "", "0", "study", card, 0, False, "2026-01-01", {}, {})  # noqa: FBT003 - the record's order
    grid = GridMap(
        (side, side),
        (224, 224),
        TokenGrid(14, 14, 1),
        AxisMap(side / 224, 0.0),
        AxisMap(side / 224, 0.0),
        (-0.5, side - 0.5, -0.5, side - 0.5),
    )
    random = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(side), np.arange(side))
    with AuditStore.create(folder, run) as store:
        reports = folder / "reports"
        reports.mkdir()
        for number in range(studies):
            code = f"ST-{number:05d}"
            store.save_study(_study(code, side, grid, smooth, random), ())
            (reports / f"{code}.pdf").write_bytes(random.bytes(_PDF_BYTES))


def _study(code: str, side: int, grid: GridMap, smooth: np.ndarray, random: np.random.Generator) -> StudyAudit:
    values = (smooth + random.integers(0, 24, (side, side))).astype(np.uint16)
    copy = ReadingCopy((values * (255 / values.max())).astype(np.uint8), values, window=(side, 2.0 * side))
    trace = SolverTrace((), 1.0, 0)
    text = TokenRelevance(("a",), np.ones(1, np.float32), ("a",), (0,))
    attributions = tuple(
        Attribution(
            Prompt(prompt, PromptKind.FINDING, prompt),
            float(random.uniform(-0.5, 0.5)),
            RelevanceMap(random.random((14, 14), dtype=np.float32), grid),
            text,
            "m2ib",
            trace,
            trace,
        )
        for prompt in _PROMPTS
    )
    severity = list(Severity)[int(random.integers(3))]
    measured = Measurement("check", "quantity", 1.0, _PROMPTS[0])
    found = (Finding(measured, 0.5, severity, "A claim.", "Limits.", "Advice."),)
    elements = {"Modality": "DX", "Manufacturer": f"Maker {random.integers(5)}"}
    record = ImageRecord(code, "SE-1", f"IM-{code}", 0, side, side, elements, "", "", "", "00")
    image = ImageAudit(record, copy, grid, attributions, (measured,), found)
    return StudyAudit(StudyRecord(code, {"PatientSex": "F" if random.random() < 0.5 else "M"}), (image,), 1.0)


def median_of(times: int, work: Callable[[], object]) -> float:
    """Median seconds of some repetitions."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def time_queries(folder: Path) -> None:
    """What the worklist asks of the database."""
    with AuditStore.open(folder) as store:
        for name, search in {
            "gravest first": Search(),
            "search in every element": Search("maker 3 f"),
            "highest score of a prompt": Search(prompt=_PROMPTS[1], order=Order.HIGHEST),
        }.items():
            print(f"{name}: {1000 * median_of(5, lambda search=search: store.find(search)):.0f} ms")
        codes = store.find(Search())[:25]
        print(f"one page of 25: {1000 * median_of(5, lambda: store.summaries(codes)):.0f} ms")
        print(f"tallies: {1000 * median_of(5, store.severity_counts):.0f} ms")
        print(f"filters: {1000 * median_of(5, store.facets):.0f} ms")


def time_pages(url: str, studies: int, switches: int, server: int) -> None:
    """First page and study switches in a browser, and the server's memory on the way."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})

        def first() -> None:
            page.goto(url)
            expect(page.locator(".st-key-worklist button").first).to_be_visible(timeout=60_000)

        first()  # the server's own first run loads its modules
        print(f"first page: {median_of(5, first):.2f} s (median of 5)")
        page.locator(".st-key-worklist button").first.click()
        _drawn(page, "")
        took, memory = [], {0: _resident(server)}
        for number in range(switches):
            back = number % (2 * (studies - 1)) >= studies - 1
            before = page.locator("[data-drawn]").first.get_attribute("data-drawn") or ""
            start = time.perf_counter()
            page.locator(f".st-key-{'Previous' if back else 'Next'} button").click()
            _drawn(page, before)
            took.append(time.perf_counter() - start)
            if number + 1 in {*_MEMORY_AT, switches}:
                memory[number + 1] = _resident(server)
        print(f"study switch: {statistics.median(took):.2f} s (median of {switches}), slowest {max(took):.2f} s")
        print("server memory, MB at switch: " + ", ".join(f"{one:.0f} at {place}" for place, one in memory.items()))
        if switches > _WARM:
            print(f"grown since switch {_WARM}: {100 * (memory[switches] / memory[_WARM] - 1):+.1f} %")
        browser.close()


def _drawn(page: Page, before: str) -> None:
    """Wait until another image than before is drawn."""
    script = (
        "before => [...document.querySelectorAll('*')].some(one => one.dataset?.drawn && one.dataset.drawn !== before)"
    )
    page.wait_for_function(script, arg=before, timeout=60_000)


def _resident(process: int) -> float:
    """MB of memory of the viewer's child process."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    status = Path(f"/proc/{children[0]}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def main() -> None:
    """Make a store, serve it, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--side", type=int, default=512, help="rows and columns of the reading copies")
    parser.add_argument("--switches", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "audit"
        make_store(folder, given.studies, given.side)
        time_queries(folder)
        if not given.switches:
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        line = [sys.executable, "-m", "medaudit", "review", str(folder), "--no-browser", "--port", str(port)]
        server = subprocess.Popen(line, stdout=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{url}/_stcore/health")  # noqa: S310 - our own address
                    break
                except OSError:
                    time.sleep(0.1)
            time_pages(url, given.studies, given.switches, server.pid)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
