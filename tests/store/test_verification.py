import pytest
import sqlalchemy as sa

from medaudit.errors import StoreError
from medaudit.records.review import Answer, Decision, Meaning, Review, Subject, Target
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews, verify_reviews


@pytest.fixture
def signed(filled):
    """The head that was printed with the signature on a study."""
    with open_reviews(filled.folder) as reviews:
        reviews.save(Review("grave", "reader", (Answer(Target("image-0", Subject.FINDING, 0), Decision.AGREE),)), 0)
        _, entry = reviews.sign(
            "grave",
            "reader",
            1,
            printed_name="Dr A. Reader",
            meaning=Meaning.REVIEW,
            record_sha256=filled.study_digest("grave"),
            credential_kind="passphrase",
        )
    return entry.digest


def test_all_holds(filled, signed):
    found = verify_reviews(filled.folder, kept=(signed,))
    assert (found.entries, found.signatures, found.head, found.faults) == (2, 1, signed, ())


def test_an_audited_record_that_changed_is_found(filled, signed):
    with filled._engine.begin() as connection:
        connection.execute(sa.text("UPDATE attribution SET similarity = similarity + 1e-9 WHERE study = 'grave'"))
    (fault,) = verify_reviews(filled.folder).faults
    assert fault.endswith("on study grave: the audited record is not the one that was signed upon")


def test_a_study_that_is_gone_is_found(filled, signed):
    with filled._engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM study WHERE study = 'grave'"))
    (fault,) = verify_reviews(filled.folder).faults
    assert fault.endswith("the audit holds this study no longer")


def test_the_studys_digest(filled, store, build):
    before = {code: filled.study_digest(code) for code in ("calm", "grave")}
    assert before["calm"] != before["grave"]
    with filled._engine.begin() as connection:
        connection.execute(sa.text("UPDATE study SET seconds = 99"))
        connection.execute(sa.text("UPDATE finding SET claim = 'other' WHERE study = 'grave'"))
        connection.execute(sa.text("ALTER TABLE image ADD COLUMN later TEXT NOT NULL DEFAULT ''"))
    assert filled.study_digest("calm") == before["calm"]
    assert filled.study_digest("grave") != before["grave"]
    with pytest.raises(StoreError, match="no study nobody"):
        filled.study_digest("nobody")


def test_reviews_do_not_touch_the_audit(filled, signed):
    digest = filled.digest()
    with open_reviews(filled.folder) as reviews:
        reviews.save(Review("calm", "reader", (), (), "x"), 0)
    with AuditStore.open(filled.folder) as again:
        assert again.digest() == digest
