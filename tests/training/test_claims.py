import re
from collections import Counter

from medaudit.phantom.cohort import draw_study
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.report_text import known_sentences, write_report
from medaudit.training.bank import all_claims
from medaudit.training.claims import (
    NORMAL,
    UNRELATED,
    Claim,
    Fact,
    facts_of,
    known_claims,
    prompt_claims,
    report_claims,
    unrelated_claims,
)

EFFUSION = FindingKind.EFFUSION.value


def test_known_claims_are_the_phantoms_sentences_and_judge_as_it_does():
    claims = known_claims()
    for index in range(150):
        spec = draw_study(4, index)
        known = known_sentences(spec)
        assert [one.text for one in claims] == [one.text for one in known]
        assert [one.truth(facts_of(spec)) for one in claims] == [one.truth for one in known]


def test_what_a_report_says_of_its_own_study_is_never_judged_false():
    claims = {claim.text: claim for claim in all_claims()}
    judged = Counter()
    for index in range(300):
        spec = draw_study(5, index)
        report = write_report(spec, index)
        for sentence in re.split(r"(?<=\.) ", f"{report.findings} {report.impression}"):
            if sentence in claims:
                judged[claims[sentence].truth(facts_of(spec))] += 1
    assert judged[False] == 0
    assert judged[True] > 1000


def test_a_claim_of_another_size_is_neither_true_nor_false():
    small = Claim("Small left pleural effusion.", EFFUSION, "left", large=False)
    assert small.truth([Fact(EFFUSION, "left", large=True)]) is None
    assert small.truth([Fact(EFFUSION, "left", large=False)]) is True
    assert small.truth([Fact(EFFUSION, "right", large=False)]) is False
    assert small.truth([]) is False


def test_normal_means_no_finding_whatever_the_devices():
    normal = Claim("No acute findings.", NORMAL)
    assert normal.truth([Fact("pacemaker", "left")]) is True
    assert normal.truth([Fact("cardiomegaly")]) is False


def test_every_kind_of_claim_is_there_and_one_text_has_one_meaning():
    for make, least in ((known_claims, 116), (report_claims, 250), (prompt_claims, 150), (unrelated_claims, 100)):
        claims = make()
        assert len(claims) >= least
    assert len({claim.text for claim in all_claims()}) == len(set(all_claims()))
    assert all(claim.name == UNRELATED and claim.truth([]) is False for claim in unrelated_claims())


def test_every_finding_is_asked_and_denied_as_prompts_ask():
    texts = {claim.text: claim for claim in prompt_claims()}
    shown, absent = texts["a chest radiograph showing pneumothorax"], texts["a chest radiograph without pneumothorax"]
    assert not shown.negated
    assert absent.negated
    assert shown.name == absent.name == FindingKind.PNEUMOTHORAX.value


def test_the_controls_of_the_shipped_pipelines_were_not_learnt():
    learnt = {claim.text for claim in unrelated_claims()}
    assert not learnt & {"a photograph of a bowl of fruit", "ljashdbflsabdf"}
