import csv
import io

from medaudit.records.review import Answer, Decision, Meaning, Reason, Review, SignedReview, Subject, Target
from medaudit.store.audit_store import AuditStore
from medaudit.viewer import cohort

YES, NO = Decision.AGREE, Decision.DISAGREE


def test_files_hold_every_row_and_no_formula(audit_folder, known):
    with AuditStore.open(audit_folder) as store:
        rows = store.cohort()
    table = list(csv.DictReader(io.StringIO(cohort.scores_csv(rows.scores).decode("utf-8-sig"))))
    assert len(table) == len(rows.scores) == 6 * 3 + 7
    assert table[0] == {
        "study": known.studies[0],
        "image": "I-1",
        "kind": "finding",
        "finding": "effusion",
        "prompt": known.prompts[0][0],
        "cosine_similarity": "0.318",
    }
    found = list(csv.DictReader(io.StringIO(cohort.findings_csv(rows.findings).decode("utf-8-sig"))))
    assert len(found) == 4
    hostile = Review("S", "=cmd()", (Answer(Target("I", Subject.MAP, 0), YES, Reason.OTHER, "+1+1"),), (), "@x")
    text = cohort.reviews_csv((SignedReview(hostile, 1, "-n", Meaning.REVIEW, "now", "0"),)).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert [row[name] for name in ("reader", "printed_name", "text", "conclusion")] == [
        "'=cmd()",
        "'-n",
        "'+1+1",
        "'@x",
    ]


def test_counts_are_of_studies(audit_folder):
    with AuditStore.open(audit_folder) as store:
        counts = cohort.finding_counts(store.cohort().findings)
    assert [(key[1], count) for key, count in counts.items()] == [
        ("margin", 1),
        ("unseen_share", 1),
        ("function_share", 2),
    ]


def test_chart_has_a_colour_a_group(audit_folder):
    with AuditStore.open(audit_folder) as store:
        values = cohort.score_values(store.cohort().scores, {"S-4F0A21C7": "F"})
    assert {one["group"] for one in values} == {"F", "not stated"}
    assert len(values) == 4 * 4
    assert cohort.score_chart(values, ("red", "blue"), "black")["encoding"]["color"]["scale"]["domain"] == [
        "F",
        "not stated",
    ]
