"""Measurements and thresholds -> findings, in plain words. The only place where a number becomes a claim."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medaudit.audit.checks import (
    faithfulness,
    laterality,
    negation,
    out_of_distribution,
    paraphrase,
    prompt_control,
    randomisation,
    regions,
    stability,
)
from medaudit.records import Finding, Measurement, Severity, gravest_first


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where a measurement becomes a finding: beyond ``limit``, on the side that the check calls bad."""

    limit: float
    severity: Severity


@dataclass(frozen=True, slots=True)
class Wording:
    """What a finding of one check says. ``above`` tells which side of the threshold is bad.

    ``claim`` is filled with ``subject``, ``against``, ``value`` and ``limit``.
    """

    above: bool
    claim: str
    limits: str
    advice: str


_HALF_SHOWN = (
    "It does not show what the similarity rests on instead. A picture that is partly blurred is one that the model was "
    "not trained on."
)

_OF_THE_METHOD = (
    "It does not show that the similarity is wrong. It is about the method on this model, and hardly about this "
    "picture: where the model looks at what is bright or sharp anyway, the map of a random model may lie there too."
)
_LOOK_AT_THE_PICTURE = (
    "Look whether the picture belongs here: view, body part, orientation, window. Do not use its scores until then."
)
_UNLIKE = (
    "It does not show that the scores are wrong, and a picture that is no different may be scored wrongly as well. "
    "What is usual is what the model was calibrated on, not what it was trained on."
)

WORDINGS: Mapping[str, Wording] = {
    f"{prompt_control.CHECK}.{prompt_control.MAP_RANK_CORRELATION}": Wording(
        above=True,
        claim=(
            "The map for \u201c{subject}\u201d follows the image more than the prompt: "
            "its rank correlation with the maps of {against} is {value:.2f} (threshold {limit:g})."
        ),
        limits=(
            "It does not show that the similarity is wrong, only that this map cannot tell what it rests on: "
            "prompts that have nothing to do with the image get much the same map."
        ),
        advice="Do not read this map as evidence for the finding. Compare blocks, methods and models on the cohort.",
    ),
    f"{negation.CHECK}.{negation.ABSOLUTE_MARGIN}": Wording(
        above=False,
        claim=(
            "The model hardly tells \u201c{subject}\u201d from \u201c{against}\u201d: "
            "their similarities differ by {value:.4f} (threshold {limit:g})."
        ),
        limits="It does not show which of the two is true of this image; that needs a reader or a label.",
        advice="Do not use the similarity of either prompt alone. Check on the cohort whether negation is read at all.",
    ),
    f"{regions.CHECK}.{regions.RELEVANCE_EXCESS}": Wording(
        above=True,
        claim=(
            "The map for \u201c{subject}\u201d points at {against}: that holds {value:.0%} more of the relevance "
            "than its share of the picture would give (threshold {limit:.0%})."
        ),
        limits=(
            "It does not show that the area is what its name says: areas are found by their looks, and none is "
            "certain. Relevance that lies there is no proof that the similarity depends on it; the filled picture is."
        ),
        advice="Look at the map and the picture. Compare with the change of the similarity when the area is filled.",
    ),
    f"{regions.CHECK}.{regions.CHANGE_EXCESS}": Wording(
        above=True,
        claim=(
            "The similarity of \u201c{subject}\u201d rests on {against}: filled with its surroundings, it changes by "
            "more than any part of the same shape elsewhere does, {value:.2f} of the spread between prompts more "
            "(threshold {limit:g})."
        ),
        limits=(
            "It does not show that the finding is absent or present. Areas are candidates, found by their looks, and "
            "a filled picture is one that the model was not trained on."
        ),
        advice=(
            "Look at what lies in the area. Do not use the similarity of this study for the finding, and see on the "
            "cohort whether the same area carries it again."
        ),
    ),
    f"{regions.CHECK}.{regions.LINE_CHANGE_EXCESS}": Wording(
        above=True,
        claim=(
            "The similarity of \u201c{subject}\u201d rests on {against}: filled with their surroundings, they change "
            "it by more than any part of the same shape elsewhere, {value:.2f} of the spread between prompts more "
            "(threshold {limit:g})."
        ),
        limits=(
            "It does not show that the lines are devices: tubes, leads and wires are such lines, and so are plates of "
            "atelectasis, fissures and edges of ribs, on which a finding may rightly rest."
        ),
        advice="Look whether the lines are a device; if so, see on the cohort whether devices carry the finding again.",
    ),
    f"{regions.CHECK}.{regions.PERMUTATION_P}": Wording(
        above=False,
        claim=(
            "Filling {against} changes the similarity of \u201c{subject}\u201d as few same-shape parts elsewhere do "
            "(permutation p = {value:.2g}, threshold {limit:g})."
        ),
        limits="It does not show that the change is large, and of many such tests some come out small by chance.",
        advice="Read it with the size of the change, and on the cohort with a correction for the number of tests.",
    ),
    f"{regions.CHECK}.{regions.INSERTED_CHANGE}": Wording(
        above=True,
        claim=(
            "The similarity of \u201c{subject}\u201d changes with {against}: by {value:.2f} of the spread between "
            "prompts (threshold {limit:g})."
        ),
        limits=(
            "It does not show that letters which stand in the picture already had an influence, only that the model "
            "does not ignore them."
        ),
        advice="Mask letters before the model sees them, or choose a model that ignores them. Check on the cohort.",
    ),
    f"{faithfulness.CHECK}.{faithfulness.DROP}": Wording(
        above=True,
        claim=(
            "Shown through its own map, the picture loses {value:.2f} of the spread between prompts of its similarity "
            "with \u201c{subject}\u201d (threshold {limit:g})."
        ),
        limits=_HALF_SHOWN,
        advice="Hold it against the same number of the control maps: faithfulness, kept advantage.",
    ),
    f"{faithfulness.CHECK}.{faithfulness.INCREASE}": Wording(
        above=True,
        claim="Shown through its own map, the picture fits \u201c{subject}\u201d better than the whole picture does.",
        limits=_HALF_SHOWN,
        advice="Count it over the cohort, beside the control maps; of one picture it says little.",
    ),
    f"{faithfulness.CHECK}.{faithfulness.KEPT}": Wording(
        above=False,
        claim=(
            "The map for \u201c{subject}\u201d keeps no more of the similarity than maps that know nothing: "
            "{value:+.2f} of the spread between prompts against the best of {against} (threshold {limit:g})."
        ),
        limits=_HALF_SHOWN,
        advice="Do not read this map as the reason for the similarity. Compare blocks and methods on the cohort.",
    ),
    f"{faithfulness.CHECK}.{faithfulness.INSERTION}": Wording(
        above=False,
        claim=(
            "Inserted in the order of its map, the picture reaches the similarity of \u201c{subject}\u201d no sooner "
            "than by maps that know nothing: {value:+.2f} of the spread between prompts against the best of {against} "
            "(threshold {limit:g})."
        ),
        limits=_HALF_SHOWN,
        advice="Do not read this map as the reason for the similarity. Compare blocks and methods on the cohort.",
    ),
    f"{faithfulness.CHECK}.{faithfulness.DELETION}": Wording(
        above=False,
        claim=(
            "Deleted in the order of its map, the picture keeps the similarity of \u201c{subject}\u201d as long as by "
            "maps that know nothing: {value:+.2f} of the spread between prompts against the best of {against} "
            "(threshold {limit:g})."
        ),
        limits=_HALF_SHOWN,
        advice="Do not read this map as the reason for the similarity. Compare blocks and methods on the cohort.",
    ),
    f"{faithfulness.CHECK}.{faithfulness.ROAD}": Wording(
        above=False,
        claim=(
            "Taken away by its map, the least relevant parts of the picture matter to the similarity of "
            "\u201c{subject}\u201d as much as the most relevant, compared with maps that know nothing: {value:+.2f} of "
            "the spread between prompts against the best of {against} (threshold {limit:g})."
        ),
        limits=(
            "It does not show what the similarity rests on instead. What is taken away is filled in from its "
            "surroundings, with noise: a smooth part looks much as it did."
        ),
        advice="Do not read this map as the reason for the similarity. Compare blocks and methods on the cohort.",
    ),
    f"{laterality.CHECK}.{laterality.SWAP}": Wording(
        above=False,
        claim=(
            "In a mirrored picture the preference between \u201c{subject}\u201d and \u201c{against}\u201d stays more "
            "than it turns over ({value:.2f}, where 1 turns over and \u22121 stays; threshold {limit:g})."
        ),
        limits=(
            "It does not show on which side anything is. A finding on both sides, or in the middle, has no side to "
            "turn over."
        ),
        advice="Do not use this model to tell sides until the cohort shows that it does.",
    ),
    f"{paraphrase.CHECK}.{paraphrase.SPREAD}": Wording(
        above=True,
        claim=(
            "How \u201c{subject}\u201d is said matters: over it and {against} the similarity varies by {value:.2f} of "
            "the spread between all prompts (threshold {limit:g})."
        ),
        limits="It does not show which of the sentences is right, nor whether any is.",
        advice="Fix the sentences, or average over several, before similarities of findings are compared.",
    ),
    f"{stability.CHECK}.{stability.SCORE_CHANGE}": Wording(
        above=True,
        claim=(
            "A change that a reader would not mind ({against}) moves the similarity of \u201c{subject}\u201d by "
            "{value:.2f} of the spread between prompts (threshold {limit:g})."
        ),
        limits="It does not show which of the two similarities is right.",
        advice="Treat differences of this size between similarities as nothing. Check how the pictures are prepared.",
    ),
    f"{stability.CHECK}.{stability.MAP_RANK_CORRELATION}": Wording(
        above=False,
        claim=(
            "A change that a reader would not mind ({against}) gives \u201c{subject}\u201d another map: their rank "
            "correlation is {value:.2f} (threshold {limit:g})."
        ),
        limits="It does not show which of the two maps is right.",
        advice="Do not read details of this map. Compare blocks and methods on the cohort.",
    ),
    f"{stability.CHECK}.{stability.SEED_RANK_CORRELATION}": Wording(
        above=False,
        claim=(
            "The map for \u201c{subject}\u201d depends on chance: with {against} its rank correlation is {value:.2f} "
            "(threshold {limit:g})."
        ),
        limits="It does not show which of the two maps is right.",
        advice="Use more samples or steps, or a method without noise.",
    ),
    f"{randomisation.CHECK}.{randomisation.LAST_BLOCK}": Wording(
        above=True,
        claim=(
            "The map for \u201c{subject}\u201d hardly changes when the weights of the last image block are random: its "
            "rank correlation with that of {against} is {value:.2f} (threshold {limit:g})."
        ),
        limits=_OF_THE_METHOD,
        advice="See whether it changes when all blocks are random. If it does not, do not use this method.",
    ),
    f"{randomisation.CHECK}.{randomisation.ALL_BLOCKS}": Wording(
        above=True,
        claim=(
            "The map for \u201c{subject}\u201d hardly changes when all weights of the image tower\u2019s blocks are "
            "random: its rank correlation with that of {against} is {value:.2f} (threshold {limit:g})."
        ),
        limits=_OF_THE_METHOD,
        advice="Do not read this method\u2019s maps as what the model has learnt. Compare methods: medaudit methods.",
    ),
    f"{out_of_distribution.CHECK}.{out_of_distribution.EMBEDDING_QUANTILE}": Wording(
        above=True,
        claim=(
            "To the model {subject} is unlike those that it was calibrated on: {value:.1%} of {against} lie nearer "
            "to their mean by its features (threshold {limit:.1%})."
        ),
        limits=_UNLIKE,
        advice=_LOOK_AT_THE_PICTURE,
    ),
    f"{out_of_distribution.CHECK}.{out_of_distribution.PICTURE_QUANTILE}": Wording(
        above=True,
        claim=(
            "In brightness, sharpness or layout {subject} is unlike those that the model was calibrated on: "
            "{value:.1%} of {against} lie nearer to their mean (threshold {limit:.1%})."
        ),
        limits=_UNLIKE,
        advice=_LOOK_AT_THE_PICTURE,
    ),
}
"""``check.quantity`` -> its words; its keys are the keys that ``thresholds`` of a pipeline may have."""


def findings(measurements: Iterable[Measurement], thresholds: Mapping[str, Threshold]) -> tuple[Finding, ...]:
    """Findings of the measurements that lie beyond their threshold, worst severity first, else in order.

    A measurement without a threshold stays a measurement.
    """
    raised = []
    for measurement in measurements:
        key = f"{measurement.check}.{measurement.quantity}"
        threshold = thresholds.get(key)
        if threshold is None:
            continue
        wording = WORDINGS[key]
        beyond = measurement.value > threshold.limit if wording.above else measurement.value < threshold.limit
        if beyond:
            claim = wording.claim.format(
                subject=measurement.subject,
                against=measurement.against,
                value=measurement.value,
                limit=threshold.limit,
            )
            raised.append(
                Finding(measurement, threshold.limit, threshold.severity, claim, wording.limits, wording.advice)
            )
    return gravest_first(raised)
