"""SigLIP's tokenizers: SentencePiece (``spiece.model``) with punctuation removed, and SigLIP 2's ``tokenizer.json``.

``spiece.model`` is read without the sentencepiece library: it is a protobuf message of a few fields
(sentencepiece_model.proto), and the ``tokenizers`` library knows the unigram model inside.
"""

import json
import string
import struct
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models.tokens import Tokenize, padded, plain_tokenizer
from medaudit.models.weights import read_json

PIECES = "spiece.model"
SIGLIP_FILES = (PIECES, "tokenizer.json", "tokenizer_config.json")

_END = "</s>"
# Wire types of protobuf: variable-length integer, 8 bytes, length-delimited, 4 bytes.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Fields of ModelProto: pieces, trainer_spec, normalizer_spec; of SentencePiece: piece, score, type.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_PIECE, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE, _UNIGRAM = 3, 1
_CHARACTER_MAP = 2
_UNKNOWN, _CONTROL = 2, 3


def siglip_tokenizer(folder: Path, *, length: int, vocabulary: int) -> Tokenize:
    """Tokenizer of a SigLIP folder; every prompt is padded to ``length`` tokens, as the models were trained.

    ``spiece.model`` (SigLIP, MedSigLIP) goes before ``tokenizer.json`` (SigLIP 2): its text is put in lower case
    and loses its punctuation, as in training. SigLIP 2's is put in lower case.

    Raises
    ------
    ModelMissingError
        The folder holds neither.
    ModelLayoutError
        The file is no tokenizer, or makes tokens that the text tower does not know.

    """
    pieces, whole = folder / PIECES, folder / "tokenizer.json"
    path = pieces if pieces.is_file() else whole
    if not path.is_file():
        msg = f"{folder}: no tokenizer; expected {PIECES} or tokenizer.json"
        raise ModelMissingError(msg)
    try:
        tokenizer = read_pieces(pieces) if path == pieces else _lower_case(Tokenizer.from_file(str(whole)))
    except Exception as error:  # the library raises bare Exceptions
        if isinstance(error, ModelLayoutError):
            raise
        msg = f"{path}: the tokenizer cannot be loaded: {error}"
        raise ModelLayoutError(msg) from error
    known = tokenizer.get_vocab_size()
    if known > vocabulary:
        msg = f"{path}: makes {known} tokens, the text tower knows {vocabulary}; it belongs to another model"
        raise ModelLayoutError(msg)
    name, pad = _padding(folder, tokenizer)
    return padded(plain_tokenizer(tokenizer), length, pad, name)


def read_pieces(path: Path) -> Tokenizer:
    """Build a tokenizer from a unigram ``spiece.model``, with SigLIP's cleaning of the text.

    Raises
    ------
    ModelLayoutError
        The file is no SentencePiece model of the unigram kind.

    """
    vocabulary: list[tuple[str, float]] = []
    unknown, characters, controls = 0, b"", list[str]()
    kind: int | bytes = _UNIGRAM
    try:
        for field, value in _fields(path.read_bytes()):
            if field == _PIECES:
                piece, score, role = _piece(_bytes(value))
                if role == _UNKNOWN:
                    unknown = len(vocabulary)
                if role in (_UNKNOWN, _CONTROL):
                    controls.append(piece)
                vocabulary.append((piece, score))
            elif field == _TRAINER:
                kind = dict(_fields(_bytes(value))).get(_MODEL_TYPE, _UNIGRAM)
            elif field == _NORMALIZER:
                characters = _bytes(dict(_fields(_bytes(value))).get(_CHARACTER_MAP, b""))
    except (struct.error, IndexError, UnicodeDecodeError, TypeError) as error:
        msg = f"{path}: not a SentencePiece model ({type(error).__name__}: {error}); fetch the file again"
        raise ModelLayoutError(msg) from error
    if kind != _UNIGRAM or _END not in {piece for piece, _ in vocabulary}:
        msg = (
            f"{path}: expected a unigram SentencePiece model with {_END!r}; got kind {kind!r}, {len(vocabulary)} pieces"
        )
        raise ModelLayoutError(msg)
    return _build(vocabulary, unknown, characters, controls)


def _build(vocabulary: list[tuple[str, float]], unknown: int, characters: bytes, controls: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=unknown, byte_fallback=False))
    cleaning: list[normalizers.Normalizer] = [
        normalizers.Lowercase(),
        normalizers.Replace(Regex("[" + "".join(f"\\{sign}" for sign in string.punctuation) + "]"), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
    if characters:
        cleaning.append(normalizers.Precompiled(characters))
    tokenizer.normalizer = normalizers.Sequence(cleaning)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    end = tokenizer.token_to_id(_END)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {_END}", special_tokens=[(_END, end)])
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in controls])
    return tokenizer


def _lower_case(tokenizer: Tokenizer) -> Tokenizer:
    """SigLIP 2 was trained on lower case; the published ``tokenizer.json`` does not say so."""
    state = json.loads(tokenizer.to_str())["normalizer"]
    if "Lowercase" not in json.dumps(state):
        own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    return tokenizer


def _padding(folder: Path, tokenizer: Tokenizer) -> tuple[str, int]:
    """Name and id of the padding token: what tokenizer_config.json says, else ``<pad>``, else the end."""
    path = folder / "tokenizer_config.json"
    stated = read_json(path).get("pad_token") if path.is_file() else None
    name = stated.get("content") if isinstance(stated, dict) else stated
    for candidate in (name, "<pad>", _END):
        pad = tokenizer.token_to_id(candidate) if isinstance(candidate, str) else None
        if pad is not None:
            return str(candidate), pad
    msg = f"{folder}: the tokenizer has no padding token: neither {name!r} nor <pad> nor {_END}"
    raise ModelLayoutError(msg)


def _piece(message: bytes) -> tuple[str, float, int]:
    fields = dict(_fields(message))
    (score,) = struct.unpack("<f", _bytes(fields.get(_SCORE, b"\0\0\0\0")))
    role = fields.get(_TYPE, 1)
    return _bytes(fields[_PIECE]).decode("utf-8"), score, role if isinstance(role, int) else 1


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of each field of a protobuf message; fixed-width values as their bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            number, position = _varint(message, position)
            yield field, number
            continue
        if wire == _BYTES:
            length, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            msg = f"wire type {wire}"
            raise TypeError(msg)
        if position + length > len(message):
            msg = "the file ends within a field"
            raise IndexError(msg)
        yield field, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        msg = "a number where text was expected"
        raise TypeError(msg)
    return value
