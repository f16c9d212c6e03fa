"""What a person sees in the terminal: progress while it runs, a summary when it ends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from medaudit.pipeline.run import AuditRequest, Summary, run_audit
from medaudit.report.write import REPORTS, ReportOutcome, write_reports
from medaudit.store.audit_store import AuditStore

# A terminal shows this many failures; all are in the store and, with --json, in the output.
FAILURES_SHOWN = 20

Failure = tuple[str, str, str]
"""Study code, error class, message."""


class _ProgressConsole:
    """One bar on stderr, drawn while the console is entered."""

    def __init__(self, *, quiet: bool) -> None:
        self._progress = _progress(quiet=quiet)
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class AuditConsole(_ProgressConsole):
    """Draws a run's progress on stderr and writes each study's PDF as soon as the study is stored."""

    def __init__(self, *, reports: bool, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self.report_failures: list[Failure] = []
        self._reports = reports

    def phase(self, text: str) -> None:
        """See :class:`medaudit.pipeline.run.Observer`."""
        self._progress.update(self._task, description=text, total=None, completed=0)

    def scanned(self, files: int) -> None:
        """See :class:`medaudit.pipeline.run.Observer`."""
        self._progress.update(self._task, completed=files)

    def planned(self, studies: int, finished: int) -> None:
        """See :class:`medaudit.pipeline.run.Observer`."""
        self._progress.reset(self._task, description="auditing studies", total=studies, completed=finished)

    def study_done(self, store: AuditStore, code: str, *, audited: bool) -> None:
        """See :class:`medaudit.pipeline.run.Observer`."""
        if audited and self._reports:
            self.report_failures += write_reports(store, studies=[code]).failed
        self._progress.advance(self._task)


class TrainingConsole(_ProgressConsole):
    """Draws a training's progress on stderr."""

    def __init__(self) -> None:
        super().__init__(quiet=False)

    def rendered(self, shards: int, total: int) -> None:
        """See :class:`medaudit.training.run.TrainingObserver`."""
        self._progress.update(self._task, description="rendering studies", completed=shards, total=total)

    def trained(self, step: int, steps: int, loss: float, patch_loss: float) -> None:
        """See :class:`medaudit.training.run.TrainingObserver`."""
        text = f"training: loss {loss:.3f}, patches {patch_loss:.3f}"
        self._progress.update(self._task, description=text, completed=step, total=steps)


def run_with_progress(request: AuditRequest, *, program: str, reports: bool = True, as_json: bool = False) -> bool:
    """Run an audit, print what it did and what to type next, and return whether everything came through."""
    with AuditConsole(reports=reports, quiet=as_json) as console:
        summary = run_audit(request, console)
    if as_json:
        _print_json(summary, console.report_failures, request.folder)
    else:
        _print_summary(summary, console.report_failures, request.folder, program)
    return not (summary.failures or console.report_failures)


def write_reports_with_progress(
    folder: Path, studies: Sequence[str] | None, layout: str | None, *, quiet: bool
) -> ReportOutcome:
    """Write the PDFs of an audit folder, all studies by default."""
    with AuditStore.open(folder) as store, _progress(quiet=quiet) as progress:
        total = len(studies) if studies else len(store.finished())
        task = progress.add_task("writing PDFs", total=total)
        return write_reports(store, studies=studies, layout_name=layout, on_study=lambda _: progress.advance(task))


def _progress(*, quiet: bool) -> Progress:
    """Bars on stderr that leave nothing behind, so that stdout holds results alone."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
        transient=True,
    )


def _print_json(summary: Summary, report_failures: Sequence[Failure], folder: Path) -> None:
    outcome = asdict(summary) | {
        "audit_dir": str(folder),
        "report_failures": [
            {"study": study, "error": error, "message": message} for study, error, message in report_failures
        ],
    }
    print(json.dumps(outcome))  # noqa: T201 - the output that was asked for


def _print_summary(summary: Summary, report_failures: Sequence[Failure], folder: Path, program: str) -> None:
    console = Console(highlight=False)
    done = f"{len(summary.audited)} studies audited in {summary.seconds:.1f} s"
    earlier = f", {summary.resumed} finished earlier" if summary.resumed else ""
    pending = f", {summary.pending} left for a later run (--resume)" if summary.pending else ""
    console.print(f"[bold]{done}[/bold]{earlier}{pending}")
    if not (summary.audited or summary.resumed or summary.pending):
        console.print(
            "No image met the rules of the pipeline (its section images); the reasons are in the audit folder"
        )
    console.print("Files: " + ", ".join(f"{count} {fate}" for fate, count in sorted(summary.fates.items())))
    if summary.unmatched_texts:
        console.print(f"{summary.unmatched_texts} rows of the report text belong to no study of the input")
    for failure in summary.failures[:FAILURES_SHOWN]:
        where = escape(f"{failure.path} [{failure.stage}] {failure.error}: {failure.reason}")
        console.print(f"[red]failed[/red] {where}", soft_wrap=True)
    hidden = len(summary.failures) - FAILURES_SHOWN
    if hidden > 0:
        console.print(f"... and {hidden} more failed files; --json lists all")
    for study, error, message in report_failures:
        console.print(f"[red]no PDF[/red] {escape(f'{study}: {error}: {message}')}", soft_wrap=True)
    console.print(f"PDFs:    {escape(str(folder / REPORTS))}", soft_wrap=True)
    console.print(f"Viewer:  {escape(f'{program} review {folder}')}", soft_wrap=True)


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows with the same keys as a table."""
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(escape(_word(value)) for value in row.values()))
    Console(highlight=False).print(table)


def print_doctor(examination: Mapping[str, Any]) -> None:
    """Print what ``medaudit doctor`` found."""
    console = Console(highlight=False)
    for section in ("versions", "machine"):
        width = max(map(len, examination[section]))
        console.print(f"[bold]{section}[/bold]")
        for key, value in examination[section].items():
            console.print(f"  {key:{width}}  {escape(str(value))}", soft_wrap=True)
    console.print("[bold]DICOM decoders, by decoding a sample of each transfer syntax[/bold]")
    for decoder in examination["decoders"]:
        words = f"{_word(decoder['decodes']):10}  {decoder['transfer syntax']} ({decoder['uid']})"
        by = f" by {decoder['by']}" if decoder["by"] else ""
        remedy = f"; {decoder['what to do']}" if decoder["decodes"] is False else ""
        console.print(f"  {escape(words + by + remedy)}", soft_wrap=True)
    console.print("not tested: pydicom ships no sample; an installed plugin claims it")


def _word(value: object) -> str:
    if value is None:
        return "not tested"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
