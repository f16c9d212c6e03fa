"""What a report says of all studies together: counts, ranks and groups; nothing here draws."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from medaudit.figures.neighbours import Neighbours
from medaudit.records import (
    Attribution,
    CohortAudit,
    FileFate,
    FileRecord,
    ImageAudit,
    Prompt,
    PromptKind,
    RunRecord,
    Severity,
)
from medaudit.records.review import SignedReview
from medaudit.report.statistics import Interval, by_group, difference_interval, mean_interval
from medaudit.store.placed import CohortRows, PlacedFinding, PlacedScore
from medaudit.store.worklist import StudySummary

GROUPED = ("PatientSex", "AgeBand", "ViewPosition", "Modality", "Manufacturer", "ManufacturerModelName", "StudyYear")
"""The elements by which studies are grouped."""

INVENTORY = ("Modality", "BodyPartExamined", "ViewPosition", "PatientSex", "AgeBand", "StudyYear", "Manufacturer")
"""The elements whose values are counted, in this order; ``ManufacturerModelName`` follows."""

FURTHEST = 3
"""Studies named with a finding."""

Image = tuple[str, str]
"""(study, image), by code."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Files that were not audited, for one reason."""

    fate: FileFate
    stage: str
    reason: str
    files: int


@dataclass(frozen=True, slots=True)
class Raised:
    """One check's findings about one prompt, or about all prompts where ``subject`` is empty."""

    check: str
    quantity: str
    subject: str
    severity: Severity
    threshold: float
    measured: tuple[float, ...]
    found: tuple[PlacedFinding, ...]

    @property
    def share(self) -> float:
        """Share of the measurements that lie beyond the threshold."""
        return len(self.found) / len(self.measured)

    @property
    def studies(self) -> int:
        """Studies with such a finding."""
        return len({one.study for one in self.found})

    @property
    def furthest(self) -> tuple[str, ...]:
        """Codes of the studies whose value lies furthest beyond the threshold, at most :data:`FURTHEST`."""
        ordered = sorted(
            self.found, key=lambda one: (-abs(one.finding.measurement.value - self.threshold), one.study, one.image)
        )
        return tuple(dict.fromkeys(one.study for one in ordered))[:FURTHEST]


@dataclass(frozen=True, slots=True)
class Group:
    """One prompt in one group of studies: its mean score, and that less the mean of all other studies."""

    prompt: str
    name: str
    mean: Interval
    difference: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Exemplar:
    """A study that shows a finding over all studies best: an image of it, with the map of the finding's prompt."""

    image: ImageAudit
    attribution: Attribution


@dataclass(frozen=True)
class Cohort:
    """All that the report of a cohort is made from.

    ``documents`` are the studies whose own report lies beside it; ``signed`` every signed review;
    ``across`` what was measured over all studies together (None in an audit of an earlier medaudit), and ``exemplars``
    the pictures of its weightiest findings, by (subject, against); ``neighbours`` of every study with a finding.
    """

    run: RunRecord
    studies: tuple[StudySummary, ...]
    rows: CohortRows
    fates: Mapping[FileFate, int]
    exclusions: tuple[Exclusion, ...]
    documents: frozenset[str] = frozenset()
    signed: tuple[SignedReview, ...] = ()
    across: CohortAudit | None = None
    exemplars: Mapping[tuple[str, str], tuple[Exemplar, ...]] = field(default_factory=dict)
    neighbours: tuple[Neighbours, ...] = ()

    @property
    def images(self) -> int:
        """Audited images."""
        return sum(study.images for study in self.studies)

    @cached_property
    def scores(self) -> Mapping[Image, tuple[PlacedScore, ...]]:
        """Scores of each image, in the order asked."""
        found: dict[Image, list[PlacedScore]] = {}
        for one in self.rows.scores:
            found.setdefault((one.study, one.image), []).append(one)
        return {image: tuple(scores) for image, scores in found.items()}

    @cached_property
    def prompts(self) -> Mapping[Prompt, tuple[float, ...]]:
        """Cosines by prompt, in the order asked; report sentences, which differ from study to study, are left out."""
        found: dict[Prompt, list[float]] = {}
        for one in self.rows.scores:
            if one.prompt.kind is not PromptKind.REPORT:
                found.setdefault(one.prompt, []).append(one.similarity)
        return {prompt: tuple(values) for prompt, values in found.items()}

    @cached_property
    def sentences(self) -> tuple[float, ...]:
        """Cosines of all report sentences."""
        return tuple(one.similarity for one in self.rows.scores if one.prompt.kind is PromptKind.REPORT)

    @property
    def finding_prompts(self) -> tuple[Prompt, ...]:
        """The finding prompts, in the order asked."""
        return tuple(prompt for prompt in self.prompts if prompt.kind is PromptKind.FINDING)

    def margins(self, prompt: Prompt, over: PromptKind) -> dict[Image, float]:
        """Cosine of a finding prompt less the mean of the prompts of a kind on the same image, where both are."""
        found: dict[Image, float] = {}
        for image, scores in self.scores.items():
            own = [one.similarity for one in scores if one.prompt == prompt]
            others = [
                one.similarity
                for one in scores
                if one.prompt.kind is over and (over is not PromptKind.NEGATED or one.prompt.finding == prompt.finding)
            ]
            if own and others:
                found[image] = own[0] - fmean(others)
        return found

    @cached_property
    def has_controls(self) -> bool:
        """Whether a control prompt was asked."""
        return any(prompt.kind is PromptKind.CONTROL for prompt in self.prompts)

    @cached_property
    def study_scores(self) -> Mapping[Prompt, Mapping[str, float]]:
        """One value a study and finding prompt: the mean over its images of the margin to the control prompts.

        The mean cosine where no control prompt was asked.
        """
        return {prompt: _by_study(self._image_scores(prompt)) for prompt in self.finding_prompts}

    def _image_scores(self, prompt: Prompt) -> dict[Image, float]:
        if self.has_controls:
            return self.margins(prompt, PromptKind.CONTROL)
        return {
            image: one.similarity for image, scores in self.scores.items() for one in scores if one.prompt == prompt
        }

    @cached_property
    def measured(self) -> Mapping[tuple[str, str], Mapping[str, tuple[float, ...]]]:
        """Values of every check and quantity, by the prompt that they are about."""
        found: dict[tuple[str, str], dict[str, list[float]]] = {}
        for one in self.rows.measurements:
            key = (one.measurement.check, one.measurement.quantity)
            found.setdefault(key, {}).setdefault(one.measurement.subject, []).append(one.measurement.value)
        return {
            key: {subject: tuple(values) for subject, values in subjects.items()} for key, subjects in found.items()
        }

    @cached_property
    def kinds(self) -> tuple[Raised, ...]:
        """Findings by check and quantity, ranked: severity, then share beyond the threshold, then name."""
        found: dict[tuple[str, str], list[PlacedFinding]] = {}
        for one in self.rows.findings:
            found.setdefault((one.finding.measurement.check, one.finding.measurement.quantity), []).append(one)
        return _ranked(
            _raised(key, "", [value for values in self.measured[key].values() for value in values], placed)
            for key, placed in found.items()
        )

    def by_prompt(self, kind: Raised) -> tuple[Raised, ...]:
        """The findings of one kind by the prompt that they are about, ranked in the same way."""
        found: dict[str, list[PlacedFinding]] = {}
        for one in kind.found:
            found.setdefault(one.finding.measurement.subject, []).append(one)
        key = (kind.check, kind.quantity)
        return _ranked(_raised(key, subject, self.measured[key][subject], placed) for subject, placed in found.items())

    def values_of(self, keyword: str) -> dict[str, tuple[str, ...]]:
        """Values of an element by study: the study's own, else the distinct ones of its images."""
        found: dict[str, tuple[str, ...]] = {}
        for study in self.studies:
            own = study.elements.get(keyword)
            values = (own,) if own else study.image_elements.get(keyword, ())
            if values:
                found[study.study] = tuple(values)
        return found

    def counts_of(self, keyword: str) -> dict[str, int]:
        """Studies by the value of an element, commonest first."""
        counts = Counter(value for values in self.values_of(keyword).values() for value in values)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def groups(self, keyword: str, smallest: int) -> tuple[Group, ...]:
        """Each finding prompt in each group of at least ``smallest`` studies; nothing where fewer than two groups are.

        A study whose images differ in the element belongs to no group.
        """
        group_of = {study: values[0] for study, values in self.values_of(keyword).items() if len(values) == 1}
        found: list[Group] = []
        for prompt, scores in self.study_scores.items():
            groups = by_group(scores, group_of, smallest)
            if len(groups) < 2:
                continue
            for name, values in groups.items():
                others = [scores[study] for study in sorted(scores) if group_of.get(study) not in (name, None)]
                found.append(Group(prompt.text, name, mean_interval(values), difference_interval(values, others)))
        return tuple(found)


def exclusions(files: Iterable[FileRecord]) -> tuple[Exclusion, ...]:
    """Reasons of the files that were not audited, commonest first; no file is named."""
    used = (FileFate.AUDITED, FileFate.TEXT)
    counts = Counter((file.fate, file.stage, file.reason) for file in files if file.fate not in used)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Exclusion(*key, count) for key, count in ordered)


def _by_study(by_image: Mapping[Image, float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for (study, _), value in by_image.items():
        found.setdefault(study, []).append(value)
    return {study: fmean(values) for study, values in found.items()}


def _raised(key: tuple[str, str], subject: str, measured: Iterable[float], found: list[PlacedFinding]) -> Raised:
    gravest = max((one.finding for one in found), key=lambda finding: finding.severity.rank)
    return Raised(*key, subject, gravest.severity, gravest.threshold, tuple(measured), tuple(found))


def _ranked(raised: Iterable[Raised]) -> tuple[Raised, ...]:
    return tuple(sorted(raised, key=lambda one: (-one.severity.rank, -one.share, one.check, one.quantity, one.subject)))
