import pytest

from medaudit.figures.orientation import NOT_STATED, EdgeLetters, edge_letters


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (("L", "F"), EdgeLetters(left="R", right="L", top="H", bottom="F")),
        (("A", "FR"), EdgeLetters(left="P", right="A", top="HL", bottom="FR")),
        (("P", ""), EdgeLetters(left="A", right="P")),
        (("LE", "V"), EdgeLetters()),
        (None, EdgeLetters()),
    ],
)
def test_letters_stand_at_the_edge_they_name(orientation, expected):
    assert edge_letters(orientation) == expected


def test_the_sentence_names_the_sides_or_says_that_none_is_known():
    assert edge_letters(None).sentence() == NOT_STATED
    assert edge_letters(("L", "F")).sentence() == ("R at the left, L at the right, H at the top, F at the bottom")
