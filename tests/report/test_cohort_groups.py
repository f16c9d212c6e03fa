"""Studies that fail alike in the report of a cohort: cards, pictures, nearest studies, in every form and language."""

import csv
import json
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path

import jsonschema
import numpy as np
import pypdf
import pytest

from medaudit.records import CohortAudit, CohortFinding, CohortMeasurement, Severity
from medaudit.report.catalogue import find_catalogue
from medaudit.report.cohort_across import NEIGHBOURS_SHOWN, against_in_words
from medaudit.report.cohort_html import cohort_html
from medaudit.report.cohort_pdf import cohort_pdf
from medaudit.report.layout import Layout
from medaudit.report.plain import cohort_csv, cohort_json
from medaudit.report.write import read_cohort
from medaudit.store.audit_store import AuditStore

STUDIES, GROUP = 24, 10
SCHEMA = Path(__file__).parents[2] / "reports" / "schema" / "report.schema.json"


@pytest.fixture(scope="module")
def cohort(build, tmp_path_factory):
    """Of 24 studies the first ten have a finding and look alike."""
    subject = build.asked[0][0]
    shown = ("S-00", "S-01", "S-02")
    group = CohortMeasurement(
        "likeness", "closeness", 1.4, subject, "negation, similarity gap", GROUP, 14, (1.1, 1.7), 5e-5, 1e-4, shown
    )
    shared = CohortMeasurement(
        "likeness",
        "shared",
        0.6,
        subject,
        "PatientSex = F \u00b7 negation, similarity gap",
        GROUP,
        14,
        (0.3, 0.8),
        1e-4,
        1e-3,
    )
    found = CohortFinding(group, 0.5, Severity.NOTE, "They look alike.", "Not a cause.", "Look at them.")
    draw = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("groups") / "audit"
    with AuditStore.create(path, build.run) as store:
        for index in range(STUDIES):
            code, fails = f"S-{index:02}", index < GROUP
            vector = draw.normal(size=8) + (30 * np.eye(8)[0] if fails else 0)
            image = build.image(study=code, image=f"I-{index}", shape=(40, 32), findings=int(fails))
            image = replace(image, embedding=(vector / np.linalg.norm(vector)).astype(np.float32))
            study = build.study(image)
            store.save_study(replace(study, record=replace(study.record, study=code)), [])
        store.save_cohort_audit(CohortAudit(STUDIES, 0.01, (group, shared), (found,)))
        return read_cohort(store, path)


def test_the_pdf_shows_the_group_and_its_nearest(cohort):
    pages = [page.extract_text() for page in pypdf.PdfReader(BytesIO(cohort_pdf(cohort, Layout()))).pages]
    text = " ".join(" ".join(pages).split())
    assert "Shown best by S-00 \u00b7 S-01 \u00b7 S-02" in text
    assert "Nearest, with the finding too" in text
    assert f"{GROUP - NEIGHBOURS_SHOWN} more in the JSON and CSV forms." in text
    assert "Patient Sex: F \u00b7 negation, similarity gap" in text
    (key,) = cohort.exemplars
    assert [one.image.record.study for one in cohort.exemplars[key]] == ["S-00", "S-01", "S-02"]


def test_names_are_in_the_language_of_the_report(cohort):
    words = find_catalogue("de")
    assert against_in_words(words, "negation, absolute margin") == "Verneinung, Abstand (Betrag)"
    assert against_in_words(words, "chest drain \u00b7 negation, absolute margin").startswith("chest drain \u00b7 Vern")
    text = cohort_html(cohort, Layout(language="de"))
    assert "Nächste, auch mit der Auffälligkeit" in text


def test_html_names_the_nearest_of_every_study(cohort):
    page = cohort_html(cohort, Layout())
    table = page[page.index("Nearest, without it") :].partition("</table>")[0]
    assert table.count("<tr>") == GROUP
    assert "<td>\u2013" in table  # all the nearest of one in the group are of the group


def test_json_and_csv_hold_the_nearest_of_all_with_a_finding(cohort):
    text = cohort_json(cohort, Layout())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(json.loads(text))
    held = json.loads(text)["neighbours"]
    assert [kind["studies"] for kind in held["kinds"]] == [GROUP]
    assert [one["study"] for one in held["studies"]] == [f"S-{index:02}" for index in range(GROUP)]
    assert all(one["kinds"] == near["kinds"] == [0] for one in held["studies"] for near in one["nearest"])
    rows = [row for row in csv.DictReader(StringIO(cohort_csv(cohort))) if row["row"] == "neighbour"]
    assert len(rows) == GROUP * 5 * 2
    assert {row["value"] for row in rows if row["quantity"] == "findings in common"} == {"1"}
