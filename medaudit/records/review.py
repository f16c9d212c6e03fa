"""What a reader says of an audited study: decisions, regions, a conclusion, and the signature under them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Decision(StrEnum):
    """What a reader says to one finding or map."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNSURE = "unsure"


class Reason(StrEnum):
    """Why, in a closed vocabulary that can be counted; the free text says the rest."""

    ON_ANATOMY = "the map lies on the anatomy in question"
    ELSEWHERE = "the map lies elsewhere"
    DEVICE = "it rests on a device, a marker or the border"
    NOT_APPLICABLE = "the sentence does not apply to this picture"
    QUALITY = "the picture is not good enough to say"
    THRESHOLD = "the number is right, its threshold is not"
    OTHER = "another reason, see the text"


class Subject(StrEnum):
    """What a decision is about."""

    FINDING = "finding"
    MAP = "map"


class Meaning(StrEnum):
    """What a signature means (21 CFR 11.50 (a)(3))."""

    REVIEW = "review"
    APPROVAL = "approval"
    RESPONSIBILITY = "responsibility"
    AUTHORSHIP = "authorship"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One finding, or the map of one prompt, by its place (from 0) among those of an image."""

    image: str
    subject: Subject
    position: int

    def __post_init__(self) -> None:
        if self.position < 0:
            msg = f"Target.position: expected 0 or more; got {self.position}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reader's decision on one target, with a reason and free text; None until decided."""

    target: Target
    decision: Decision | None = None
    reason: Reason | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A closed outline that a reader drew on an image.

    ``points`` are (row, column) in stored pixels, fractional; a pixel's centre is a whole number. A box has four.
    """

    image: str
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            msg = f"Region.points: expected three corners or more; got {len(self.points)}"
            raise ValueError(msg)
        if not all(len(point) == 2 and all(math.isfinite(value) for value in point) for point in self.points):
            msg = "Region.points: expected pairs of finite numbers (row, column)"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that one reader says of one study."""

    study: str
    reader: str
    answers: tuple[Answer, ...] = ()
    regions: tuple[Region, ...] = ()
    conclusion: str = ""

    def __post_init__(self) -> None:
        for name in ("study", "reader"):
            if not getattr(self, name).strip():
                msg = f"Review.{name}: expected a code; got an empty one"
                raise ValueError(msg)
        targets = [answer.target for answer in self.answers]
        if len(set(targets)) != len(targets):
            msg = "Review.answers: expected one answer a target; got two for one"
            raise ValueError(msg)

    def answer_to(self, target: Target) -> Answer:
        """The answer to a target; an empty one where there is none."""
        return next((answer for answer in self.answers if answer.target == target), Answer(target))

    def with_answer(self, answer: Answer) -> "Review":
        """The same review with one answer in place of an earlier one; answers stay in the order of their targets."""
        others = [one for one in self.answers if one.target != answer.target]
        return replace(self, answers=tuple(sorted((*others, answer), key=lambda one: one.target)))

    def with_regions(self, image: str, regions: Iterable[Region]) -> "Review":
        """The same review with the regions of one image in place of the earlier ones."""
        others = (region for region in self.regions if region.image != image)
        return replace(self, regions=(*others, *regions))

    def open_targets(self, targets: Iterable[Target]) -> tuple[Target, ...]:
        """Those of the targets that are not decided yet."""
        return tuple(target for target in targets if self.answer_to(target).decision is None)


@dataclass(frozen=True, slots=True)
class SignedReview:
    """A review as it was signed: never changed, followed by another edition where it is amended.

    ``edition`` counts from 1; ``signed_at`` is UTC in ISO 8601; ``record_sha256`` is the digest of the audited
    study that was signed upon; ``amendment`` says why from the second edition on.
    """

    review: Review
    edition: int
    printed_name: str
    meaning: Meaning
    signed_at: str
    record_sha256: str
    amendment: str = ""

    def __post_init__(self) -> None:
        if not self.printed_name.strip():
            msg = "SignedReview.printed_name: expected a name; got an empty one"
            raise ValueError(msg)
        if self.edition < 1 or (self.edition > 1) != bool(self.amendment.strip()):
            msg = (
                "SignedReview: expected edition 1 without a reason for an amendment, or a later one with it; "
                f"got edition {self.edition}"
            )
            raise ValueError(msg)


def merged(base: Review, mine: Review, theirs: Review) -> Review | None:
    """One review out of two that were made from the same one; None where both changed the same part differently.

    A part is the answer to one target, the regions of one image, or the conclusion.
    """
    result = theirs
    for target in sorted({answer.target for review in (base, mine) for answer in review.answers}):
        was, wanted, now = (review.answer_to(target) for review in (base, mine, theirs))
        if wanted not in (was, now):
            if now != was:
                return None
            result = result.with_answer(wanted)
    for image in sorted({region.image for review in (base, mine) for region in review.regions}):
        drawn = [tuple(region for region in review.regions if region.image == image) for review in (base, mine, theirs)]
        if drawn[1] not in (drawn[0], drawn[2]):
            if drawn[2] != drawn[0]:
                return None
            result = result.with_regions(image, drawn[1])
    if mine.conclusion not in (base.conclusion, theirs.conclusion):
        if theirs.conclusion != base.conclusion:
            return None
        result = replace(result, conclusion=mine.conclusion)
    return result
