from medaudit.metrics.readers import agreements, by_kind, decisions, tally
from medaudit.records.review import Answer, Decision, Meaning, Review, SignedReview, Subject, Target

YES, NO = Decision.AGREE, Decision.DISAGREE


def signed(study, reader, *decisions, edition=1):
    answers = tuple(Answer(Target("I-1", Subject.MAP, place), one) for place, one in enumerate(decisions) if one)
    why = "why" if edition > 1 else ""
    return SignedReview(Review(study, reader, answers), edition, "Dr N", Meaning.REVIEW, "now", "0", why)


SIGNED = (
    signed("S-1", "a", YES, YES, edition=2),
    signed("S-1", "a", NO, YES),
    signed("S-1", "b", YES, NO, YES),
    signed("S-2", "a", NO),
    signed("S-2", "b", NO),
    signed("S-3", "c", YES),
)


def test_agreement_counts_the_latest_edition_of_what_both_decided():
    (pair,) = agreements(decisions(SIGNED))
    assert (pair.first, pair.second, pair.cases) == ("a", "b", 3)
    assert round(pair.equal, 3) == 0.667
    assert round(pair.kappa, 3) == 0.4


def test_kinds_part_the_cases_and_lose_none():
    decided = decisions(SIGNED)
    kinds = by_kind(decided, lambda case: case[0])
    assert list(kinds) == ["S-1", "S-2", "S-3"]
    (pair,) = agreements(kinds["S-2"])
    assert (pair.cases, pair.equal, pair.kappa) == (1, 1.0, None)
    assert agreements(kinds["S-3"]) == ()
    assert tally(decided) == sum((tally(of_kind) for of_kind in kinds.values()), start=type(tally(decided))())
    assert tally(decided) == {YES: 5, NO: 3}
