"""What a person sees in the terminal: progress while it runs, a summary when it ends."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from medaudit.pipeline.calibrate import calibrate
from medaudit.pipeline.load import Pipeline
from medaudit.pipeline.run import AuditRequest, Contradiction, Summary, device_of, run_audit
from medaudit.records import CohortAudit
from medaudit.report.write import REPORTS, Format, ReportOutcome, write_cohort, write_reports
from medaudit.store.audit_store import AuditStore

# A terminal shows this many failures; all are in the store and, with --json, in the output.
FAILURES_SHOWN = 20
# And this many studies of each kind of contradiction; --json lists all.
STUDIES_SHOWN = 5
# And this many findings over all studies; the report of the cohort has all.
FINDINGS_SHOWN = 5

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

    def estimated(self, text: str) -> None:
        """See :class:`medaudit.pipeline.run.Observer`."""
        if not self._progress.disable:
            self._progress.console.print(escape(text), soft_wrap=True)

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
    if reports and (summary.audited or summary.resumed):
        with AuditStore.open(request.folder) as store:
            console.report_failures += write_cohort(store).failed
    if as_json:
        _print_json(summary, console.report_failures, request.folder)
    else:
        _print_summary(summary, console.report_failures, request.folder, program)
    return not (summary.failures or console.report_failures)


def calibrate_with_progress(
    folder: Path, sources: Sequence[Path], pipeline: Pipeline, *, device: str, limit: int | None, as_json: bool
) -> None:
    """Calibrate a model folder and print what it was calibrated on."""
    with _progress(quiet=as_json) as progress:
        task = progress.add_task("measuring features", total=limit)
        summary = calibrate(
            folder,
            sources,
            pipeline,
            device=device_of(device),
            limit=limit,
            on_image=lambda count: progress.update(task, completed=count),
        )
    if as_json:
        print(json.dumps(asdict(summary) | {"path": str(summary.path)}))  # noqa: T201 - the output that was asked for
        return
    console = Console(highlight=False)
    console.print(f"{summary.path}: from {summary.images} images and {summary.texts} sentences", soft_wrap=True)
    for error, count in sorted(summary.skipped.items()):
        console.print(f"passed over: {count} images ({error})")


def write_reports_with_progress(
    folder: Path, studies: Sequence[str] | None, layout: str | None, form: str, *, logo: Path | None, quiet: bool
) -> ReportOutcome:
    """Write the reports of an audit folder: every study and the cohort by default."""
    with AuditStore.open(folder) as store, _progress(quiet=quiet) as progress:
        total = len(studies) if studies else len(store.finished()) + Format(form).has_cohort
        task = progress.add_task("writing reports", total=total)
        return write_reports(
            store,
            studies=studies or None,
            layout_name=layout,
            logo=logo,
            form=Format(form),
            on_study=lambda _: progress.advance(task),
        )


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
    if summary.text_like:
        console.print(
            f"[yellow]{summary.text_like} images carry text-like regions[/yellow]: burned-in text stays in the audit "
            "folder and in the PDFs; look at them before you share them"
        )
    for line in _contradictions(summary):
        console.print(line, soft_wrap=True)
    if summary.cohort is not None:
        print_cohort(summary.cohort)
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


def _contradictions(summary: Summary) -> Iterator[str]:
    """Headers that disagree, one line a kind: how many times, in which studies, and what to do."""
    kinds: dict[str, list[Contradiction]] = {}
    for one in summary.contradictions:
        kinds.setdefault(one.kind, []).append(one)
    if kinds:
        count = len(summary.contradictions)
        yield f"[yellow]{count} contradiction{'' if count == 1 else 's'} between headers[/yellow] of the input:"
    for kind, found in kinds.items():
        codes = list(dict.fromkeys(code for one in found for code in one.studies))
        more = f" and {len(codes) - STUDIES_SHOWN} more" if len(codes) > STUDIES_SHOWN else ""
        where = f"{', '.join(codes[:STUDIES_SHOWN])}{more}"
        yield escape(f"  {len(found)} by {kind}, in {where}: {found[0].remedy}")


def print_cohort(found: CohortAudit) -> None:
    """Print what all studies together show, weightiest first."""
    console = Console(highlight=False)
    for note in found.notes:
        console.print(f"Across studies: {escape(note)}", soft_wrap=True)
    if not found.findings:
        if found.measurements:
            count = len(found.measurements)
            console.print(f"Across studies: {count} comparisons, none beyond its threshold. That is no clearance.")
        return
    console.print(f"[bold]Across {found.studies} studies[/bold]")
    for one in found.findings[:FINDINGS_SHOWN]:
        console.print(f"  [yellow]{one.severity.value}[/yellow] {escape(one.claim)}", soft_wrap=True)
    if len(found.findings) > FINDINGS_SHOWN:
        console.print(f"  ... and {len(found.findings) - FINDINGS_SHOWN} more in the cohort's report")


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


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
