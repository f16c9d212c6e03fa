"""FHIR R4: held against the published structure (by the models of fhir.resources) and against what FHIR itself asks."""

import json
from dataclasses import replace

import pytest
from fhir.resources.R4B.bundle import Bundle

from medaudit.errors import UsageError
from medaudit.records.review import Answer, Decision, Meaning, Reason, Review, SignedReview, Subject, Target
from medaudit.report.fhir import study_fhir
from medaudit.report.layout import Layout
from medaudit.report.write import Format, write_cohort_report, write_reports
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews

DIGEST = "ab" * 32


@pytest.fixture
def study(build):
    return build.study(build.image(shape=(80, 60)))


def signed(study, *answers, edition=1, digest=DIGEST, reader="a@example.org", conclusion=""):
    review = Review(study.record.study, reader, answers, (), conclusion)
    why = "a second look" if edition > 1 else ""
    return SignedReview(review, edition, "Dr A. Able", Meaning.REVIEW, "2026-03-02T10:00:00+00:00", digest, why)


def resources(text):
    """Resources by type, in order; every reference resolves within the Bundle, every address is there once."""
    bundle = json.loads(text)
    assert Bundle.model_validate(bundle).type == "collection"
    names = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(names)) == len(names)
    found = {}
    for entry in bundle["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    pointed = [one["reference"] for one in found["DiagnosticReport"][0]["result"]]
    pointed += [one["subject"]["reference"] for kind in ("DiagnosticReport", "Observation") for one in found[kind]]
    assert set(pointed) <= set(names)
    return found


def test_the_bundle_is_fhir_and_holds_every_number(build, study):
    text = study_fhir(build.run, study)
    assert text == study_fhir(build.run, study)
    found = resources(text)
    assert {kind: len(many) for kind, many in found.items() if kind != "Observation"} == {
        "DiagnosticReport": 1,
        "Device": 1,
    }
    (image,) = study.images
    assert len(found["Observation"]) == len(image.attributions) + len(image.measurements)
    cosines = [one for one in found["Observation"] if one["code"]["coding"][0]["code"] == "cosine"]
    for one, said in zip(image.attributions, cosines, strict=True):
        assert said["valueQuantity"]["value"] == pytest.approx(one.similarity, rel=1e-6)
        assert one.prompt.text in said["code"]["text"]
    raised = [one for one in found["Observation"] if "interpretation" in one]
    assert len(raised) == len(image.findings) > 0
    assert all(one["referenceRange"][0]["text"].startswith("threshold ") for one in raised)


def test_the_subject_is_the_model_and_nobody_is_in_it(build, study):
    found = resources(study_fhir(build.run, study))
    assert not {"Patient", "Practitioner", "ImagingStudy"} & found.keys()
    assert found["Device"][0]["deviceName"][0]["name"] == build.run.model.name
    assert "not about the patient" in found["DiagnosticReport"][0]["text"]["div"]
    assert study.record.elements
    for value in study.record.elements.values():  # not even what the audit keeps of the header
        assert value not in json.dumps(found) or len(value) < 3


def test_signed_upon_this_study_it_is_final_then_amended(build, study):
    target, on_map = Target(study.images[0].record.image, Subject.FINDING, 0), Subject.MAP
    answer = Answer(target, Decision.DISAGREE, Reason.DEVICE, "a <drain>")
    also = Answer(replace(target, subject=on_map), Decision.AGREE)
    for reviews, status in (
        ((), "preliminary"),
        ((signed(study, answer, digest="cd" * 32),), "preliminary"),  # signed upon another audit of this study
        ((signed(study, answer, also, conclusion="Not usable."),), "final"),
        ((signed(study, answer), signed(study, answer, edition=2)), "amended"),
    ):
        found = resources(study_fhir(build.run, study, reviews, DIGEST))
        (report,) = found["DiagnosticReport"]
        assert {one["status"] for one in (report, *found["Observation"])} == {status}
        assert ("issued" in report) == ("resultsInterpreter" in report) == (status != "preliminary")
        notes = [one["note"] for one in found["Observation"] if "note" in one]
        assert bool(notes) == (status != "preliminary")
    found = resources(study_fhir(build.run, study, (signed(study, answer, also, conclusion="Not usable."),), DIGEST))
    assert found["DiagnosticReport"][0]["conclusion"] == "Not usable."
    (raised, *_) = (one for one in found["Observation"] if "interpretation" in one)
    assert raised["note"] == [
        {"authorString": "Dr A. Able", "text": "disagree; it rests on a device, a marker or the border; a <drain>"}
    ]
    assert found["Observation"][0]["note"] == [{"authorString": "Dr A. Able", "text": "agree"}]


def test_hostile_text_stays_text(build, study):
    (image,) = study.images
    hostile = replace(image.findings[0], claim='</div><script>alert(1)</script>"')
    image = replace(image, findings=(hostile, *image.findings[1:]))
    (report,) = resources(study_fhir(build.run, replace(study, images=(image,))))["DiagnosticReport"]
    assert "<script>" not in report["text"]["div"]
    assert "&lt;script&gt;" in report["text"]["div"]


def test_a_study_without_findings_is_no_clearance(build, study):
    (image,) = study.images
    (report,) = resources(study_fhir(build.run, replace(study, images=(replace(image, findings=()),))))[
        "DiagnosticReport"
    ]
    assert "That is no clearance" in report["text"]["div"]


def test_files_and_the_review_of_the_audit_folder(build, study, tmp_path):
    with AuditStore.create(tmp_path / "audit", build.run) as store:
        store.save_study(study, [])
        code = study.record.study
        outcome = write_reports(store, form=Format.FHIR)
        assert [path.name for path in outcome.written] == [f"{code}.fhir.json"]
        assert resources(outcome.written[0].read_text())["DiagnosticReport"][0]["status"] == "preliminary"
        with open_reviews(store.folder) as reviews:
            draft = reviews.draft(code, "a@example.org")
            answer = Answer(Target(study.images[0].record.image, Subject.FINDING, 0), Decision.AGREE)
            saved = reviews.save(draft.review.with_answer(answer), draft.version)
            reviews.sign(
                code,
                "a@example.org",
                saved.version,
                printed_name="Dr A. Able",
                meaning=Meaning.REVIEW,
                record_sha256=store.study_digest(code),
                credential_kind="login",
            )
        text = write_reports(store, form=Format.FHIR).written[0].read_text()
        assert resources(text)["DiagnosticReport"][0]["status"] == "final"
        assert "a@example.org" not in text
        with pytest.raises(UsageError, match="format fhir"):
            write_cohort_report(store, Layout(), tmp_path, Format.FHIR)
