from collections import Counter

import numpy as np
import pytest

from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.findings import FindingKind
from medaudit.training.bank import all_claims, build_bank, places_of, shares_of
from medaudit.training.claims import UNRELATED, Claim, Fact
from medaudit.training.corpus import Corpus

NODULE = FindingKind.NODULE.value
FACTS = ((Fact(NODULE, "left", "mid", large=False),), (), (Fact("pleural effusion", "right", large=True),)) * 20


@pytest.fixture(scope="module")
def bank():
    return build_bank(FACTS)


def test_the_bank_judges_every_claim_of_every_study(bank):
    assert bank.claims == all_claims()
    for study in range(3):
        for index, claim in enumerate(bank.claims):
            truth = claim.truth(FACTS[study])
            assert bank.truth[study, index] == (truth is True)
            assert (bank.weight[study, index] > 0) == (truth is not None)


def test_true_and_false_weigh_alike_where_neither_is_rare(bank):
    column = next(i for i, claim in enumerate(bank.claims) if claim.text == "Nodule.")
    truth, weight = bank.truth[:, column], bank.weight[:, column] * bank.chance
    assert weight[truth].sum() == pytest.approx(weight[~truth].sum())


def test_a_study_with_much_in_it_is_drawn_more_often(bank):
    assert bank.chance.sum() == pytest.approx(1)
    assert bank.chance[0] == pytest.approx(4 * bank.chance[1])


def test_what_never_holds_weighs_no_more_than_half(bank):
    column = next(i for i, claim in enumerate(bank.claims) if claim.name == UNRELATED)
    assert not bank.truth[:, column].any()
    assert (bank.weight[:, column] < 0.52).all()


def test_a_step_draws_from_every_kind_without_repetition(bank):
    drawn = bank.draw(np.random.default_rng(0), 100)
    assert len(set(drawn)) == len(drawn) == 100
    for start, stop, share in bank.groups:
        assert ((drawn >= start) & (drawn < stop)).sum() == round(100 * share)


def test_the_emphasis_is_spoken_of_more_often():
    stressed = build_bank(FACTS, (NODULE,))
    rng = np.random.default_rng(1)
    drawn = Counter(stressed.claims[index].name for _ in range(300) for index in stressed.draw(rng, 144))
    others = [drawn[kind.value] for kind in (*FindingKind, *DeviceKind) if kind.value != NODULE]
    assert drawn[NODULE] > 2 * max(others)


def test_several_of_a_kind_on_a_side_count_once():
    several = tuple(Fact(NODULE, "left", zone) for zone in ("upper", "mid", "lower"))
    chance = build_bank((several, several[:1], ())).chance
    assert chance[0] == chance[1] == pytest.approx(4 * chance[2])


def test_every_finding_and_device_has_its_turn(bank):
    rng = np.random.default_rng(1)
    drawn = Counter(bank.claims[index].name for _ in range(300) for index in bank.draw(rng, 144))
    del drawn[UNRELATED]
    often = np.array([drawn[kind.value] for kind in (*FindingKind, *DeviceKind)])
    assert often.min() > 0.5 * often.max()  # few sentences name a tube, and none is drawn twice


def test_places_say_how_often_a_patch_holds_what_a_claim_speaks_of():
    here, there = np.zeros((2, 8, 8), np.uint8)
    here[2, 5] = there[5, 2] = 90
    facts = ((Fact(NODULE, "left", "mid"),), (Fact(NODULE, "right", "mid"),), (), ())
    regions = (here[None], there[None], here[None][:0], here[None][:0])
    corpus = Corpus(np.zeros((4, 4, 4), np.uint8), facts, regions)
    places = places_of(
        corpus, [Claim("Nodule.", NODULE), Claim("Left nodule.", NODULE, "left"), Claim("Mass.", "mass")]
    )
    np.testing.assert_allclose(places.T, [[0, 0.25, 0.25, 0], [0, 0.25, 0, 0], [0, 0, 0, 0]])


def test_shares_say_where_what_a_claim_speaks_of_lies():
    region = np.kron(np.array([[0, 200], [0, 50]], np.uint8), np.ones((4, 4), np.uint8))
    corpus = Corpus(np.zeros((1, 4, 4), np.uint8), (FACTS[0],), (region[None],))
    claims = [Claim("Nodule.", NODULE), Claim("Left nodule.", NODULE, "left"), Claim("Right nodule.", NODULE, "right")]
    shares = shares_of(corpus, [0], claims)
    assert shares.shape == (1, 4, 3)
    for column in (0, 1):
        np.testing.assert_allclose(shares[0, :, column], [0, 1, 0, 0.5])
    assert not shares[0, :, 2].any()
    moved = shares_of(corpus, [0], claims, np.array([[4, -2]]))
    np.testing.assert_allclose(moved[0, :, 0], [0, 0, 1, 1])  # a patch down, half a patch to the left


def test_a_finding_behind_the_collimator_has_no_place():
    corpus = Corpus(np.zeros((1, 4, 4), np.uint8), (FACTS[0],), (np.zeros((1, 8, 8), np.uint8),))
    assert not shares_of(corpus, [0], [Claim("Nodule.", NODULE)]).any()
