"""Phrasings as reports have them; the answer is that of a reader, not that of the rules."""

import pytest

from medaudit.dicom.negation import Mention, assertion_of, assertion_of_term, mentions
from medaudit.records import Assertion

AFFIRMED = (
    "Small right pleural effusion.",
    "There is a left lower lobe consolidation.",
    "Unchanged right pleural effusion.",
    "Cardiomegaly is unchanged.",
    "No significant change in the moderate left effusion.",
    "No interval change in bibasilar atelectasis.",
    "No change in the size of the nodule.",
    "Effusion has not changed since the prior study.",
    "The pneumothorax is not significantly changed.",
    "The edema has not resolved.",
    "No significant interval increase in the right effusion.",
    "Without change in the left apical nodule.",
    "Stable cardiomegaly with stable pulmonary vascular congestion.",
    "Opacities consistent with pneumonia.",
    "Findings in keeping with pulmonary edema.",
    "Infection with gram-negative organisms, pneumonia on the right.",
    "There is not only consolidation but also an effusion.",
    "No doubt about the large pneumothorax.",
    "Compared with radiograph No. 3 the effusion is larger.",
    "The heart is enlarged.",
    "Worsening bilateral opacities.",
    "Heart size is normal.",
    "Lungs are well expanded.",
    "Endotracheal tube 4 cm above the carina.",
)
NEGATED = (
    "No pleural effusion.",
    "No pleural effusion or pneumothorax.",
    "No focal consolidation, pleural effusion, or pneumothorax.",
    "No focal consolidation, pleural effusion, large mass, or pneumothorax is seen.",
    "There is no evidence of pneumonia.",
    "No radiographic evidence of acute cardiopulmonary disease.",
    "Without evidence of pulmonary edema.",
    "The lungs are clear without effusion.",
    "The lungs are clear of focal consolidation.",
    "Lungs are free of infiltrates.",
    "Negative for fracture.",
    "Absence of pneumothorax.",
    "Pneumothorax is not seen.",
    "No pneumothorax is identified.",
    "A pleural effusion was not identified.",
    "Effusion is no longer seen.",
    "The right pneumothorax has resolved.",
    "Previously seen consolidation has cleared.",
    "Interval resolution of the left effusion.",
    "Interval removal of the chest tube.",
    "Neither effusion nor pneumothorax.",
    "The heart is not enlarged.",
    "Heart isn't enlarged.",
    "Pneumonia has been ruled out.",
    "Pneumothorax is excluded.",
    "CT rules out pulmonary embolism.",
    "The radiograph does not show consolidation.",
    "The study fails to reveal a mass.",
    "Patient denies injury.",
    "No new focal opacity to suggest pneumonia.",
    "No definite pneumothorax.",
    "No convincing evidence of congestive failure.",
    "No suspicious pulmonary nodules.",
    "Effusions: none.",
    "No acute intracranial hemorrhage, mass effect, or infarct.",
    "NO ACUTE OSSEOUS ABNORMALITY.",
    "Pleural effusions are absent.",
    "Nothing to suggest malignancy.",
    "No effusion and no pneumothorax.",
    "No evidence for fracture\u2019s displacement.",
)
UNCERTAIN = (
    "Cannot exclude pneumonia.",
    "Can not exclude a small effusion.",
    "A small effusion cannot be excluded.",
    "Underlying consolidation is not excluded.",
    "Pneumonia cannot be entirely excluded.",
    "Pneumonia is not ruled out.",
    "Possible left lower lobe pneumonia.",
    "Probable small effusion.",
    "May represent atelectasis.",
    "Opacity in the left base may represent atelectasis or pneumonia.",
    "Left basilar opacity could reflect aspiration.",
    "This might be a nodule.",
    "Findings suggestive of interstitial edema.",
    "Findings are suspicious for malignancy.",
    "Concerning for metastasis.",
    "Questionable right apical pneumothorax.",
    "Linear opacity, likely atelectasis.",
    "Small round opacity in the right upper zone, possibly a nodule.",
    "Atelectasis versus pneumonia at the left base.",
    "The differential includes infection and hemorrhage.",
    "Pneumonia is unlikely.",
    "Effusion is suspected.",
    "Pneumonia should be considered.",
    "Rule out pneumonia.",
    "? pneumothorax",
    "Evaluate for effusion.",
    "Probably no effusion.",
    "Raises the possibility of metastasis.",
    "It is not certain whether the nodule is new.",
    "A fracture is not definitely seen.",
    "Superimposed infection is difficult to exclude.",
)
MIXED = (
    "Cardiomegaly without edema.",
    "No effusion, but there is consolidation on the right.",
    "No pneumothorax; small left effusion.",
    "Mild cardiomegaly, no pleural effusion.",
    "No effusion although atelectasis persists.",
    "No effusion and the heart is enlarged.",
    "No pneumothorax, mild cardiomegaly.",
    "No effusion except for blunting of the left angle.",
    "No consolidation however there is a nodule.",
    "Possible pneumonia, no effusion.",
    "There is no pneumothorax, with residual effusion.",
)
CASES = [
    (sentence, assertion)
    for assertion, sentences in (
        (Assertion.AFFIRMED, AFFIRMED),
        (Assertion.NEGATED, NEGATED),
        (Assertion.UNCERTAIN, UNCERTAIN),
        (Assertion.MIXED, MIXED),
    )
    for sentence in sentences
]


@pytest.mark.parametrize(("sentence", "assertion"), CASES)
def test_assertions(sentence, assertion):
    assert assertion_of(sentence) is assertion


def test_every_mention_has_its_own_assertion():
    found = mentions("No effusion, but stable cardiomegaly; pneumonia cannot be excluded.")
    assert [(mention.term, mention.assertion) for mention in found] == [
        ("effusion", Assertion.NEGATED),
        ("cardiomegaly", Assertion.AFFIRMED),
        ("pneumonia", Assertion.UNCERTAIN),
    ]
    assert found[0] == Mention("effusion", 3, Assertion.NEGATED)


@pytest.mark.parametrize("text", ["", ".", "No.", "no " * 2000, "may not be " * 500 + "excluded", "(" * 5000])
def test_odd_text_is_answered_quickly(text):
    assert assertion_of(text) in Assertion


@pytest.mark.parametrize(
    ("sentence", "term", "expected"),
    [
        ("A left chest drain is in place.", "chest drain", Assertion.AFFIRMED),
        ("Two chest drains remain.", "chest drain", Assertion.AFFIRMED),
        ("No chest drain.", "chest drain", Assertion.NEGATED),
        ("Possible small pneumothorax, no effusion.", "pneumothorax", Assertion.UNCERTAIN),
        ("Possible small pneumothorax, no effusion.", "effusion", Assertion.NEGATED),
        ("Chest drain removed; no drain is seen.", "pacemaker", None),
        ("Hydropneumothorax.", "pneumothorax", None),
        ("CHEST   DRAIN on the right.", "Chest drain", Assertion.AFFIRMED),
    ],
)
def test_how_a_sentence_stands_to_one_term(sentence, term, expected):
    assert assertion_of_term(sentence, term) is expected
