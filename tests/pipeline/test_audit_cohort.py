"""From a folder of studies and their reports to what only all of them show, through every stage."""

import csv

import numpy as np
import pytest

from medaudit.errors import StoreError
from medaudit.pipeline.audit_cohort import compare_studies
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import AuditRequest, run_audit
from medaudit.store.audit_store import AuditStore

STUDIES, SMALLEST = 16, 6
PIPELINE = """\
version: 1
name: cohort-test
title: Cohort
images: {modalities: [DX], min_side: 16}
prompts:
  findings: [effusion]
  templates: ["radiograph with {finding}"]
  controls: ["photograph of fruit"]
report_text: {sources: [sidecar], max_sentences: 1}
attribution: {method: maskclip}
checks: maps
cohort:
  mentions: {chest drain: [drain]}
  smallest: 6
  level: 0.05
thresholds:
  shortcut.difference: {limit: 1.0, severity: warning}
"""


class Silent:
    def __getattr__(self, _name):
        return lambda *_arguments, **_named: None


@pytest.fixture(scope="module")
def pictures():
    """Half of the pictures have a bright bar, which any model's embedding follows."""
    draw = np.random.default_rng(3)
    found = draw.integers(300, 900, size=(STUDIES, 64, 64)).astype(np.uint16)
    found[: STUDIES // 2, 20:44, :] = 4000
    return found


@pytest.fixture
def audited(tmp_path, write_radiograph, random_clip, pictures):
    """``audited(told)``: an audit of the pictures; ``told(index)`` is whether the report tells of a drain."""

    def run(told, name="audit"):
        for index, pixels in enumerate(pictures):
            write_radiograph(tmp_path / "in" / f"{index}.dcm", index, pixels=pixels, AccessionNumber=f"A-{index}")
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(("AccessionNumber", "report"))
            table.writerows(
                (f"A-{index}", f"FINDINGS: {'Drain in place' if told(index) else 'Lungs are clear'}. No effusion.")
                for index in range(STUDIES)
            )
        (tmp_path / "cohort.yaml").write_text(PIPELINE)
        request = AuditRequest(
            source=tmp_path / "in",
            folder=tmp_path / name,
            pipeline=load_pipeline(str(tmp_path / "cohort.yaml")),
            model_folder=random_clip,
            sidecar=tmp_path / f"{name}.csv",
        )
        return request.folder, run_audit(request, Silent())

    return run


def test_a_feature_that_moves_the_score_is_found_and_kept(audited, tmp_path):
    folder, summary = audited(lambda index: index < STUDIES // 2)
    drains = [one for one in summary.cohort.measurements if one.against == "chest drain"]
    assert [(one.check, one.count, one.others) for one in drains] == [("shortcut", 8, 8)]
    assert abs(drains[0].value) > 1
    assert drains[0].q < 0.05
    with AuditStore.open(folder) as store:
        assert store.cohort_audit() == summary.cohort
        material, codes = store.cohort_material(), set(drains[0].examples)
        assert codes <= {one.study for one in store.worklist()}
    assert {one.observation.name for one in material.observations if one.observation.source == "report"} == {
        "effusion",
        "chest drain",
    }
    assert len(material.images) == STUDIES
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) for _, vector in material.images)
    assert len(material.sentences) == STUDIES
    again = tmp_path / "again.yaml"
    again.write_text(PIPELINE.replace("smallest: 6", "smallest: 9"))
    assert compare_studies(folder) == summary.cohort
    assert all(one.against != "chest drain" for one in compare_studies(folder, str(again)).measurements)


def test_a_feature_that_moves_nothing_is_not_found(audited):
    """The same pictures, drains dealt over both kinds of them."""
    _, summary = audited(lambda index: index % 2 == 0)
    drains = [one for one in summary.cohort.measurements if one.against == "chest drain"]
    assert drains[0].q > 0.05
    assert not [one for one in summary.cohort.findings if one.measurement.against == "chest drain"]


def test_a_folder_without_an_audit_is_refused(tmp_path):
    with pytest.raises(StoreError, match="holds no audit"):
        compare_studies(tmp_path)
