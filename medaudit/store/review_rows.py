"""Reviews to canonical JSON and back through the records' own constructors."""

import json
from dataclasses import asdict
from typing import Any

from medaudit.records.review import Answer, Decision, Meaning, Reason, Region, Review, SignedReview, Subject, Target
from medaudit.store.journal import canonical


def from_review(review: Review) -> str:
    """A review as canonical JSON."""
    return canonical(asdict(review))


def to_review(content: str) -> Review:
    """Back from :func:`from_review`."""
    return _review(json.loads(content))


def from_signed(signed: SignedReview) -> str:
    """A signed review as canonical JSON: what its signature is bound to."""
    return canonical(asdict(signed))


def to_signed(content: str) -> SignedReview:
    """Back from :func:`from_signed`."""
    fields = json.loads(content)
    review = _review(fields.pop("review"))
    return SignedReview(review=review, meaning=Meaning(fields.pop("meaning")), **fields)


def _review(fields: dict[str, Any]) -> Review:
    return Review(
        fields["study"],
        fields["reader"],
        tuple(_answer(one) for one in fields["answers"]),
        tuple(Region(one["image"], tuple((row, column) for row, column in one["points"])) for one in fields["regions"]),
        fields["conclusion"],
    )


def _answer(fields: dict[str, Any]) -> Answer:
    target = fields["target"]
    return Answer(
        Target(target["image"], Subject(target["subject"]), target["position"]),
        Decision(fields["decision"]) if fields["decision"] else None,
        Reason(fields["reason"]) if fields["reason"] else None,
        fields["text"],
    )
