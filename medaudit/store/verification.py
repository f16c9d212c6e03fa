"""Whether reviews, their journal and the audit that was signed upon still belong together."""

from dataclasses import dataclass
from pathlib import Path

from medaudit.errors import StoreError
from medaudit.records.review import SignedReview
from medaudit.store.audit_store import AuditStore
from medaudit.store.digest import audit_identity
from medaudit.store.review_store import ReviewStore


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found: how many entries and signatures, the head, and every fault in a sentence."""

    entries: int
    signatures: int
    head: str
    faults: tuple[str, ...]


def open_reviews(folder: Path, database: str | None = None) -> ReviewStore:
    """The reviews of the audit in a folder; StoreError where the folder holds none."""
    with AuditStore.open(folder) as audit:
        identity = audit_identity(audit.run())
    return ReviewStore.open(folder, identity, database)


def verify_reviews(folder: Path, database: str | None = None, kept: tuple[str, ...] = ()) -> Verification:
    """Check the chain, every row that it tells of, every record that was signed upon, and the heads kept elsewhere."""
    with AuditStore.open(folder) as audit, open_reviews(folder, database) as reviews:
        faults = reviews.faults(kept)
        number, head = reviews.head()
        signed = reviews.signed()
        if not faults:  # what was tampered with says nothing of the audit
            faults = [fault for one in signed for fault in _record_faults(audit, one)]
    return Verification(number, len(signed), head, tuple(faults))


def _record_faults(audit: AuditStore, signed: SignedReview) -> list[str]:
    review = signed.review
    what = f"edition {signed.edition} of {review.reader} on study {review.study}"
    try:
        now = audit.study_digest(review.study)
    except StoreError:
        return [f"{what}: the audit holds this study no longer"]
    return [] if now == signed.record_sha256 else [f"{what}: the audited record is not the one that was signed upon"]
