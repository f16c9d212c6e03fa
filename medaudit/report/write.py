"""Reports of an audit folder: the one module here that touches the store."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from reportlab.platypus.doctemplate import LayoutError as PageError

from medaudit.errors import MedauditError
from medaudit.report.layout import Layout, find_layout
from medaudit.report.study_pdf import study_pdf
from medaudit.store.audit_store import AuditStore

REPORTS = "reports"
"""Folder of the PDFs inside the audit folder."""


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What became of each study: files ``written``, and (study code, error class, message) of those that ``failed``."""

    written: tuple[Path, ...] = ()
    failed: tuple[tuple[str, str, str], ...] = ()


def write_study_pdf(store: AuditStore, code: str, layout: Layout, folder: Path) -> Path:
    """Write ``<study code>.pdf`` so that a kill at any instant leaves the old file, the new one, or none.

    Raises
    ------
    StoreError
        The store has no such study, or cannot be read.
    OSError
        The file cannot be written.

    """
    document = study_pdf(store.run(), store.study(code), layout)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{code}.pdf"
    new = path.with_name(f"{path.name}.tmp")
    with new.open("wb") as stream:
        stream.write(document)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    return path


def write_reports(
    store: AuditStore,
    *,
    studies: Iterable[str] | None = None,
    layout_name: str | None = None,
    on_study: Callable[[str], None] | None = None,
) -> ReportOutcome:
    """Write the report of each study into ``reports/`` of the audit folder; one that fails stops no other.

    Parameters
    ----------
    store
        The audit.
    studies
        Codes of the studies; all that are finished by default.
    layout_name
        Name of a shipped layout, or path of a ``.yaml`` file; the run's own by default.
    on_study
        Called with each code when its report is written or has failed.

    Raises
    ------
    LayoutError
        There is no such layout, or it is wrong.
    StoreError
        The store cannot be read at all.

    """
    layout = find_layout(store.run().report_layout if layout_name is None else layout_name)
    codes = [summary.study for summary in store.worklist()] if studies is None else list(studies)
    written: list[Path] = []
    failed: list[tuple[str, str, str]] = []
    for code in codes:
        try:
            written.append(write_study_pdf(store, code, layout, store.folder / REPORTS))
        except PageError:
            # reportlab's own message quotes the text that did not fit, which may name a patient.
            failed.append((code, "PageError", "a part of the report is larger than a page; its records are complete"))
        except (MedauditError, OSError, ValueError, ArithmeticError) as error:
            failed.append((code, type(error).__name__, _reason(error)))
        if on_study is not None:
            on_study(code)
    return ReportOutcome(tuple(written), tuple(failed))


def _reason(error: Exception) -> str:
    """What a person can act on; an OSError's own text names a path of the site."""
    if isinstance(error, OSError):
        return f"{REPORTS}/ cannot be written: {error.strerror or type(error).__name__}"
    return str(error)
