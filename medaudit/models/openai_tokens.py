"""OpenAI CLIP's byte-pair tokenizer, from a folder's own files or from the merges that ship with medaudit.

CheXzero and its kin are published as a checkpoint alone; their tokenizer is OpenAI's and is the same for all.
"""

import gzip
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models.tokens import Tokenize, plain_tokenizer
from medaudit.resources import bundled_tokenizers_folder

PUBLISHED_MERGES = "bpe_simple_vocab_16e6.txt.gz"
OPENAI_FILES = ("tokenizer.json", "vocab.json", "merges.txt", PUBLISHED_MERGES)

# Lines 2 .. 48,895 of the published list are used: 49,152 less 256 bytes and two ends.
_USED_MERGES = 48_894
_START, _END = "<|startoftext|>", "<|endoftext|>"
# The pattern of OpenAI's simple_tokenizer.py.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def openai_tokenizer(folder: Path, vocabulary: int) -> Tokenize:
    """Tokenizer of a folder in OpenAI's layout; ``vocabulary`` is how many tokens the text tower knows.

    A folder may bring ``tokenizer.json``, ``vocab.json`` with ``merges.txt``, or OpenAI's own
    ``bpe_simple_vocab_16e6.txt.gz``; one that brings none gets OpenAI's. Where that has another number of
    tokens than the tower, the images can be encoded and no prompt can: the result then raises
    :class:`medaudit.errors.ModelMissingError`.

    Raises
    ------
    ModelLayoutError
        The folder's tokenizer cannot be read, or makes tokens that the tower does not know.

    """
    own = next((folder / name for name in OPENAI_FILES if (folder / name).is_file()), None)
    try:
        tokenizer = _bundled() if own is None else _own(own)
    except Exception as error:  # the library raises bare Exceptions
        msg = f"{own}: the tokenizer cannot be loaded: {error}"
        raise ModelLayoutError(msg) from error
    known = tokenizer.get_vocab_size()
    if own is None and known != vocabulary:
        return _absent(folder, vocabulary)
    if known > vocabulary:
        msg = f"{own}: makes {known} tokens, the text tower knows {vocabulary}; it belongs to another model"
        raise ModelLayoutError(msg)
    return plain_tokenizer(tokenizer)


def _absent(folder: Path, vocabulary: int) -> Tokenize:
    def refuse(text: str) -> None:
        msg = (
            f"{folder}: no tokenizer, and OpenAI's does not fit a text tower of {vocabulary} tokens; "
            f"put the model's own into the folder ({', '.join(OPENAI_FILES)}), then prompt {text[:40]!r} can be read"
        )
        raise ModelMissingError(msg)

    return refuse  # type: ignore[return-value]  # it never returns


def _own(path: Path) -> Tokenizer:
    if path.name == "tokenizer.json":
        return Tokenizer.from_file(str(path))
    if path.name == PUBLISHED_MERGES:
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : _USED_MERGES + 1]
        return _build(_vocabulary(lines), lines)
    vocabulary = json.loads((path.parent / "vocab.json").read_text(encoding="utf-8"))
    lines = (path.parent / "merges.txt").read_text(encoding="utf-8").splitlines()
    return _build(vocabulary, [line for line in lines if line and not line.startswith("#version")])


def _bundled() -> Tokenizer:
    packed = (bundled_tokenizers_folder() / "openai-clip-merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return _build(_vocabulary(lines), lines)


def _vocabulary(merges: list[str]) -> dict[str, int]:
    """Ids as OpenAI counts them: bytes, bytes that end a word, merges, the two ends."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    characters = [chr(code) for code in printable] + [chr(256 + index) for index in range(others)]
    tokens = [*characters, *(f"{character}</w>" for character in characters)]
    tokens += [line.replace(" ", "") for line in merges]
    return {token: index for index, token in enumerate([*tokens, _START, _END])}


def _build(vocabulary: dict[str, int], merges: list[str]) -> Tokenizer:
    pairs = [(left, right) for left, right in (line.split() for line in merges)]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=pairs,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
            unk_token=_END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}",
        special_tokens=[(_START, vocabulary[_START]), (_END, vocabulary[_END])],
    )
    tokenizer.add_special_tokens([_START, _END])
    return tokenizer
