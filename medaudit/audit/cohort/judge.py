"""Every check across studies, and the only place where one of its numbers becomes a claim."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from medaudit.audit.cohort import agreement, differences, drift, erasure, likeness, probe
from medaudit.audit.cohort.case import CohortCase
from medaudit.audit.verdict import Threshold
from medaudit.records.cohort import CohortAudit, CohortFinding, CohortMeasurement, weightiest_first

CHECKS: Sequence[Callable[[CohortCase], Sequence[CohortMeasurement]]] = (
    differences.shortcuts,
    erasure.measure,
    erasure.by_device,
    agreement.measure,
    differences.subgroups,
    differences.concentrations,
    differences.flags,
    likeness.measure,
    probe.measure,
    drift.measure,
)
"""In the order of the report."""


@dataclass(frozen=True, slots=True)
class CohortWording:
    """What a finding of one check says; ``above`` tells which side is bad, ``either`` that both are.

    ``claim`` and ``advice`` are filled with the fields of the measurement and ``limit``.
    """

    claim: str
    limits: str
    advice: str
    above: bool = True
    either: bool = False

    def beyond(self, value: float, limit: float) -> bool:
        """Whether a value is on the bad side of a limit."""
        if self.either:
            return abs(value) > limit
        return value > limit if self.above else value < limit


_NOT_BIAS = (
    "It is a disparity, not a bias: without labels nobody knows whether the groups differ in what they have, and "
    "studies were only held against those whose reports say the same."
)

WORDINGS: Mapping[str, CohortWording] = {
    f"{differences.SHORTCUT}.{differences.DIFFERENCE}": CohortWording(
        claim=(
            "The model seems to rely on {against} for \u201c{subject}\u201d: {count} studies with it lie {value:.1f} "
            "standard deviations above the {others} without, among studies whose reports say the same of the finding "
            "(threshold {limit:g}; corrected p = {q:.1g})."
        ),
        limits=(
            "It goes with the score, and what goes with something need not be its cause: what reports leave out, or "
            "what else comes with it, may be. It says nothing of whether any score is right."
        ),
        advice=(
            "Look at the studies named, and at the change of the score when the area is filled. Do not use the score "
            "for the finding on studies that show {against} until that is understood."
        ),
    ),
    f"{erasure.CHECK}.{erasure.FOREMOST}": CohortWording(
        claim=(
            "Filling {against} changes the similarity of \u201c{subject}\u201d more than the same shape elsewhere in "
            "{value:.0%} of {count} studies, where chance gives 5 % (threshold {limit:.0%}; corrected p = {q:.1g})."
        ),
        limits=(
            "Areas are candidates, found by their looks, and may hold what the finding is: a plate of atelectasis is "
            "a bright line. A filled picture is one that the model was not trained on."
        ),
        advice="Look at the areas of the studies named; if they hold no anatomy, the score rests on the wrong thing.",
    ),
    f"{erasure.CHECK}.{erasure.DEVICE}": CohortWording(
        claim=(
            "The model seems to rely on the lines of {against} for \u201c{subject}\u201d: filling bright thin lines "
            "changes the similarity more than the same shape elsewhere in {value:+.0%} of the {count} studies whose "
            "reports tell of {against} beside the other {others} with lines, among studies whose reports say the same "
            "of the finding (threshold {limit:.0%}; corrected p = {q:.1g})."
        ),
        limits=(
            "The report names what is there, not which line was filled: another line that comes with it may be what "
            "the score rests on. A filled picture is one that the model was not trained on."
        ),
        advice=(
            "Look at the lines of the studies named. Do not use the score for the finding on studies that show "
            "{against} until that is understood."
        ),
    ),
    f"{agreement.CHECK}.{agreement.RANKING}": CohortWording(
        claim=(
            "The score of \u201c{subject}\u201d hardly goes with {against}: a study whose report tells of it lies "
            "above one whose report does not in {value:.0%} of pairs ({count} and {others} studies; threshold "
            "{limit:.0%})."
        ),
        limits="Reports are no truth, and are read by rules: this is agreement with text, not accuracy.",
        advice="Read some of the reports named beside their pictures before the score is used for anything.",
        above=False,
    ),
    f"{agreement.CHECK}.{agreement.OWN_IMAGE}": CohortWording(
        claim=(
            "Report sentences fit the image of their own study better than {against} in only {value:.0%} of "
            "comparisons ({count} studies; chance is 50 %, threshold {limit:.0%})."
        ),
        limits="Many sentences are true of many studies, so nothing near 100 % is to be expected.",
        advice="See whether report and image belong together at all, and whether the model reads such sentences.",
        above=False,
    ),
    f"{differences.SUBGROUP}.{differences.DIFFERENCE}": CohortWording(
        claim=(
            "Scores of \u201c{subject}\u201d differ by group: {count} studies with {against} lie {value:+.1f} standard "
            "deviations from the other {others}, among studies whose reports say the same of the finding "
            "(threshold {limit:g}; corrected p = {q:.1g})."
        ),
        limits=_NOT_BIAS,
        advice="Compare with labels before one threshold is used for all groups.",
        either=True,
    ),
    f"{differences.SUBGROUP}.{differences.CONCENTRATION}": CohortWording(
        claim=(
            "Maps of \u201c{subject}\u201d are otherwise concentrated in {count} studies with {against}: "
            "{value:+.1f} standard deviations from the other {others} (threshold {limit:g}; corrected p = {q:.1g})."
        ),
        limits=_NOT_BIAS,
        advice="Look at maps of both groups side by side.",
        either=True,
    ),
    f"{differences.SUBGROUP}.{differences.FLAGGED}": CohortWording(
        claim=(
            "Findings of \u201c{subject}\u201d are raised on {value:+.0%} of {count} studies with {against} beside "
            "the other {others} (threshold {limit:.0%}; corrected p = {q:.1g})."
        ),
        limits="It shows where findings gather, not why. Without labels it is a disparity and no bias.",
        advice="Look at the studies named together: what fails alike may have one cause.",
        either=True,
    ),
    f"{likeness.CHECK}.{likeness.CLOSENESS}": CohortWording(
        claim=(
            "Studies with the finding \u201c{against}\u201d of \u201c{subject}\u201d look alike to the model: pairs of "
            "the {count} that have it are {value:.1f} standard deviations closer than pairs drawn at random from them "
            "and the other {others}, among studies whose reports say the same of the finding (threshold {limit:g}; "
            "corrected p = {q:.1g})."
        ),
        limits=(
            "A group is a place to look, not a cause. What is measured from the embedding itself, such as a margin "
            "between scores, makes studies somewhat alike by that alone; so do several studies of one patient."
        ),
        advice="Look at the studies named together, the most typical first, and at what is commoner among them.",
    ),
    f"{probe.CHECK}.{probe.RANKING}": CohortWording(
        claim=(
            "The embedding tells {against} from other studies: a straight line through it ranks them right in "
            "{value:.0%} of pairs ({count} and {others} studies; threshold {limit:.0%}; corrected p = {q:.1g})."
        ),
        limits="That it could be read does not show that any score rests on it.",
        advice="Look at the differences of scores between the same groups.",
    ),
    f"{drift.CHECK}.{drift.TREND}": CohortWording(
        claim=(
            "The score of \u201c{subject}\u201d moves with the years {against}: rank correlation {value:+.2f} over "
            "{count} studies (threshold {limit:g}; corrected p = {q:.1g})."
        ),
        limits=(
            "It does not show why: scanners, patients and reporting change with the years too, and a mean that stays "
            "hides changes that cancel."
        ),
        advice="See what changed with the years: scanners, protocols, who was examined.",
        either=True,
    ),
}
"""``check.quantity`` -> its words; ``thresholds`` of a pipeline may have these keys beside those of single studies."""


def judge_cohort(case: CohortCase, thresholds: Mapping[str, Threshold]) -> CohortAudit:
    """Every measurement, and the findings: beyond their threshold, and beyond chance where that is tested."""
    measurements = tuple(one for check in CHECKS for one in check(case))
    findings = []
    for one in measurements:
        key = f"{one.check}.{one.quantity}"
        threshold, wording = thresholds.get(key), WORDINGS.get(key)
        if threshold is None or wording is None or (one.q is not None and one.q >= case.level):
            continue
        if wording.beyond(one.value, threshold.limit):
            words = {**asdict(one), "limit": threshold.limit}
            claim = wording.claim.format(**words)
            claim += erasure.what_reports_tell(case, one) + likeness.what_they_share(one, measurements, case.level)
            advice = wording.advice.format(**words)
            findings.append(CohortFinding(one, threshold.limit, threshold.severity, claim, wording.limits, advice))
    return CohortAudit(len(case.studies), case.level, measurements, weightiest_first(findings), _notes(case))


def _notes(case: CohortCase) -> tuple[str, ...]:
    """What could not be asked."""
    notes = []
    if len(case.studies) < 2 * case.smallest:
        notes.append(
            f"{len(case.studies)} studies: differences need {case.smallest} on either side, so few or none were "
            "measured."
        )
    if not any(one.source == "report" for one in case.told):
        notes.append(
            "No report text was read, so studies could not be compared among those whose reports say the same."
        )
    if case.raised and case.images is None:
        notes.append("The store has no embeddings, so nothing was measured of studies that have a finding in common.")
    return tuple(notes)
