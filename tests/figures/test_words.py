import numpy as np

from medaudit.figures.colour import ColourScale
from medaudit.figures.words import MINIMUM_CONTRAST, contrast, readable_ink, shade_words, tint, words_scale
from medaudit.records import TokenRelevance

TEXT = TokenRelevance(
    tokens=("[CLS]", "pleural", "eff", "##usion", "[SEP]"),
    values=np.array([5.0, 0.0, 1.5, 0.5, 7.0], dtype=np.float32),
    words=("pleural", "effusion"),
    word_of_token=(-1, 0, 1, 1, -1),
)


def test_words_carry_the_sum_of_their_tokens_and_special_tokens_none():
    words = shade_words(TEXT, ColourScale(2.0))
    assert [(word.word, word.value) for word in words] == [("pleural", 0.0), ("effusion", 2.0)]
    assert words[0].rgb == (255, 255, 255)
    assert list(words[1].rgb) == ColourScale(2.0).rgb(2.0).tolist()
    assert words_scale((TEXT,)).maximum_nats == 2.0


def test_every_ink_can_be_read_on_its_shade():
    for paper in ((255, 255, 255), (14, 17, 23)):
        for shade in tint(np.linspace(0, 2, 300), ColourScale(2.0), paper).tolist():
            assert contrast(readable_ink(tuple(shade)), tuple(shade)) >= MINIMUM_CONTRAST


def test_contrast_is_that_of_wcag():
    assert abs(contrast((0, 0, 0), (255, 255, 255)) - 21) < 1e-9
    assert abs(contrast((119, 119, 119), (255, 255, 255)) - 4.478) < 1e-3
