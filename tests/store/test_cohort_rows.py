"""What the checks across studies leave in the store, and what they read there."""

import numpy as np

from medaudit.records import CohortAudit
from medaudit.store.cohort_rows import as_embedding, as_text


def test_it_reads_back_equal_and_a_later_one_takes_its_place(store, build):
    assert store.cohort_audit() is None
    for value in (2.5, 3.5):
        store.save_cohort_audit(build.cohort(value))
        assert store.cohort_audit() == build.cohort(value)
    store.save_cohort_audit(CohortAudit(3))
    assert store.cohort_audit() == CohortAudit(3)


def test_it_is_part_of_what_an_audit_found(store, build):
    before = store.digest()
    store.save_cohort_audit(build.cohort(2.5))
    assert store.digest() != before


def test_material_comes_with_its_study(filled):
    material = filled.cohort_material()
    assert {one.study for one in material.observations} == {"calm", "grave", "bland"}
    assert [(one.observation.source, one.observation.value) for one in material.observations[:2]] == [
        ("report", 0.5),
        ("picture", 0.0),
    ]
    assert [study for study, _ in material.images] == ["bland", "calm", "calm", "grave", "grave"]
    assert all(vector.shape == (5,) and vector.dtype == np.float32 for _, vector in material.images)
    assert material.sentences == ()  # those of the fixture are not of a report


def test_an_embedding_is_kept_to_the_bit():
    vector = np.random.default_rng(0).normal(size=7).astype(np.float32)
    assert np.array_equal(as_embedding(as_text(vector)), vector)
    assert as_embedding(as_text(None)) is None
