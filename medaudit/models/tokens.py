"""Tokenizers of model folders: ids for the tower, and which word each token belongs to."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer

from medaudit.errors import ModelError, ModelLayoutError, ModelMissingError
from medaudit.models.interface import TokenizedPrompt
from medaudit.models.weights import read_json
from medaudit.records.relevance import NO_WORD

Tokenize = Callable[[str], TokenizedPrompt]
"""Reads one prompt."""

_FILES = ("tokenizer.json", "vocab.json", "vocab.txt")


def tokenizer_of(folder: Path, loader: Any) -> Tokenize:  # noqa: ANN401 - transformers' AutoTokenizer
    """Load a folder's tokenizer; the result turns one prompt into ids without padding.

    Raises
    ------
    ModelMissingError
        The folder holds no tokenizer.
    ModelLayoutError
        The tokenizer cannot say where its tokens lie in the text.

    """
    if not any((folder / name).is_file() for name in _FILES):
        msg = f"{folder}: no tokenizer; expected one of {', '.join(_FILES)}"
        raise ModelMissingError(msg)
    try:
        tokenizer = loader.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        msg = f"{folder}: the tokenizer cannot be loaded: {error}"
        raise ModelLayoutError(msg) from error
    if not tokenizer.is_fast:
        msg = f"{folder}: the tokenizer gives no character offsets; words could not be put together again"
        raise ModelLayoutError(msg)

    def tokenize(text: str) -> TokenizedPrompt:
        # The length is checked against the tower's positions by the adapter, with the prompt named.
        encoded = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
        words, word_of_token = assign_words(text, encoded["offset_mapping"], encoded["special_tokens_mask"])
        ids = encoded["input_ids"]
        tokens = tuple(tokenizer.convert_ids_to_tokens(ids))
        return TokenizedPrompt(torch.tensor([ids]), None, tokens, words, word_of_token)

    return tokenize


def bert_tokenizer(folder: Path) -> Tokenize:
    """Load a BERT tokenizer from ``tokenizer.json``, else from ``vocab.txt``.

    Text is put in lower case unless tokenizer_config.json says ``do_lower_case: false``, which is the libraries'
    default too: BioClinicalBERT's published folder does not say so, and its models were trained in lower case.

    Raises
    ------
    ModelMissingError
        The folder holds neither.
    ModelLayoutError
        The file is no tokenizer.

    """
    whole, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
    if not (whole.is_file() or vocabulary.is_file()):
        msg = f"{folder}: no tokenizer; expected tokenizer.json or vocab.txt"
        raise ModelMissingError(msg)
    try:
        if whole.is_file():
            tokenizer = Tokenizer.from_file(str(whole))
        else:
            lines = vocabulary.read_text(encoding="utf-8").splitlines()
            tokenizer = BertWordPieceTokenizer(
                {line: index for index, line in enumerate(lines)}, lowercase=_lowers(folder)
            )
    except ModelError:
        raise
    except Exception as error:  # the library raises bare Exceptions
        msg = f"{folder}: the tokenizer cannot be loaded: {error}"
        raise ModelLayoutError(msg) from error
    return plain_tokenizer(tokenizer)


def _lowers(folder: Path) -> bool:
    path = folder / "tokenizer_config.json"
    return bool(read_json(path).get("do_lower_case", True)) if path.is_file() else True


def plain_tokenizer(tokenizer: Tokenizer) -> Tokenize:
    """Read one prompt with a tokenizer of the ``tokenizers`` library: every token, no padding, nothing cut."""
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def tokenize(text: str) -> TokenizedPrompt:
        encoded = tokenizer.encode(text)
        words, word_of_token = assign_words(text, encoded.offsets, encoded.special_tokens_mask)
        return TokenizedPrompt(torch.tensor([encoded.ids]), None, tuple(encoded.tokens), words, word_of_token)

    return tokenize


def padded(tokenize: Tokenize, length: int, pad: int, name: str) -> Tokenize:
    """Wrap a tokenizer so that every prompt has ``length`` tokens: the rest are ``pad``, called ``name``.

    For models that were trained so and attend to the padding. A longer prompt is left as it is.
    """

    def filled(text: str) -> TokenizedPrompt:
        prompt = tokenize(text)
        rest = max(0, length - prompt.ids.shape[1])
        ids = torch.cat([prompt.ids, torch.full((1, rest), pad, dtype=prompt.ids.dtype)], dim=1)
        tokens, words = prompt.tokens + (name,) * rest, prompt.word_of_token + (NO_WORD,) * rest
        return TokenizedPrompt(ids, prompt.mask, tokens, prompt.words, words)

    return filled


def limited(tokenize: Tokenize, limit: int, model: str) -> Tokenize:
    """Wrap a tokenizer so that a prompt of more than ``limit`` tokens is refused, never cut.

    The result raises :class:`medaudit.errors.ModelError`.
    """

    def checked(text: str) -> TokenizedPrompt:
        prompt = tokenize(text)
        if prompt.ids.shape[1] > limit:
            msg = f"prompt: {prompt.ids.shape[1]} tokens, {model} reads {limit}; shorten it: {text[:60]!r} ..."
            raise ModelError(msg)
        return prompt

    return checked


def assign_words(
    text: str, offsets: list[tuple[int, int]], special: list[int]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Words of a text (split at white space) and the word of each token.

    ``offsets`` are (start, end) characters of each token; ``special`` is 1 for tokens that stand for no
    text. A token that starts between two words belongs to the one that follows.
    """
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    words = tuple(text[start:end] for start, end in spans)
    word_of_token = []
    for (start, end), is_special in zip(offsets, special, strict=True):
        if is_special or start == end:
            word_of_token.append(NO_WORD)
            continue
        index = next((i for i, span in enumerate(spans) if start < span[1]), NO_WORD)
        word_of_token.append(index)
    return words, tuple(word_of_token)
