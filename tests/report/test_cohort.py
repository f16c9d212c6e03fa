"""The report of all studies: its facts against slower counts, its pages, and its links."""

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from io import BytesIO
from itertools import combinations

import pypdf
import pytest

from medaudit.records import FileFate, FileRecord, PromptKind
from medaudit.records.review import Answer, Decision, Meaning, Review, SignedReview, Subject, Target
from medaudit.report.cohort import exclusions
from medaudit.report.cohort_pdf import cohort_pdf
from medaudit.report.layout import CohortSection, Layout
from medaudit.report.style import MARGIN
from medaudit.report.write import read_cohort
from medaudit.store.audit_store import AuditStore

_FILES = (
    *(FileRecord(f"F-{i}", f"{i}.dcm", FileFate.AUDITED, study=f"S-{i:02}") for i in range(24)),
    FileRecord("F-a", "a.txt", FileFate.NOT_DICOM, "no DICOM preamble"),
    FileRecord("F-b", "b.dcm", FileFate.FAILED, "install a decoder", stage="read", error="DecodeError"),
    FileRecord("F-c", "c.dcm", FileFate.FAILED, "install a decoder", stage="read", error="DecodeError"),
    FileRecord("F-d", "d.dcm", FileFate.NOT_CHOSEN, "ViewPosition LL is not among PA, AP"),
)


@pytest.fixture(scope="module")
def folder(build, tmp_path_factory):
    """24 small studies; the twelve of women score 0.2 higher on the first prompt."""
    path = tmp_path_factory.mktemp("cohort") / "audit"
    with AuditStore.create(path, build.run) as store:
        for index in range(24):
            sex, view = "FM"[index % 2], ("PA", "AP")[index % 3 == 0]
            shift = (0.2 if sex == "F" else 0.0) + 0.001 * index
            (first, kind, finding, similarity, peak), *others = build.asked
            asked = ((first, kind, finding, similarity + shift, peak), *others)
            code = f"S-{index:02}"
            image = build.image(study=code, image=f"I-{index}", shape=(40, 32), asked=asked)
            plain = build.image(shape=(40, 32))
            image = replace(image, measurements=plain.measurements, findings=plain.findings[: index % 3])
            study = build.study(
                image, elements={"PatientSex": sex, "ViewPosition": view, "AgeBand": f"{index}0-{index}9"}
            )
            store.save_study(replace(study, record=replace(study.record, study=code)), [])
        store.save_files(_FILES)
    return path


@pytest.fixture(scope="module")
def cohort(folder, tmp_path_factory):
    beside = tmp_path_factory.mktemp("reports")
    for code in ("S-02", "S-03"):
        (beside / f"{code}.pdf").write_bytes(b"")
    with AuditStore.open(folder) as store:
        return read_cohort(store, beside)


@pytest.fixture(scope="module")
def document(cohort):
    return cohort_pdf(cohort, Layout(institution="City Hospital"))


@pytest.fixture(scope="module")
def pages(document):
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(BytesIO(document)).pages]


def test_facts_are_those_of_a_slower_count(cohort, build):
    assert cohort.images == 24
    assert len(cohort.prompts) == len(build.asked)
    assert {kind.check: (len(kind.found), len(kind.measured), kind.studies) for kind in cohort.kinds} == {
        "negation": (16, 48, 16),
        "prompt_control": (8, 24, 8),
    }
    assert [kind.severity.value for kind in cohort.kinds] == ["warning", "caution"]
    margins = cohort.margins(cohort.finding_prompts[0], PromptKind.NEGATED)
    assert margins["S-01", "I-1"] == pytest.approx(0.412 + 0.001 - 0.405)
    assert margins["S-02", "I-2"] == pytest.approx(0.412 + 0.202 - 0.405)


def test_groups_differ_where_they_were_made_to(cohort):
    groups = cohort.groups("PatientSex", 10)
    first = [one for one in groups if one.prompt == cohort.finding_prompts[0].text]
    assert [(one.name, one.mean.count) for one in first] == [("F", 12), ("M", 12)]
    assert first[0].difference.value == pytest.approx(0.2 - 0.001)
    assert first[0].difference.excludes(0)
    assert not any(one.difference.excludes(0) for one in groups if one not in first)
    assert cohort.groups("AgeBand", 10) == ()
    assert [one.name for one in cohort.groups("ViewPosition", 10)] == []  # 8 AP are too few, and PA alone is no group


def test_reasons_are_counted_and_name_no_file(cohort):
    assert cohort.exclusions == exclusions(_FILES)
    assert [(one.fate, one.files) for one in cohort.exclusions] == [
        (FileFate.FAILED, 2),
        (FileFate.NOT_DICOM, 1),
        (FileFate.NOT_CHOSEN, 1),
    ]


def test_the_first_page_says_what_was_found(pages):
    for text in (
        "City Hospital",
        "24 studies, 24 images",
        "24 findings in 120 measurements, in 16 of 24 studies",
        "Warning prompt control, map correlation",
        "beyond 0.8 in 8 of 24 measurements, in 8 of 24 studies",
        "28 files found",
        "1 file: not DICOM",
        "27 files that could be used",
        "2 files: failed",
        "24 images audited in 24 studies",
    ):
        assert text in pages[0], text


def test_groups_are_a_disparity_and_never_more(pages):
    text = " ".join(pages)
    assert "A difference between groups is a disparity." in text
    assert "Groups of fewer than 10 studies are not shown." in text
    assert re.search(r"pleural effusion F 12 [\d.]+ \+0\.199", text)
    assert "Age band" not in text.split("Groups of studies")[-1].split("What this does not show")[0]
    assert "bias" not in text.replace("bias, with labels", "")


def test_every_framework_is_in_the_crosswalk(pages):
    text = " ".join(pages)
    for name in ("CLAIM", "DECIDE-AI", "FUTURE-AI", "Medical Algorithmic Audit", "Needs a person"):
        assert name in text


def test_codes_open_the_reports_that_lie_beside_and_no_others(document):
    reader = pypdf.PdfReader(BytesIO(document))
    numbers = {page.indirect_reference.idnum for page in reader.pages}
    targets, inner = Counter(), set()
    for page in reader.pages:
        for annotation in page.get("/Annots", []):
            action = annotation.get_object().get("/A")
            if action is not None and action["/S"] == "/GoToR":
                targets[str(action["/F"])] += 1
            elif annotation.get_object().get("/Dest") is not None:
                inner.add(annotation.get_object()["/Dest"][0].idnum)
    assert set(targets) == {"S-02.pdf", "S-03.pdf"}
    assert inner
    assert inner <= numbers


def test_sections_are_in_the_outline(document):
    titles = [entry.title for entry in pypdf.PdfReader(BytesIO(document)).outline if not isinstance(entry, list)]
    assert titles[0] == "Summary"
    assert titles[-1] == "Studies"
    without = {CohortSection.READERS, CohortSection.ACROSS}  # nobody has signed anything, nothing was measured across
    assert len(titles) == len(set(CohortSection) - without)


def test_the_same_store_gives_the_same_bytes(folder, cohort, document):
    with AuditStore.open(folder) as store:
        again = replace(read_cohort(store, folder), documents=cohort.documents)
    assert cohort_pdf(again, Layout(institution="City Hospital")) == document


def test_what_is_not_there_is_left_out(cohort):
    bare = replace(cohort, rows=replace(cohort.rows, measurements=(), findings=()), fates={}, exclusions=())
    reader = pypdf.PdfReader(BytesIO(cohort_pdf(bare, Layout())))
    text = " ".join(page.extract_text() for page in reader.pages)
    assert "No measurement was made." in text
    assert "Checks Every" not in " ".join(text.split())
    assert "Findings, ranked" not in [entry.title for entry in reader.outline]


def test_layout_chooses_the_sections(cohort):
    layout = Layout(cohort_sections=(CohortSection.STUDIES, CohortSection.SUMMARY))
    reader = pypdf.PdfReader(BytesIO(cohort_pdf(cohort, layout)))
    assert [entry.title for entry in reader.outline] == ["Studies", "Summary"]


def test_the_file_is_sound(document, tmp_path):
    if shutil.which("qpdf") is None:
        pytest.skip("qpdf is not installed")
    path = tmp_path / "cohort.pdf"
    path.write_bytes(document)
    done = subprocess.run(["qpdf", "--check", path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No syntax or stream encoding errors" in done.stdout


_WORD = re.compile(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>')


@pytest.mark.parametrize(("language", "page_size"), [("en", "A4"), ("de", "Letter")])
def test_nothing_overlaps_or_leaves_the_page(cohort, language, page_size, tmp_path):
    """Long prompts, long names of models, devices and reasons; fifty reasons; one study without images."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler) is not installed")
    text = "Findings suggesting a small right-sided pleural effusion with passive atelectasis " * 3
    rows = replace(
        cohort.rows,
        scores=tuple(
            replace(one, prompt=replace(one.prompt, text=one.prompt.text + text)) for one in cohort.rows.scores
        ),
    )
    reasons = tuple(replace(cohort.exclusions[0], reason=f"{index} {'reason ' * 40}") for index in range(50))
    studies = tuple(
        replace(one, elements={**one.elements, "Manufacturer": "M" * 64, "ManufacturerModelName": "word " * 12})
        for one in cohort.studies
    )
    model = replace(cohort.run.model, name="m" * 120, notes=("note " * 300,))
    signed = tuple(
        SignedReview(
            Review(f"S-{study:02}", f"{reader}", (Answer(Target(f"I-{study}", Subject.FINDING, 0), Decision.AGREE),)),
            *(1, "Dr N", Meaning.REVIEW, "now", "0"),
        )
        for study in range(1, 24, 2)
        for reader in range(8)
    )
    run = replace(cohort.run, model=model)
    hard = replace(cohort, rows=rows, exclusions=reasons, studies=studies, run=run, signed=signed)
    path = tmp_path / "cohort.pdf"
    path.write_bytes(cohort_pdf(hard, Layout(language=language, page_size=page_size, institution="W" * 80)))
    boxes = subprocess.run(["pdftotext", "-bbox", path, "-"], check=True, capture_output=True, text=True).stdout
    for page in boxes.split("<page ")[1:]:
        width, height = (float(one) for one in re.findall(r'(?:width|height)="([\d.]+)"', page)[:2])
        words = [(*map(float, match[:4]), match[4]) for match in _WORD.findall(page)]
        assert len(words) > 20
        assert min(word[0] for word in words) >= MARGIN - 0.5
        assert max(word[2] for word in words) <= width - MARGIN + 0.5
        assert min(word[1] for word in words) > 20
        assert max(word[3] for word in words) < height - 20
        for one, other in combinations(words, 2):
            across = min(one[2], other[2]) - max(one[0], other[0])
            down = min(one[3], other[3]) - max(one[1], other[1])
            assert across < 1 or down < 1.5, (one, other)
