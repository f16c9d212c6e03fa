"""Tampering with reviews.sqlite is found, whatever is done to it."""

import hashlib
import json
import re

import pytest
import sqlalchemy as sa

from medaudit.records.review import Answer, Decision, Meaning, Review, Subject, Target
from medaudit.store import journal
from medaudit.store.review_store import ReviewStore

AUDIT = "a" * 32


@pytest.fixture
def store(tmp_path):
    """Six entries: a passphrase, three drafts, a signature, one more draft."""
    answer = Answer(Target("image", Subject.MAP, 2), Decision.DISAGREE)
    with ReviewStore.open(tmp_path, AUDIT) as made:
        made.set_passphrase("reader", "correct horse")
        for version, conclusion in enumerate(("one", "two", "three")):
            made.save(Review("study", "reader", (answer,), (), conclusion), version)
        made.sign(
            "study",
            "reader",
            3,
            printed_name="Dr A. Reader",
            meaning=Meaning.REVIEW,
            record_sha256="b" * 64,
            credential_kind="passphrase",
        )
        made.save(Review("study", "reader", (answer,), (), "four"), 3)
        yield made


def tamper(store, statement):
    with store._engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount


def test_the_chain_is_the_one_that_is_documented(store):
    previous = hashlib.sha256(f"medaudit journal 1 of {AUDIT}".encode()).hexdigest()
    for number, entry in enumerate(store.journal(), 1):
        assert json.dumps(json.loads(entry.content), sort_keys=True, separators=(",", ":")) == entry.content
        previous = hashlib.sha256(f"{previous}\n{number}\n{entry.content}".encode()).hexdigest()
        assert entry.digest == previous
    assert store.head() == (6, previous)
    assert store.faults() == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE journal SET content = replace(content, 'draft', 'drift') WHERE number = 3", "entry 3 was changed"),
        ("UPDATE journal SET content = 'no json' WHERE number = 6", "entry 6 was changed"),
        ("UPDATE journal SET digest = '00' WHERE number = 2", "entry 2 was changed"),
        ("DELETE FROM journal WHERE number = 1", "entry 1 is missing"),
        ("DELETE FROM journal WHERE number = 4", "entry 4 is missing"),
        ("DELETE FROM journal WHERE number = 6", "ends at entry 5, its head states entry 6"),
        ("DELETE FROM journal", "ends at entry 0, its head states entry 6"),
        ("UPDATE journal_head SET number = 5", "ends at entry 6, its head states entry 5"),
        ("DELETE FROM journal_head", "ends at entry 6, its head states entry 0"),
        ("UPDATE draft SET content = replace(content, 'four', 'five')", "draft of reader on study study was changed"),
        ("DELETE FROM draft", "draft of reader on study study is gone"),
        ("UPDATE draft SET reader = 'another'", "draft of another on study study is not in the journal"),
        ("UPDATE draft SET signed_version = 4", "its version is not the one in the journal"),
        ("UPDATE signed SET content = replace(content, 'Dr A', 'Dr B')", "signed edition 1 of reader .* was changed"),
        ("DELETE FROM signed", "signed edition 1 of reader on study study is gone"),
        ("UPDATE credential SET hashed = 'scrypt'", "passphrase of reader was changed"),
    ],
)
def test_tampering_is_found(store, statement, fault):
    tamper(store, statement)
    assert any(re.search(fault, found) for found in store.faults()), store.faults()


def test_another_order_is_found(store):
    tamper(store, "UPDATE journal SET number = CASE number WHEN 3 THEN 103 ELSE 104 END WHERE number IN (3, 4)")
    tamper(store, "UPDATE journal SET number = CASE number WHEN 103 THEN 4 ELSE 3 END WHERE number > 100")
    assert any("entry 3 does not follow" in found for found in store.faults())


def rewritten(store, keep):
    """Cut the journal, its head and the rows after ``keep`` entries so that all agree, as one who knows how would."""
    kept = store.journal()[keep - 1]
    tamper(store, f"DELETE FROM journal WHERE number > {keep}")  # noqa: S608 - our own number
    tamper(store, f"UPDATE journal_head SET number = {keep}, digest = '{kept.digest}'")  # noqa: S608
    tamper(store, "DELETE FROM signed")
    old = Review("study", "reader", (Answer(Target("image", Subject.MAP, 2), Decision.DISAGREE),), (), "three")
    with store._engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM draft"))
    from medaudit.store.review_rows import from_review
    from medaudit.store.review_schema import draft

    row = {"audit": AUDIT, "study": "study", "reader": "reader", "version": 3, "signed_version": 0}
    with store._engine.begin() as connection:
        connection.execute(sa.insert(draft), row | {"content": from_review(old)})


def test_a_tail_cut_by_one_who_knows_how_is_found_with_the_head_that_was_printed(store):
    signed_head = store.journal()[4].digest
    assert store.faults((signed_head,)) == []
    rewritten(store, keep=4)
    assert store.faults() == []  # all agrees: only what was kept elsewhere can tell
    (fault,) = store.faults((signed_head,))
    assert fault.startswith(f"no entry has the head {signed_head[:12]}")


def test_two_audits_in_one_database_have_chains_of_their_own(store, tmp_path):
    with ReviewStore.open(tmp_path, "c" * 32) as other:
        other.save(Review("study", "reader"), 0)
        assert [entry.number for entry in other.journal()] == [1]
        assert other.faults() == []
    assert store.faults() == []
    assert journal.first_link(AUDIT) != journal.first_link("c" * 32)
