import shutil
import time

import pytest
import sqlalchemy as sa

from medaudit.records import Severity
from medaudit.store import schema
from medaudit.store.worklist import Order, Search


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


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), ["grave", "bland", "calm"]),
        (Search(order=Order.CODE), ["bland", "calm", "grave"]),
        (Search(order=Order.FINDINGS), ["grave", "bland", "calm"]),
        (Search(order=Order.SLOWEST), ["slow", "bland", "calm", "grave"]),
        (Search("A 1"), ["grave", "calm"]),
        (Search("mAkEr 0"), ["grave", "bland", "calm"]),
        (Search("bLaN"), ["bland"]),
        (Search("grave calm"), []),
        (Search("100%"), []),
        (Search("_"), []),
        (Search(severities=frozenset({Severity.NOTE})), ["bland"]),
        (Search(severities=frozenset({None, Severity.WARNING})), ["grave", "calm"]),
        (Search(finding="negation.margin"), ["grave", "bland"]),
        (Search(finding="negation.other"), []),
        (Search(prompt="a bicycle"), ["grave", "bland", "calm"]),
        (Search(prompt="a car"), []),
        (Search(elements={"Manufacturer": "Maker 1"}), ["grave", "calm"]),
        (Search(elements={"PatientSex": "F", "Manufacturer": "Maker 1"}), ["grave", "calm"]),
        (Search(elements={"PatientSex": "M"}), []),
    ],
)
def test_find(filled, build, search, expected):
    if "slow" in expected:
        filled.save_study(build.study("slow", seconds=99.0), ())
    assert list(filled.find(search)) == expected


def test_search_knows_more_than_ascii(store, build):
    store.save_study(build.study("ÄTHER".replace("Ä", "A")), ())
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE study_element SET value = 'Große Straße' WHERE keyword = 'PatientSex'"))
    assert store.find(Search("GROSSE")) == ("ATHER",)
    assert store.find(Search("straße")) == ("ATHER",)


def test_scores_sort(filled):
    highest = {
        code: max(
            one.similarity
            for image in filled.study(code).images
            for one in image.attributions
            if one.prompt.kind.value == "finding"
        )
        for code in ("grave", "calm", "bland")
    }
    assert list(filled.find(Search(order=Order.HIGHEST))) == sorted(highest, key=lambda code: (-highest[code], code))
    assert list(filled.find(Search(order=Order.LOWEST))) == sorted(highest, key=lambda code: (highest[code], code))


def test_summaries_are_those_of_the_worklist_in_the_order_asked(filled):
    by_code = {one.study: one for one in filled.worklist()}
    assert filled.summaries(("calm", "grave")) == (by_code["calm"], by_code["grave"])
    assert filled.summaries(()) == ()


def test_facets_and_counts(filled):
    facets = filled.facets()
    assert facets.prompts == ("a bicycle", "an effusion", "no effusion")
    assert facets.findings == ("negation.margin",)
    assert facets.elements["Manufacturer"] == ("Maker 0", "Maker 1")
    assert filled.severity_counts() == {Severity.WARNING: 1, Severity.CAUTION: 0, Severity.NOTE: 1, None: 1}
    assert filled.element("Manufacturer") == {"bland": "Maker 0", "calm": "Maker 0", "grave": "Maker 0"}
    assert filled.element("PatientSex")["calm"] == "F"


def test_ten_thousand_studies_are_found_in_the_database_and_read_a_page_at_a_time(filled):
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    with filled._engine.begin() as connection:
        for table in (schema.study, schema.study_element, schema.image, schema.image_element, schema.attribution):
            names = [column.name for column in table.c]
            values = ["printf('X%05d', i)" if name == "study" else name for name in names]
            connection.execute(
                sa.text(
                    f"{numbers} INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - our own names
                    f"SELECT {', '.join(values)} FROM {table.name}, n WHERE study = 'bland'"
                )
            )
    began = time.perf_counter()
    found = filled.find(Search("x0 maker 0", order=Order.HIGHEST))
    assert len(found) == 9999
    page = filled.summaries(found[9975:])
    assert [one.study for one in page] == [f"X{number:05d}" for number in range(9976, 10000)]
    assert filled.severity_counts()[None] == 10001
    assert filled.find(Search())[:2] == ("grave", "bland")
    # Far above what it takes (about 0.3 s): a query a study would take minutes.
    assert time.perf_counter() - began < 10
