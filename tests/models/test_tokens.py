import torch

from medaudit.models.registry import load_model
from medaudit.models.tokens import assign_words


def test_sub_words_and_punctuation_belong_to_the_word_that_they_stand_in():
    text = "A  pleural effusion, left"
    offsets = [(0, 0), (0, 1), (3, 6), (6, 10), (11, 19), (19, 20), (21, 25), (0, 0)]
    words, word_of_token = assign_words(text, offsets, [1, 0, 0, 0, 0, 0, 0, 1])
    assert words == ("A", "pleural", "effusion,", "left")
    assert word_of_token == (-1, 0, 1, 1, 2, 2, 3, -1)


def test_a_real_tokenizer_covers_every_word(random_clip):
    prompt = load_model(random_clip, torch.device("cpu")).tokenize("No  opacity in the LEFT lung (1.5cm)")
    assert prompt.words == ("No", "opacity", "in", "the", "LEFT", "lung", "(1.5cm)")
    assert set(prompt.word_of_token) == {-1, 0, 1, 2, 3, 4, 5, 6}
    assert prompt.word_of_token[0] == prompt.word_of_token[-1] == -1
    assert len(prompt.tokens) == prompt.ids.shape[1]
