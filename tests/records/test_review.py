from dataclasses import replace

import pytest

from medaudit.records.review import Answer, Decision, Meaning, Region, Review, SignedReview, Subject, Target, merged

FIRST, SECOND = Target("i", Subject.FINDING, 0), Target("i", Subject.MAP, 3)
BASE = Review("s", "r", (Answer(FIRST, Decision.AGREE),), (), "fine")
BOX = Region("i", ((0.0, 0.0), (0.0, 4.0), (4.0, 4.0), (4.0, 0.0)))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Target("i", Subject.MAP, -1), "position"),
        (lambda: Region("i", ((0.0, 0.0), (1.0, 1.0))), "three corners"),
        (lambda: Region("i", ((0.0, float("nan")), (1.0, 1.0), (2.0, 0.0))), "finite"),
        (lambda: Review("", "r"), "Review.study"),
        (lambda: Review("s", "r", (Answer(FIRST), Answer(FIRST, Decision.AGREE))), "one answer a target"),
        (lambda: SignedReview(BASE, 1, " ", Meaning.REVIEW, "now", "00"), "printed_name"),
        (lambda: SignedReview(BASE, 2, "A", Meaning.REVIEW, "now", "00"), "edition 2"),
        (lambda: SignedReview(BASE, 1, "A", Meaning.REVIEW, "now", "00", "why"), "edition 1"),
    ],
)
def test_refused_at_birth(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_answers_are_replaced_and_stay_in_order():
    review = BASE.with_answer(Answer(SECOND, Decision.UNSURE)).with_answer(Answer(FIRST, Decision.DISAGREE))
    assert [one.target for one in review.answers] == [FIRST, SECOND]
    assert review.answer_to(FIRST).decision is Decision.DISAGREE
    assert BASE.open_targets((FIRST, SECOND)) == (SECOND,)


MINE = {
    "answer": BASE.with_answer(Answer(FIRST, Decision.DISAGREE)),
    "another answer": BASE.with_answer(Answer(SECOND, Decision.UNSURE)),
    "region": BASE.with_regions("i", [BOX]),
    "conclusion": replace(BASE, conclusion="not fine"),
}


@pytest.mark.parametrize("mine", MINE)
@pytest.mark.parametrize("theirs", MINE)
def test_changes_of_different_parts_are_both_kept(mine, theirs):
    both = merged(BASE, MINE[mine], MINE[theirs])
    assert both is not None
    assert both == merged(BASE, MINE[theirs], MINE[mine])
    assert merged(BASE, BASE, MINE[mine]) == MINE[mine]
    for wanted in (MINE[mine], MINE[theirs]):
        for target in (FIRST, SECOND):
            assert wanted.answer_to(target) in (both.answer_to(target), BASE.answer_to(target))
        assert set(wanted.regions) <= set(both.regions)
        assert wanted.conclusion in (both.conclusion, BASE.conclusion)


def test_two_changes_of_one_part_are_nobodys_to_choose():
    assert merged(BASE, MINE["answer"], BASE.with_answer(Answer(FIRST, Decision.UNSURE))) is None
    assert merged(BASE, MINE["conclusion"], replace(BASE, conclusion="other")) is None
    moved = Region("i", ((1.0, 1.0), (1.0, 4.0), (4.0, 4.0)))
    assert merged(BASE, MINE["region"], BASE.with_regions("i", [moved])) is None


def test_a_removed_answer_or_region_stays_removed():
    with_box = BASE.with_regions("i", [BOX])
    assert merged(with_box, BASE, replace(with_box, conclusion="x")) == replace(BASE, conclusion="x")
