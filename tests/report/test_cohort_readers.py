from dataclasses import replace
from io import BytesIO

import pypdf
import pytest

from medaudit.records.review import Answer, Decision, Meaning, Review, SignedReview, Subject, Target
from medaudit.report.cohort_pdf import cohort_pdf
from medaudit.report.layout import Layout
from medaudit.report.write import read_cohort, write_reports
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews

YES, NO, UNSURE = Decision.AGREE, Decision.DISAGREE, Decision.UNSURE
FIRST, SECOND = "anna.able@example.org", "bert.baker@example.org"


@pytest.fixture
def store(build, tmp_path):
    """An audit of three studies with two findings each: prompt control and negation."""
    with AuditStore.create(tmp_path / "audit", build.run) as store:
        for code in ("S-1", "S-2", "S-3"):
            image = build.image(study=code, image="I-1", shape=(80, 60), asked=build.asked[:4])
            plain = build.image(shape=(80, 60))
            image = replace(image, measurements=plain.measurements, findings=plain.findings[:2])
            study = build.study(image)
            store.save_study(replace(study, record=replace(study.record, study=code)), [])
        yield store


def signed(study, reader, *answers):
    made = tuple(Answer(Target("I-1", subject, place), decision) for subject, place, decision in answers)
    return SignedReview(Review(study, reader, made), 1, f"Dr {reader}", Meaning.REVIEW, "2026-03-01T09:30:00", "0" * 64)


FINDING, MAP = Subject.FINDING, Subject.MAP
SIGNED = (
    signed("S-1", FIRST, (FINDING, 0, YES), (FINDING, 1, NO), (MAP, 0, YES)),
    signed("S-1", SECOND, (FINDING, 0, YES), (FINDING, 1, YES), (MAP, 0, UNSURE)),
    signed("S-2", FIRST, (FINDING, 0, NO), (FINDING, 1, NO)),
    signed("S-2", SECOND, (FINDING, 0, NO), (FINDING, 1, NO)),
    signed("S-3", SECOND, (FINDING, 0, UNSURE), (FINDING, 9, NO)),
)


def text_of(document):
    return " ".join("\n".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(document)).pages).split())


def test_decisions_and_agreement_by_kind_of_finding(store, tmp_path):
    cohort = replace(read_cohort(store, tmp_path), signed=SIGNED)
    document = cohort_pdf(cohort, Layout())
    assert document == cohort_pdf(cohort, Layout())
    text = text_of(document)
    assert "the latest edition of each: 2 readers by letter, 3 studies" in text
    kinds = sorted({(one.finding.measurement.check, one.finding.measurement.quantity) for one in cohort.rows.findings})
    assert len(kinds) == 2
    # agree, disagree, unsure: of the first finding 2, 2, 1; of the second 1, 3, 0; of maps 1, 0, 1
    for row in ("2 2 1", "1 3 0", "map of a prompt 1 0 1", "a finding that this audit no longer holds 0 1 0"):
        assert row in text
    # 3 of 5 equal; by hand: chance = (2*2 + 3*2 + 0*1) / 25 = 0.4, kappa = (0.6 - 0.4) / 0.6
    assert "All A \u00b7 B 5 60 % 0.33" in text
    assert "map of a prompt A \u00b7 B 1 0 % 0.00" in text


def test_nobody_is_named(store, tmp_path):
    document = cohort_pdf(replace(read_cohort(store, tmp_path), signed=SIGNED), Layout())
    text = text_of(document)
    for word in ("anna", "able", "bert", "baker", "example.org", "Dr "):
        assert word not in text


@pytest.mark.parametrize(("kept", "says"), [(SIGNED[:1], "No two readers have signed"), ((), None)])
def test_one_reader_agrees_with_nobody_and_none_is_left_out(store, tmp_path, kept, says):
    text = text_of(cohort_pdf(replace(read_cohort(store, tmp_path), signed=kept), Layout()))
    assert ("What readers decided" in text) == bool(kept)
    if says:
        assert says in text
        assert "Cohen" not in text


def test_only_what_is_signed_in_the_audit_folder_counts(store):
    with open_reviews(store.folder) as reviews:
        draft = reviews.draft("S-1", FIRST)
        answer = Answer(Target("I-1", FINDING, 0), YES)
        saved = reviews.save(draft.review.with_answer(answer), draft.version)
        assert "What readers decided" not in text_of(write_reports(store).written[-1].read_bytes())
        reviews.sign(
            "S-1",
            FIRST,
            saved.version,
            printed_name="Dr A. Able",
            meaning=Meaning.REVIEW,
            record_sha256=store.study_digest("S-1"),
            credential_kind="login",
        )
    assert "What readers decided" in text_of(write_reports(store).written[-1].read_bytes())
