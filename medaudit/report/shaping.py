"""Arabic letters in the form that their place in the word asks for, and right-to-left text in the order of drawing.

What a name, an institution or a short sentence within left-to-right text needs of the Unicode Bidirectional
Algorithm (UAX 9) and of Arabic joining (The Unicode Standard, 9.2), by the presentation forms that Unicode
itself lists. No embeddings, and a right-to-left text is set as one line.
"""

from functools import cache
from unicodedata import bidirectional, category, decomposition, mirrored

_ISOLATED, _FINAL, _INITIAL, _MEDIAL = "isolated", "final", "initial", "medial"
_LAM = "\u0644"
_TATWEEL = "\u0640"
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">", "\u00ab": "\u00bb"}
_MIRRORS = _BRACKETS | {right: left for left, right in _BRACKETS.items()}
_NUMBERS = ("EN", "AN")


def drawn(text: str) -> str:
    """Text in the order in which it is drawn from the left, Arabic letters as presentation forms."""
    if not any(bidirectional(character) in ("R", "AL") for character in text):
        return text
    return _reordered(_shaped(text))


def _shaped(text: str) -> str:
    letters = _joined(text)
    shaped = []
    for index, letter in enumerate(letters):
        forms = _forms().get(letter)
        if forms is None:
            shaped.append(letter)
            continue
        after = _joins_on(_neighbour(letters, index, -1)) and _FINAL in forms
        before = _INITIAL in forms and _takes(_neighbour(letters, index, 1))
        wanted = (_MEDIAL if before else _FINAL) if after else (_INITIAL if before else _ISOLATED)
        shaped.append(forms.get(wanted, letter))
    return "".join(shaped)


def _joined(text: str) -> list[str]:
    """The letters, lam and alef as the one letter that they make."""
    letters: list[str] = []
    for character in text:
        if letters and letters[-1] == _LAM and _LAM + character in _forms():
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _neighbour(letters: list[str], index: int, step: int) -> str:
    """The next letter in one direction; marks above and below letters are passed over."""
    index += step
    while 0 <= index < len(letters):
        if category(letters[index][0]) != "Mn":
            return letters[index]
        index += step
    return ""


def _joins_on(letter: str) -> bool:
    """Whether a letter reaches out to the one after it."""
    return letter == _TATWEEL or _INITIAL in _forms().get(letter, {})


def _takes(letter: str) -> bool:
    """Whether a letter can be reached by the one before it."""
    return letter == _TATWEEL or _FINAL in _forms().get(letter, {})


@cache
def _forms() -> dict[str, dict[str, str]]:
    """Letter (or lam with alef) -> its presentation forms, from the Unicode Character Database."""
    found: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD)):
        form, _, letters = decomposition(chr(code)).partition(" ")
        if letters:
            letter = "".join(chr(int(one, 16)) for one in letters.split())
            found.setdefault(letter, {})[form.strip("<>")] = chr(code)
    return found


def _reordered(text: str) -> str:
    """Each stretch from a right-to-left letter to the last one before a left-to-right letter, turned round."""
    kinds = [_kind(character) for character in text]
    result: list[str] = []
    start = 0
    while start < len(text):
        if kinds[start] != "R":
            result.append(text[start])
            start += 1
            continue
        end = start
        for index in range(start, len(text)):
            if kinds[index] == "L":
                break
            if kinds[index] != "N":
                end = index
        while end + 1 < len(text) and _closes(text[start : end + 1], text[end + 1]):
            end += 1
        result.append(_turned(text[start : end + 1]))
        start = end + 1
    return "".join(result)


def _closes(text: str, following: str) -> bool:
    """Whether a character closes a bracket that was opened in the text before it."""
    opening = _MIRRORS.get(following, "")
    return opening in _BRACKETS and text.count(opening) > text.count(following)


def _kind(character: str) -> str:
    """R, L, number (``#``) or neutral (``N``)."""
    one = bidirectional(character)
    if one in ("R", "AL"):
        return "R"
    if one in _NUMBERS:
        return "#"
    return "L" if one == "L" else "N"


def _turned(text: str) -> str:
    """A right-to-left stretch in the order of drawing: numbers keep theirs, marks stay behind their letters."""
    clusters: list[str] = []
    for character in text:
        if clusters and (category(character) == "Mn" or (_kind(character) == "#" == _kind(clusters[-1][-1]))):
            clusters[-1] += character
        else:
            clusters.append(_MIRRORS.get(character, character) if mirrored(character) else character)
    return "".join(reversed(clusters))
