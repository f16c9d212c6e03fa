"""The main job end to end: on fabricated radiographs, through failures, kills and resumes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medaudit.errors import InputError, ModelError, StoreError, UsageError
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import KEY_FILE, AuditRequest, run_audit
from medaudit.records import FileFate
from medaudit.store.audit_store import AuditStore


class Quiet:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.plan, self.done, self.told = (0, 0), [], []

    def phase(self, text):
        pass

    def scanned(self, files):
        pass

    def planned(self, studies, finished):
        self.plan = (studies, finished)

    def estimated(self, text):
        self.told.append(text)

    def study_done(self, store, code, *, audited):
        self.done.append((code, audited))


@pytest.fixture
def studies(tmp_path, write_radiograph) -> Path:
    """Four studies: one with two images, one whose pixels are broken; and two files that are none."""
    folder = tmp_path / "studies"
    for seed in range(3):
        write_radiograph(folder / f"{seed}" / "image.dcm", seed)
    write_radiograph(folder / "2" / "second.dcm", 20, study=2)
    broken = write_radiograph(folder / "3" / "broken.dcm", 3)
    broken.write_bytes(broken.read_bytes()[:-5000])
    (folder / "readme.txt").write_text("not DICOM")
    write_radiograph(folder / "lateral.dcm", 30, ViewPosition="LL")
    return folder


@pytest.fixture
def request_for(studies, tmp_path, pipeline_file, random_clip):
    def build(name="audit", **changes):
        values = {
            "source": studies,
            "folder": tmp_path / name,
            "pipeline": load_pipeline(str(pipeline_file)),
            "model_folder": random_clip,
        }
        folder = values["folder"]
        folder.mkdir(exist_ok=True)
        # The codes of two audits agree only under one key.
        (folder / KEY_FILE).write_bytes(bytes(range(32)))
        (folder / KEY_FILE).chmod(0o600)
        return AuditRequest(**values | changes)

    return build


def digest(folder):
    with AuditStore.open(folder) as store:
        return store.digest()


def test_every_study_is_audited_and_every_file_accounted_for(request_for, studies):
    request, observer = request_for(), Quiet()
    summary = run_audit(request, observer)
    assert (len(summary.audited), len(summary.failed), summary.pending) == (3, 1, 0)
    assert observer.plan == (4, 0)
    assert summary.fates == {"audited": 4, "failed": 1, "not DICOM": 1, "not chosen": 1}
    (failure,) = summary.failures
    assert (failure.path, failure.stage, failure.error) == ("3/broken.dcm", "read", "DecodeError")
    with AuditStore.open(request.folder) as store:
        assert {file.path for file in store.files()} == {
            str(path.relative_to(studies)) for path in studies.rglob("*") if path.is_file()
        }
        images = [image for code in summary.audited for image in store.study(code).images]
    assert len(images) == 4
    for image in images:
        assert len(image.attributions) == 5
        checks = [one.check for one in image.measurements]
        assert (checks.count("prompt_control"), checks.count("negation")) == (2, 2)
        assert set(checks) <= {"prompt_control", "negation", "regions"}  # what maps alone tell
        projected = image.attributions[0].image.pixels()
        assert projected.shape == (96, 80)
        # The model's centre crop loses 8 rows at either end.
        assert np.isnan(projected[:8]).all()
        assert not np.isnan(projected[9:-9]).any()


def test_deep_checks_reach_the_store_and_their_cost_is_told_before(
    request_for, tmp_path, pipeline_file, write_radiograph
):
    pipeline_file.write_text(pipeline_file.read_text().replace("checks: maps", "checks: full"))
    write_radiograph(tmp_path / "one" / "image.dcm", 1)
    request, observer = request_for(source=tmp_path / "one", pipeline=load_pipeline(str(pipeline_file))), Quiet()
    summary = run_audit(request, observer)
    (told,) = observer.told
    assert "checks (full): up to" in told
    assert "18 more maps beside the 5 that are asked for" in told
    with AuditStore.open(request.folder) as store:
        (image,) = store.study(summary.audited[0]).images
        assert store.run().environment["checks"] == "full"
    measured = {f"{one.check}.{one.quantity}" for one in image.measurements}
    assert {
        "stability.seed_rank_correlation",
        "regions.inserted_change",
        "negation.absolute_margin",
        "randomisation.all_blocks_rank_correlation",
    } <= measured


def test_nothing_identifying_reaches_the_audit_folder(request_for):
    request = request_for()
    run_audit(request, Quiet())
    for path in request.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (b"Secret", b"HIDDEN-77", b"19500102", b"20200304", b"1.2.826.0.1"):
                assert secret not in content, f"{secret!r} in {path.name}"


def test_identifiers_are_kept_when_the_site_asks(request_for):
    request = request_for(keep_identifiers=True)
    summary = run_audit(request, Quiet())
    with AuditStore.open(request.folder) as store:
        assert store.run().keeps_identifiers
        assert store.study_record(summary.audited[0]).elements["PatientID"] == "HIDDEN-77"


def test_the_same_request_gives_the_same_store_and_another_seed_another(request_for):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        run_audit(request_for(name, seed=seed), Quiet())
    base = request_for("one").folder.parent
    assert digest(base / "one") == digest(base / "two") != digest(base / "other")


def test_a_limit_leaves_the_rest_pending_and_a_resume_ends_where_one_run_would(request_for):
    whole, parts = request_for("whole"), request_for("parts", limit=1)
    run_audit(whole, Quiet())
    first = run_audit(parts, Quiet())
    assert (len(first.audited), first.pending) == (1, 3)
    with AuditStore.open(parts.folder) as store:
        assert len(store.files(FileFate.PENDING)) == 4
    rest = request_for("parts", resume=True)
    second = run_audit(rest, Quiet())
    assert (len(second.audited), second.resumed, second.pending) == (2, 1, 0)
    assert digest(whole.folder) == digest(parts.folder)


def test_an_audit_is_not_overwritten_nor_mixed_with_another(request_for):
    run_audit(request_for(limit=1), Quiet())
    with pytest.raises(StoreError, match="--resume"):
        run_audit(request_for(), Quiet())
    with pytest.raises(UsageError, match=r"another seed \(0 then, 5 now\)"):
        run_audit(request_for(resume=True, seed=5), Quiet())


@pytest.mark.parametrize("change", ["row", "gone"])
def test_a_resume_notices_that_a_table_beside_the_images_changed(request_for, studies, change):
    manifest = studies / "manifest.csv"
    manifest.write_text("path,sex\nreadme.png,F\n")
    request = request_for(limit=1)
    run_audit(request, Quiet())
    run_audit(request_for(limit=1, resume=True), Quiet())  # the same table is no other audit
    if change == "row":
        manifest.write_text("path,sex\nreadme.png,M\n")
    else:
        manifest.unlink()
    now = r"sha256 [0-9a-f]{16}" if change == "row" else "none"
    with pytest.raises(UsageError, match=rf"another manifest \(sha256 [0-9a-f]{{16}} then, {now} now\); give the same"):
        run_audit(request_for(resume=True), Quiet())


def test_headers_that_disagree_are_told_by_codes_alone(request_for, studies, write_radiograph):
    write_radiograph(studies / "2" / "stranger.dcm", 21, study=2, PatientID="SECRET-1", PatientSex="M")
    write_radiograph(studies / "2" / "friend.dcm", 22, study=2, PatientSex="F")
    request = request_for(limit=1)
    summary = run_audit(request, Quiet())
    by_kind = {one.kind: one for one in summary.contradictions}
    assert set(by_kind) == {"patient ID", "sex"}
    patient = by_kind["patient ID"]
    assert patient.words == "conflict: files of one study name 2 different Patient IDs (0010,0020)"
    assert "ask the archive" in patient.remedy
    with AuditStore.open(request.folder) as store:
        waiting = {file.path: file.study for file in store.files()}
    assert patient.studies == (waiting["2/stranger.dcm"],)
    assert "SECRET" not in repr(summary)


def test_an_audit_folder_inside_its_input_is_refused(request_for, studies):
    with pytest.raises(UsageError, match="lies inside INPUT"):
        run_audit(request_for(folder=studies / "audit"), Quiet())
    assert not (studies / "audit" / "audit.sqlite").exists()


def test_a_lost_key_is_noticed(request_for):
    run_audit(request_for(limit=1), Quiet())
    request = request_for(resume=True)
    (request.folder / KEY_FILE).unlink()
    with pytest.raises(StoreError, match=r"pseudonym\.key is gone"):
        run_audit(request, Quiet())


def test_a_device_that_is_not_here_is_refused(request_for):
    with pytest.raises(UsageError, match="--device"):
        run_audit(request_for(device="cuda:7"), Quiet())


def test_images_without_a_sop_instance_uid_are_told_apart(request_for, tmp_path, write_radiograph):
    for seed in (1, 2):
        path = write_radiograph(tmp_path / "bare" / f"{seed}.dcm", seed, study=1)
        ds = pydicom.dcmread(path)
        del ds.SOPInstanceUID
        ds.save_as(path)
    request = request_for(source=tmp_path / "bare")
    summary = run_audit(request, Quiet())
    assert summary.fates == {"audited": 2}
    with AuditStore.open(request.folder) as store:
        one, two = store.study(summary.audited[0]).images
    assert one.record.image != two.record.image


def test_a_prompt_that_the_model_cannot_read_is_refused_before_anything_is_written(request_for, pipeline_file):
    pipeline_file.write_text(pipeline_file.read_text().replace("a bowl of fruit", "fruit " * 60))
    request = request_for(pipeline=load_pipeline(str(pipeline_file)))
    with pytest.raises(ModelError, match="reads 256"):
        run_audit(request, Quiet())
    assert not AuditStore.exists(request.folder)


def test_report_sentences_become_prompts(request_for, studies, tmp_path, pipeline_file):
    pipeline_file.write_text(pipeline_file.read_text() + "report_text: {sources: [sidecar]}\n")
    uid = pydicom.dcmread(studies / "0" / "image.dcm", stop_before_pixels=True).StudyInstanceUID
    sidecar = tmp_path / "reports.csv"
    sidecar.write_text(f'StudyInstanceUID,report\n{uid},"No effusion. Heart size is normal. {"Very " * 80}long."\n')
    request = request_for(pipeline=load_pipeline(str(pipeline_file)), sidecar=sidecar)
    summary = run_audit(request, Quiet())
    with AuditStore.open(request.folder) as store:
        (image,) = store.study(summary.audited[0]).images
        texts = [item.prompt.text for item in image.attributions if item.prompt.kind == "report"]
    assert texts == ["No effusion.", "Heart size is normal."]
    assert any("81 words" in note for note in image.record.notes)


def test_a_sidecar_may_name_studies_by_accession_number(request_for, tmp_path, pipeline_file, write_radiograph):
    pipeline_file.write_text(pipeline_file.read_text() + "report_text: {sources: [sidecar]}\n")
    write_radiograph(tmp_path / "one" / "image.dcm", 1, AccessionNumber="ACC-9")
    sidecar = tmp_path / "reports.csv"
    sidecar.write_text("AccessionNumber,report\nACC-9,No effusion.\nACC-10,Somebody else.\n")
    request = request_for(source=tmp_path / "one", pipeline=load_pipeline(str(pipeline_file)), sidecar=sidecar)
    summary = run_audit(request, Quiet())
    assert summary.unmatched_texts == 1
    with AuditStore.open(request.folder) as store:
        (image,) = store.study(summary.audited[0]).images
    assert [item.prompt.text for item in image.attributions if item.prompt.kind == "report"] == ["No effusion."]
    assert b"ACC-9" not in b"".join(path.read_bytes() for path in request.folder.rglob("*") if path.is_file())


def test_a_table_that_cannot_be_read_leaves_no_audit_behind(request_for, tmp_path, pipeline_file):
    pipeline_file.write_text(pipeline_file.read_text() + "report_text: {sources: [sidecar]}\n")
    (tmp_path / "r.csv").write_text("patient,words\n")
    request = request_for(pipeline=load_pipeline(str(pipeline_file)), sidecar=tmp_path / "r.csv")
    with pytest.raises(InputError, match="StudyInstanceUID or AccessionNumber"):
        run_audit(request, Quiet())
    assert not AuditStore.exists(request.folder)


def test_a_sidecar_and_its_pipeline_belong_together(request_for, tmp_path):
    (tmp_path / "r.csv").write_text("StudyInstanceUID,report\n")
    with pytest.raises(UsageError, match="does not list sidecar"):
        run_audit(request_for(sidecar=tmp_path / "r.csv"), Quiet())


KILLER = """
import os, signal, sys
from pathlib import Path
import medaudit.store.audit_store as target
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import AuditRequest, run_audit

name, call, when = {function!r}, {call}, {when!r}
original, calls = getattr(target, name), 0

def dying(*arguments):
    global calls
    calls += 1
    if calls == call and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments)
    if calls == call:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(target, name, dying)

class Quiet:
    def phase(self, text): pass
    def scanned(self, files): pass
    def planned(self, studies, finished): pass
    def estimated(self, text): pass
    def study_done(self, store, code, *, audited): pass

source, folder, model = Path({source!r}), Path({folder!r}), Path({model!r})
run_audit(AuditRequest(source, folder, load_pipeline({pipeline!r}), model, resume=True), Quiet())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_any_instant_and_resumed_the_store_is_that_of_an_undisturbed_run(
    request_for, studies, pipeline_file, random_clip
):
    undisturbed, killed = request_for("undisturbed"), request_for("killed")
    run_audit(undisturbed, Quiet())
    # Before the first study's rows, inside the second study's transaction, and between the two images of the third.
    for function, call, when in (
        ("write_arrays", 1, "after"),
        ("_write_study", 2, "after"),
        ("write_arrays", 2, "before"),
    ):
        script = KILLER.format(
            function=function,
            call=call,
            when=when,
            source=str(studies),
            folder=str(killed.folder),
            pipeline=str(pipeline_file),
            model=str(random_clip),
        )
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}
        ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
        with AuditStore.open(killed.folder) as store:
            for code in store.finished():
                assert store.study(code).images
    summary = run_audit(request_for("killed", resume=True), Quiet())
    assert summary.pending == 0
    assert digest(undisturbed.folder) == digest(killed.folder)


def test_windows_give_pictures_of_their_own_and_slices_say_where_they_lie(
    tmp_path, write_radiograph, pipeline_file, random_clip
):
    folder = tmp_path / "ct"
    for seed in range(5):
        write_radiograph(
            folder / f"{seed}.dcm",
            seed,
            study=1,
            Modality="CT",
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, -3 * seed],
        )
    text = pipeline_file.read_text().replace("modalities: [DX]", "modalities: [CT], slices: middle")
    pipeline_file.write_text(text + "display: {voi: windows, windows: [lung, bone]}\n")
    request = AuditRequest(folder, tmp_path / "out", load_pipeline(str(pipeline_file)), random_clip)
    summary = run_audit(request, Quiet())
    with AuditStore.open(tmp_path / "out") as store:
        images = store.study(summary.audited[0]).images
        assert [image.record.display.rsplit(" ", 1)[-1] for image in images] == ["(lung)", "(bone)"]
        assert len({image.record.image for image in images}) == 2
        assert "slice 3 of 5 by place, the middle" in images[0].record.notes
        fates = [file.fate for file in store.files()]
    assert fates.count(FileFate.AUDITED) == 1
    assert fates.count(FileFate.NOT_CHOSEN) == 4
