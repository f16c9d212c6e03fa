"""Checks across studies: each on a cohort where what it looks for was planted, and on one where it was not."""

from dataclasses import replace

import numpy as np
import pytest

from medaudit.audit.cohort.case import CohortCase, Sentence, Told
from medaudit.audit.cohort.erasure import at_least
from medaudit.audit.cohort.judge import WORDINGS, judge_cohort
from medaudit.audit.cohort.probe import held_out_scores
from medaudit.audit.verdict import Threshold
from medaudit.figures.neighbours import kind_of
from medaudit.metrics.ranking import auc
from medaudit.records import Prompt, PromptKind, Severity
from medaudit.records.cohort import CohortFinding, CohortMeasurement, weightiest_first

STUDIES = 240
CODES = tuple(f"ST-{index:03d}" for index in range(STUDIES))
AIR = Prompt("a radiograph showing pneumothorax", PromptKind.FINDING, "pneumothorax")
WATER = Prompt("a radiograph showing effusion", PromptKind.FINDING, "effusion")
LIMITS = {
    "shortcut.difference": 1.0,
    "erasure.foremost": 0.25,
    "erasure.device": 0.25,
    "report_text.ranking": 0.7,
    "report_text.own_image": 0.6,
    "subgroup.difference": 1.0,
    "subgroup.concentration": 1.0,
    "subgroup.flagged": 0.4,
    "likeness.closeness": 0.5,
    "probe.ranking": 0.9,
    "drift.trend": 0.3,
}
THRESHOLDS = {key: Threshold(limit, Severity.WARNING) for key, limit in LIMITS.items()}


def cohort(seed=0, **changes):
    """Scores that follow the findings alone; a drain comes with the pneumothorax in three of four studies."""
    draw = np.random.default_rng(seed)
    air, water = (draw.random(STUDIES) < 0.25 for _ in range(2))
    drain = draw.random(STUDIES) < np.where(air, 0.75, 0.15)
    noise = draw.normal(size=(2, STUDIES))
    fields = {
        "studies": CODES,
        "scores": {AIR: 0.05 * (noise[0] + 2.5 * air), WATER: 0.05 * (noise[1] + 2.5 * water)},
        "told": (
            Told("report", "pneumothorax", np.where(air, 1.0, -1.0)),
            Told("report", "effusion", np.where(water, 1.0, 0.0)),
            Told("report", "chest drain", drain.astype(float)),
            Told("picture", "burned-in text", (draw.random(STUDIES) < 0.3).astype(float)),
        ),
        "elements": {
            "Manufacturer": tuple(draw.choice(["Anode", "Bucky", "Cassette"], STUDIES).tolist()),
            "StudyYear": tuple(map(str, draw.integers(2018, 2025, STUDIES).tolist())),
        },
    }
    return CohortCase(**(fields | {key: change(fields) for key, change in changes.items()}))


def found(case, check=None):
    findings = judge_cohort(case, THRESHOLDS).findings
    return [one for one in findings if check in (None, one.measurement.check)]


def of(case, name):
    return next(told.values for told in case["told"] if told.name == name)


def test_a_clean_model_is_cleared_though_drains_come_with_the_finding():
    assert found(cohort()) == []


def test_a_score_that_rests_on_the_drain_is_found_first():
    case = cohort(scores=lambda f: f["scores"] | {AIR: f["scores"][AIR] + 0.12 * of(f, "chest drain")})
    first, *others = found(case)
    measured = first.measurement
    assert (measured.check, measured.against, measured.subject) == ("shortcut", "chest drain", AIR.text)
    assert measured.value > 1.5
    assert measured.q < 1e-6
    assert measured.ends[0] < measured.value < measured.ends[1]
    assert "seems to rely on chest drain" in first.claim
    assert len(measured.examples) == 3
    assert {one.measurement.against for one in others} <= {"chest drain"}


def test_a_mark_in_the_picture_is_a_feature_too():
    case = cohort(scores=lambda f: f["scores"] | {WATER: f["scores"][WATER] + 0.12 * of(f, "burned-in text")})
    (one,) = found(case)
    assert (one.measurement.against, one.measurement.subject) == ("burned-in text (picture)", WATER.text)


def test_scanners_that_score_otherwise_are_a_disparity_and_no_bias():
    case = cohort(
        scores=lambda f: (
            f["scores"] | {AIR: f["scores"][AIR] - 0.1 * (np.array(f["elements"]["Manufacturer"]) == "Bucky")}
        )
    )
    names = [(one.measurement.against, one.measurement.value < 0) for one in found(case, "subgroup")]
    assert names[0] == ("Manufacturer = Bucky", True)
    assert "no" not in found(case, "subgroup")[0].claim.split()
    assert "not a bias" in found(case, "subgroup")[0].limits


def test_drift_is_found_and_a_mean_that_stays_is_not():
    years = lambda f: np.array(list(map(float, f["elements"]["StudyYear"])))  # noqa: E731 - a name for a formula
    case = cohort(scores=lambda f: f["scores"] | {AIR: f["scores"][AIR] + 0.03 * (years(f) - 2021)})
    assert [one.measurement.subject for one in found(case, "drift")] == [AIR.text]
    assert found(cohort(), "drift") == []


def test_erasure_counts_studies_beyond_chance():
    def permuted(share):
        draw = np.random.default_rng(1)
        values = draw.integers(1, 21, STUDIES) / 20
        return np.where(draw.random(STUDIES) < share, 1 / 20, values)

    key = ("regions", "permutation_p", AIR.text, "side-marker candidates")
    (one,) = found(cohort(measured=lambda _: {key: permuted(0.5)}))
    assert one.measurement.check == "erasure"
    assert one.measurement.value == pytest.approx(0.53, abs=0.1)
    assert found(cohort(measured=lambda _: {key: permuted(0.0)})) == []
    assert at_least(3, 10, 0.05) == pytest.approx(0.0115, abs=1e-4)
    assert at_least(0, 10, 0.05) == pytest.approx(1)


def test_a_score_that_does_not_go_with_the_reports_is_found():
    noise = np.random.default_rng(9).normal(size=STUDIES)
    findings = found(cohort(scores=lambda f: f["scores"] | {AIR: noise}), "report_text")
    assert [(one.measurement.quantity, one.measurement.subject) for one in findings] == [("ranking", AIR.text)]
    assert "not accuracy" in findings[0].limits


@pytest.mark.parametrize("matched", [True, False])
def test_sentences_fit_their_own_image_or_none(matched):
    draw = np.random.default_rng(5)
    images = draw.normal(size=(STUDIES, 16)).astype(np.float32)
    words = images + draw.normal(size=images.shape) if matched else draw.normal(size=images.shape)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    case = cohort(
        images=lambda _: images,
        sentences=lambda _: tuple(
            Sentence(index, "It is so.", vector.astype(np.float32)) for index, vector in enumerate(words)
        ),
    )
    (measured,) = [one for one in judge_cohort(case, {}).measurements if one.quantity == "own_image"]
    assert measured.value == pytest.approx(0.99 if matched else 0.5, abs=0.06)
    assert bool(found(case, "report_text")) is not matched


def test_the_probe_reads_a_scanner_and_not_a_coin():
    draw = np.random.default_rng(6)
    images = draw.normal(size=(STUDIES, 32)).astype(np.float32)
    makers = cohort().elements["Manufacturer"]
    marked = images + 3 * np.outer(np.array(makers) == "Anode", draw.normal(size=32) / 4).astype(np.float32)
    assert {one.measurement.against for one in found(cohort(images=lambda _: marked), "probe")} == {
        "Manufacturer = Anode"
    }
    assert found(cohort(images=lambda _: images), "probe") == []


def test_the_probe_never_scores_what_it_was_fitted_to():
    """More dimensions than studies: fitted and scored on the same it would be perfect."""
    draw = np.random.default_rng(7)
    has = np.arange(60) < 30
    assert auc(held_out_scores(draw.normal(size=(60, 200)), has), has) == pytest.approx(0.5, abs=0.2)


def test_maps_that_are_otherwise_concentrated():
    spread = lambda f: {AIR: (np.array(f["elements"]["Manufacturer"]) == "Bucky") * 0.4 + 0.01 * f["scores"][WATER]}  # noqa: E731
    findings = found(cohort(concentration=spread), "subgroup")
    assert findings[0].measurement.quantity == "concentration"
    assert findings[0].measurement.against == "Manufacturer = Bucky"


def test_findings_that_gather_in_a_group_are_found():
    gathered = lambda f: {("stability", "score_change"): (np.array(f["elements"]["Manufacturer"]) == "Bucky") * 1.0}  # noqa: E731
    spread = lambda _: {("stability", "score_change"): (np.arange(STUDIES) % 3 == 0) * 1.0}  # noqa: E731
    first = found(cohort(flagged=gathered), "subgroup")[0].measurement
    assert (first.quantity, first.against, first.value) == ("flagged", "Manufacturer = Bucky", 1.0)
    assert found(cohort(flagged=spread), "subgroup") == []


def test_false_alarms_of_clean_cohorts_are_rare():
    """Twenty cohorts of a model that reads the findings alone; every check is asked of each."""
    raised = [len(found(cohort(seed))) for seed in range(1, 21)]
    assert sum(count > 0 for count in raised) <= 1


def test_few_studies_and_no_reports_are_said():
    case = CohortCase(CODES[:5], {AIR: np.arange(5.0)})
    judged = judge_cohort(case, THRESHOLDS)
    assert judged.findings == judged.measurements == ()
    assert judged.notes[0].startswith("5 studies: differences need 10 on either side")
    assert judged.notes[1].startswith("No report text was read")


def test_every_measurement_has_words_and_numbers_that_fit():
    for key, wording in WORDINGS.items():
        check, quantity = key.split(".")
        one = CohortMeasurement(check, quantity, 0.5, "s", "a", 3, 4, (0.1, 0.9), 0.1, 0.2)
        claim = wording.claim.format(
            check=check,
            quantity=quantity,
            value=one.value,
            subject="s",
            against="a",
            count=3,
            others=4,
            ends=one.ends,
            p=0.1,
            q=0.2,
            examples=(),
            limit=0.3,
        )
        assert "{" not in claim + wording.limits


def test_order_is_by_severity_then_chance_then_size():
    def one(severity, q, value):
        measured = CohortMeasurement("shortcut", "difference", value, "s", "a", 20, 20, q=q)
        return CohortFinding(measured, 1.0, severity, "", "", "")

    worst, sure, large, small = (
        one(Severity.WARNING, 0.009, 1.1),
        one(Severity.NOTE, 1e-9, 1.1),
        one(Severity.NOTE, 1e-3, 3.0),
        one(Severity.NOTE, 1e-3, -2.0),
    )
    assert weightiest_first([small, large, sure, worst]) == (worst, sure, large, small)


def stops(studies, chance):
    """Permutation p of lines: 1 in 20 for studies that the fill changes most, else anything above."""
    draw = np.random.default_rng(8)
    return np.where(draw.random(len(studies)) < np.where(studies, chance, 1 / 20), 1 / 20, draw.integers(2, 21) / 20)


def test_a_fill_of_lines_is_named_by_the_device():
    key = ("regions", "permutation_p", AIR.text, "bright thin lines")
    (one,) = found(cohort(measured=lambda f: {key: stops(of(f, "chest drain") == 1, 0.6)}), "erasure")
    measured = one.measurement
    assert (measured.quantity, measured.against, measured.subject) == ("device", "chest drain", AIR.text)
    assert measured.value == pytest.approx(0.55, abs=0.15)
    assert measured.ends[0] < measured.value < measured.ends[1]
    assert "rely on the lines of chest drain" in one.claim


def test_a_fill_of_lines_that_goes_with_the_finding_is_not_named_by_the_device_that_comes_with_it():
    key = ("regions", "permutation_p", AIR.text, "bright thin lines")
    case = cohort(measured=lambda f: {key: stops(of(f, "pneumothorax") == 1, 0.6)})
    assert [one.measurement.quantity for one in found(case, "erasure")] in ([], ["foremost"])


def test_where_lines_were_filled_in_few_studies_without_the_device_the_claim_names_it():
    """A model that sees the finding by the drain alone: no side without drains is large enough to compare."""
    key = ("regions", "permutation_p", AIR.text, "bright thin lines")

    def seen(case):
        drain = of(case, "chest drain") == 1
        few = drain | (np.cumsum(~drain) <= 6)
        return {key: np.where(few, stops(drain, 0.7), np.nan)}

    (one,) = found(cohort(measured=seen), "erasure")
    assert one.measurement.quantity == "foremost"
    assert "Reports tell of chest drain in" in one.claim
    (other,) = found(cohort(measured=lambda _: {key: stops(np.arange(STUDIES) % 2 == 0, 0.7)}), "erasure")
    assert "No device is told of in most" in other.claim


NEGATION = ("negation", "absolute_margin", AIR.text)


def alike(seed=0, pull=1.0, flagged=None):
    """Embeddings of twelve numbers; the studies with a drain are pulled one way, and ``flagged`` have the finding."""

    def images(case):
        noise = np.random.default_rng(100 + seed).normal(size=(STUDIES, 12))
        return (noise + 5 + pull * np.outer(of(case, "chest drain") == 1, np.eye(12)[0])).astype(np.float32)

    def raised(case):
        draw = np.random.default_rng(200 + seed).random((8, STUDIES))
        kinds = {("stability", "score_change", f"prompt {place}"): (row < 0.2) * 1.0 for place, row in enumerate(draw)}
        return kinds | ({NEGATION: flagged(case)} if flagged else {})

    return cohort(seed, images=images, raised=raised)


def test_studies_that_fail_alike_and_look_alike_are_a_group_and_say_what_they_share():
    drains = lambda case: ((of(case, "chest drain") == 1) & (np.arange(STUDIES) % 4 > 0)) * 1.0  # noqa: E731
    case = alike(pull=3.0, flagged=drains)
    (one,) = found(case, "likeness")
    measured = one.measurement
    assert (measured.quantity, measured.subject) == ("closeness", AIR.text)
    assert measured.against == "negation, absolute margin"
    assert kind_of(measured) == NEGATION
    assert measured.value > 0.6
    assert measured.ends[0] < measured.value < measured.ends[1]
    assert "Commoner among them than among the others: chest drain (+" in one.claim
    assert "not a cause" in one.limits
    members = {CODES[place] for place in np.flatnonzero(case.raised[NEGATION])}
    assert len(measured.examples) == 3
    assert set(measured.examples) <= members
    others = [one for one in judge_cohort(case, {}).measurements if one.quantity == "shared"]
    assert {one.against for one in others if one.q < 0.01} == {"chest drain \u00b7 negation, absolute margin"}


def test_a_group_that_shares_nothing_known_says_so():
    hidden = lambda case: (case["scores"][AIR] * 0 + (np.arange(STUDIES) % 5 == 0)) * 1.0  # noqa: E731
    case = alike(pull=0.0, flagged=hidden)
    moved = case.images + 3 * np.outer(case.raised[NEGATION] == 1, np.eye(12)[1]).astype(np.float32)
    (one,) = found(replace(case, images=moved), "likeness")
    assert "Nothing that reports, pictures or headers tell of is commoner among them." in one.claim


def test_studies_with_the_finding_of_their_reports_are_no_group_for_that():
    """Flagged studies lie close only because most of them have a pneumothorax, as their reports say."""
    told = lambda case: (of(case, "pneumothorax") == 1) & (np.arange(STUDIES) % 3 > 0)  # noqa: E731
    some = lambda case: (told(case) | (np.arange(STUDIES) % 20 == 0)) * 1.0  # noqa: E731
    case = alike(pull=0.0, flagged=some)
    air = (of({"told": case.told}, "pneumothorax") == 1).astype(np.float32)
    moved = case.images + 3 * np.outer(air, np.eye(12)[2]).astype(np.float32)
    assert found(replace(case, images=moved), "likeness") == []
    assert found(replace(case, images=moved, told=()), "likeness") != []


def test_findings_that_are_dealt_by_chance_make_no_group():
    """Twenty cohorts, eight kinds of finding each, drains that look alike but have nothing to do with the findings."""
    raised = [len(found(alike(seed, pull=3.0), "likeness")) for seed in range(1, 21)]
    assert sum(count > 0 for count in raised) <= 1


def test_without_embeddings_groups_are_not_asked_for_and_that_is_said():
    case = cohort(raised=lambda _: {NEGATION: np.arange(STUDIES) % 2 * 1.0})
    judged = judge_cohort(case, THRESHOLDS)
    assert not [one for one in judged.measurements if one.check == "likeness"]
    assert "no embeddings" in judged.notes[-1]
