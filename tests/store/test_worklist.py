import shutil

import sqlalchemy as sa

from medaudit.records import Severity


def test_summaries_gravest_first(filled):
    grave, bland, calm = filled.worklist()
    assert (grave.study, bland.study, calm.study) == ("grave", "bland", "calm")
    assert (grave.worst, bland.worst, calm.worst) == (Severity.WARNING, Severity.NOTE, None)
    assert grave.findings == {Severity.NOTE: 1, Severity.WARNING: 1}
    assert (grave.images, grave.prompts, grave.seconds) == (2, 3, 1.5)
    assert (bland.images, calm.findings) == (1, {})
    assert list(calm.elements.items()) == [("StudyDate", "2020"), ("PatientSex", "F")]
    assert calm.image_elements == {"Modality": ("CR",), "Manufacturer": ("Maker 0", "Maker 1")}


def test_two_queries_and_no_arrays(filled):
    shutil.rmtree(filled.folder / "arrays")
    seen = []
    sa.event.listen(filled._engine, "before_cursor_execute", lambda *event: seen.append(event[2]))
    assert len(filled.worklist()) == 3
    assert len([statement for statement in seen if statement != "BEGIN"]) == 2


def test_ties_go_by_code(store, build):
    for code in ("b", "c", "a"):
        store.save_study(build.study(code, images=1), ())
    assert [summary.study for summary in store.worklist()] == ["a", "b", "c"]
