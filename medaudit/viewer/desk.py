"""One reader's review of one study while it is being written: saved at every change, never lost to another window."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from medaudit.errors import ReviewConflictError
from medaudit.records import Finding, ImageAudit
from medaudit.records.review import Decision, Review, SignedReview, Subject, Target, merged
from medaudit.store.review_store import Draft, ReviewStore, Status


@dataclass(slots=True)
class Desk:
    """A review as this window has it.

    ``rival`` is what this window wanted to write where another window had changed the same part: it waits here until
    the reader has chosen.
    """

    store: ReviewStore
    draft: Draft
    rival: Review | None = None
    target: Target | None = None

    @classmethod
    def open(cls, store: ReviewStore, study: str, reader: str) -> "Desk":
        """The review as it was last saved."""
        return cls(store, store.draft(study, reader))

    @property
    def review(self) -> Review:
        """What this window shows."""
        return self.rival or self.draft.review

    def change(self, edit: Callable[[Review], Review]) -> None:
        """Edit the review and save it at once; where another window changed another part, both changes are kept."""
        mine = edit(self.review)
        if mine == self.review:
            return
        if self.rival is not None:  # the reader has not chosen yet: go on collecting
            self.rival = mine
            return
        try:
            self.draft = self.store.save(mine, self.draft.version)
        except ReviewConflictError:
            now = self.store.draft(mine.study, mine.reader)
            both = merged(self.draft.review, mine, now.review)
            if both is None:
                self.rival = mine
            else:
                self.draft = self.store.save(both, now.version)

    def keep_mine(self) -> None:
        """Write this window's version over what the other window saved."""
        mine = self.review
        self.draft, self.rival = self.store.draft(mine.study, mine.reader), None
        self.draft = self.store.save(mine, self.draft.version)

    def take_theirs(self) -> None:
        """Give up this window's version for what the other window saved."""
        mine = self.review
        self.draft, self.rival = self.store.draft(mine.study, mine.reader), None


def targets(audit: ImageAudit) -> tuple[Target, ...]:
    """What a reader decides on for an image: every finding, and every asked prompt's map that no finding is about."""
    image = audit.record.image
    about = {finding.measurement.subject for finding in audit.findings}
    found = [Target(image, Subject.FINDING, position) for position in range(len(audit.findings))]
    maps = [
        Target(image, Subject.MAP, position)
        for position, one in enumerate(audit.attributions)
        if one.prompt.kind.is_compared and one.prompt.text not in about
    ]
    return (*found, *maps)


def target_at(audit: ImageAudit, review: Review, prompt: int) -> Target | None:
    """What is decided on while the map of a prompt is shown: what is about it, open ones first; else the first open."""
    asked = targets(audit)
    about = [target for target in asked if target_prompt(audit, target) == prompt]
    open_ones = review.open_targets((*about, *asked))
    return next(iter((*review.open_targets(about), *about, *open_ones, *asked)), None)


def target_name(audit: ImageAudit, target: Target) -> str:
    """What a page calls a target: the finding's claim, or the prompt whose map it is."""
    if target.subject is Subject.FINDING:
        return _finding(audit, target).claim
    return f"Map of “{audit.attributions[target.position].prompt.text}”"


def target_prompt(audit: ImageAudit, target: Target) -> int | None:
    """Place of the prompt that a target is about; None where the image was not asked it."""
    if target.subject is Subject.MAP:
        return target.position
    subject = _finding(audit, target).measurement.subject
    return next((place for place, one in enumerate(audit.attributions) if one.prompt.text == subject), None)


def _finding(audit: ImageAudit, target: Target) -> Finding:
    return audit.findings[target.position]


def decided(review: Review, target: Target, decision: Decision) -> Review:
    """The review with a decision on a target; the reason and the text stay."""
    return review.with_answer(replace(review.answer_to(target), decision=decision))


def others_of(signed: tuple[SignedReview, ...], reader: str) -> tuple[SignedReview, ...]:
    """The latest edition of every other reader."""
    latest = {one.review.reader: one for one in signed}  # editions come in order
    return tuple(one for name, one in latest.items() if name != reader)


def shows_others(status: Status, *, reads_all: bool) -> bool:
    """Blind double reading: others' decisions show once one's own review is signed, or to a lead."""
    return reads_all or status in (Status.SIGNED, Status.AMENDING)
