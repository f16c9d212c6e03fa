from dataclasses import replace

import pytest

from medaudit.errors import LayoutError
from medaudit.report import write
from medaudit.report.layout import Layout
from medaudit.report.study_pdf import study_pdf
from medaudit.report.write import write_reports, write_study_report
from medaudit.store.audit_store import AuditStore


@pytest.fixture
def store(build, tmp_path):
    with AuditStore.create(tmp_path / "audit", build.run) as store:
        for code in ("S-1", "S-2", "S-3"):
            image = build.image(study=code, image=f"I-{code}", shape=(80, 60), asked=build.asked[:2])
            study = build.study(image)
            store.save_study(replace(study, record=replace(study.record, study=code)), [])
        yield store


def test_a_report_a_study_is_written(store, build):
    seen = []
    outcome = write_reports(store, on_study=seen.append)
    assert seen[-1] == "cohort"
    assert sorted(seen[:-1]) == ["S-1", "S-2", "S-3"]
    assert outcome.failed == ()
    assert sorted(path.name for path in outcome.written) == ["S-1.pdf", "S-2.pdf", "S-3.pdf", "cohort.pdf"]
    assert {path.parent for path in outcome.written} == {store.folder / "reports"}
    expected = study_pdf(store.run(), store.study("S-2"), Layout())
    assert (store.folder / "reports" / "S-2.pdf").read_bytes() == expected
    assert not list((store.folder / "reports").glob("*.tmp"))


def test_a_study_that_fails_is_reported_and_the_rest_is_made(store):
    (store.folder / "arrays" / "S-2" / "I-S-2.npz").unlink()
    outcome = write_reports(store)
    assert sorted(path.stem for path in outcome.written) == ["S-1", "S-3", "cohort"]
    ((code, error, message),) = outcome.failed
    assert (code, error) == ("S-2", "StoreError")
    assert "I-S-2" in message


def test_an_unknown_study_is_a_failure_of_its_own(store):
    outcome = write_reports(store, studies=["S-9", "S-1"])
    assert [path.stem for path in outcome.written] == ["S-1"]
    assert outcome.failed[0][:2] == ("S-9", "StoreError")


def test_a_folder_that_cannot_be_written_is_said_without_its_path(store):
    (store.folder / "reports").write_text("in the way")
    outcome = write_reports(store, studies=["S-1"])
    ((_, error, message),) = outcome.failed
    assert error == "FileExistsError"
    assert message.startswith("reports/ cannot be written")
    assert str(store.folder.parent) not in message


def test_a_page_that_does_not_fit_never_quotes_its_text(store, monkeypatch):
    def too_large(*arguments):
        msg = "Flowable <Paragraph> 'DOE^JANE' too large on page 1"
        raise write.PageError(msg)

    monkeypatch.setattr(write, "study_pdf", too_large)
    ((_, error, message),) = write_reports(store, studies=["S-1"]).failed
    assert error == "PageError"
    assert "DOE" not in message


def test_a_layout_that_is_not_there_stops_before_anything_is_written(store):
    with pytest.raises(LayoutError, match="no such layout"):
        write_reports(store, layout_name="no-such-layout")
    assert not (store.folder / "reports").exists()


def test_writing_again_replaces_the_file_whole(store, tmp_path):
    first = write_study_report(store, "S-1", Layout(), tmp_path / "out")
    before = first.read_bytes()
    again = write_study_report(store, "S-1", Layout(page_size="Letter"), tmp_path / "out")
    assert again == first
    assert again.read_bytes() != before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["S-1.pdf"]
