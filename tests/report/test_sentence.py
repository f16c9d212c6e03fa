from medaudit.figures.colour import ColourScale
from medaudit.figures.words import ShadedWord
from medaudit.report.fonts import REGULAR, printable, register_fonts, text_width
from medaudit.report.sentence import shaded_sentence

INK, PAPER = (0, 0, 0), (255, 255, 255)


def _words(*texts):
    return tuple(ShadedWord(text, 0.5, PAPER, INK) for text in texts)


def _lines(sentence):
    return [[chip.text for chip in line] for line in sentence._lines]


def test_words_wrap_in_reading_order_and_none_is_lost():
    words = [f"word{index}" for index in range(50)]
    sentence = shaded_sentence(_words(*words), ColourScale(1.0), 200)
    lines = _lines(sentence)
    assert len(lines) > 5
    assert [text for line in lines for text in line] == words
    for line in sentence._lines:
        assert sum(chip.width for chip in line) <= 200


def test_a_word_longer_than_a_line_is_cut_and_numbered_once():
    sentence = shaded_sentence(_words("x" * 400), ColourScale(1.0), 200)
    chips = [chip for line in sentence._lines for chip in line]
    assert "".join(chip.text for chip in chips) == "x" * 400
    assert [chip.value for chip in chips if chip.value] == ["0.50"]
    assert max(chip.width for chip in chips) <= 200


def test_a_sentence_splits_between_lines():
    sentence = shaded_sentence(_words(*(["effusion"] * 60)), ColourScale(1.0), 200)
    first, second = sentence.split(200, sentence.height / 3)
    assert first.height <= sentence.height / 3
    assert _lines(first) + _lines(second) == _lines(sentence)
    assert sentence.split(200, 5) == []


def test_numbers_get_the_decimals_that_the_scale_needs():
    (word,) = _words("a")
    for top, text in ((20.0, "0.50"), (2.0, "0.50"), (0.5, "0.500"), (0.01, "0.5000")):
        (line,) = shaded_sentence((word,), ColourScale(top), 200)._lines
        assert line[0].value == text


def test_text_without_a_glyph_is_written_as_its_code_point():
    register_fonts()
    assert printable("a\u0000b\tc \u200bd\n") == "ab c d"
    assert printable("\u05d0") == "[U+05D0]"
    assert printable("\u00e9 \u03b2 \u0416") == "\u00e9 \u03b2 \u0416"
    assert text_width("mm", REGULAR, 10) > text_width("ii", REGULAR, 10) > 0
