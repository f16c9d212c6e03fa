from dataclasses import replace

import pytest

from medaudit.records.review import Answer, Decision, Meaning, Review, SignedReview, Subject, Target
from medaudit.store.review_store import ReviewStore, Status
from medaudit.viewer import desk as module
from medaudit.viewer.desk import Desk

TARGET = Target("I-1", Subject.FINDING, 0)


@pytest.fixture
def store(tmp_path):
    with ReviewStore.open(tmp_path, "a" * 32) as made:
        yield made


def agree(review):
    return module.decided(review, TARGET, Decision.AGREE)


def conclude(text):
    return lambda review: replace(review, conclusion=text)


def test_every_change_is_saved_at_once(store):
    desk = Desk.open(store, "S", "reader")
    desk.change(agree)
    desk.change(conclude("fine"))
    assert Desk.open(store, "S", "reader").review == desk.review == agree(Review("S", "reader", (), (), "fine"))
    before = store.head()
    desk.change(agree)
    assert store.head() == before  # nothing new, nothing written


def test_two_windows_on_different_parts_keep_both(store):
    one, other = (Desk.open(store, "S", "reader") for _ in range(2))
    one.change(agree)
    other.change(conclude("fine"))
    assert other.rival is None
    assert store.draft("S", "reader").review == agree(Review("S", "reader", (), (), "fine"))


@pytest.mark.parametrize("keep", [True, False])
def test_two_windows_on_one_part_lose_nothing(store, keep):
    one, other = (Desk.open(store, "S", "reader") for _ in range(2))
    one.change(conclude("one"))
    other.change(conclude("other"))
    assert other.rival is not None
    assert other.review.conclusion == "other"
    assert store.draft("S", "reader").review.conclusion == "one"
    other.change(agree)  # goes on being collected
    other.keep_mine() if keep else other.take_theirs()
    assert other.rival is None
    saved = store.draft("S", "reader").review
    assert saved == other.review
    assert saved.conclusion == ("other" if keep else "one")
    assert (saved.answer_to(TARGET).decision is Decision.AGREE) is keep
    assert store.faults() == []


def test_targets_are_findings_and_the_maps_that_none_is_about(known):
    image = known.image("S", "I-1", 1, known.findings, colour=False, size=(48, 40))
    targets = module.targets(image)
    # Findings are about both finding prompts; without findings their maps are asked for.
    assert [(one.subject, one.position) for one in targets] == [(Subject.FINDING, place) for place in range(3)]
    assert module.target_prompt(image, targets[1]) == 2 or module.target_prompt(image, targets[0]) == 2
    bare = known.image("S", "I-1", 1, (), colour=False, size=(48, 40))
    assert [(one.subject, one.position) for one in module.targets(bare)] == [(Subject.MAP, 0), (Subject.MAP, 2)]
    assert module.target_name(bare, module.targets(bare)[1]) == f"Map of “{known.prompts[2][0]}”"


def test_others_are_hidden_until_one_has_signed():
    def signed(reader, edition=1):
        why = "why" if edition > 1 else ""
        return SignedReview(Review("S", reader), edition, "N", Meaning.REVIEW, "now", "0", why)

    editions = (signed("a"), signed("a", 2), signed("b"), signed("me"))
    assert [(one.review.reader, one.edition) for one in module.others_of(editions, "me")] == [("a", 2), ("b", 1)]
    assert not module.shows_others(Status.DRAFT, reads_all=False)
    assert module.shows_others(Status.SIGNED, reads_all=False)
    assert module.shows_others(Status.OPEN, reads_all=True)


def test_a_decision_keeps_what_was_written():
    review = Review("S", "r", (Answer(TARGET, Decision.UNSURE, None, "words"),))
    assert module.decided(review, TARGET, Decision.DISAGREE).answer_to(TARGET).text == "words"
