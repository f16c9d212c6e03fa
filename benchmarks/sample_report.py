"""The committed sample in reports/sample: one study and the cohort, made from the frozen audit beside them.

    python benchmarks/sample_report.py                        # make both PDFs again
    python benchmarks/sample_report.py --audit audit          # freeze another audit first; docs/reports.md says which

The frozen audit holds what both PDFs are made from and no more: the rows of all studies, the arrays of one.
"""

import argparse
import json
import shutil
import sqlite3
import zlib
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from medaudit.report.layout import find_layout
from medaudit.report.write import write_cohort_report, write_study_report
from medaudit.store.audit_store import AuditStore

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"
_DATABASE = "audit.sqlite"


def freeze(audit: Path, sample: Path) -> None:
    """Put what the sample needs of an audit into ``sample/audit``; the audit itself stays as it is."""
    frozen = sample / "audit"
    shutil.rmtree(frozen, ignore_errors=True)
    for old in sample.glob("*.pdf"):
        old.unlink()
    frozen.mkdir(parents=True)
    connection = sqlite3.connect(audit / _DATABASE)
    try:
        connection.execute("VACUUM INTO ?", (str(frozen / _DATABASE),))
    finally:
        connection.close()
    study = chosen(audit)
    shutil.copytree(audit / "arrays" / study, frozen / "arrays" / study)


def chosen(audit: Path) -> str:
    """Code of the sample's study: the first of the worklist."""
    with AuditStore.open(audit) as store:
        return store.worklist()[0].study


def make(sample: Path, into: Path) -> list[Path]:
    """Write both PDFs of the frozen audit into a folder."""
    with TemporaryDirectory() as scratch:
        # Opening an audit upgrades it; the frozen one stays as it was committed.
        audit = Path(shutil.copytree(sample / "audit", Path(scratch) / "audit"))
        study = chosen(audit)
        with AuditStore.open(audit) as store:
            layout = find_layout(store.run().report_layout)
            return [write_study_report(store, study, layout, into), write_cohort_report(store, layout, into)]


def libraries() -> dict[str, str]:
    """What decides the bytes of a PDF besides medaudit."""
    return {"reportlab": version("reportlab"), "pillow": version("pillow"), "zlib": zlib.ZLIB_RUNTIME_VERSION}


def main() -> None:
    """Freeze if asked to, and make the PDFs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--audit", type=Path, help="freeze this audit folder first")
    audit = arguments.parse_args().audit
    if audit is not None:
        freeze(audit, SAMPLE)
    for path in make(SAMPLE, SAMPLE):
        print(path.relative_to(SAMPLE.parent.parent), f"{path.stat().st_size / 1e6:.2f} MB")
    (SAMPLE / "libraries.json").write_text(json.dumps(libraries(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
