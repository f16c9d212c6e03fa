"""Which side of the patient lies at which edge of the picture."""

from dataclasses import dataclass

NOT_STATED = "orientation not stated in the header"

_OPPOSITE = {"A": "P", "P": "A", "R": "L", "L": "R", "H": "F", "F": "H"}


@dataclass(frozen=True, slots=True)
class EdgeLetters:
    """Letters for the four edges of a picture; empty where the header does not say."""

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""

    @property
    def known(self) -> bool:
        """Whether any edge has a letter."""
        return any((self.left, self.right, self.top, self.bottom))

    def sentence(self) -> str:
        """The letters in words, or that there are none."""
        if not self.known:
            return NOT_STATED
        edges = (("left", self.left), ("right", self.right), ("top", self.top), ("bottom", self.bottom))
        return ", ".join(f"{letters} at the {edge}" for edge, letters in edges if letters)


def edge_letters(patient_orientation: tuple[str, str] | None) -> EdgeLetters:
    """Letters from Patient Orientation (0020,0020), PS3.3 C.7.6.1.1.1.

    The first value is the direction in which a row runs (its letters go to the right edge), the
    second that of a column (bottom edge); the opposite edges get the opposite letters. A value that
    is empty or holds anything but A, P, R, L, H, F (such as a quadruped's) gives no letters on its axis.
    """
    row, column = patient_orientation or ("", "")
    left, right = _ends(row)
    top, bottom = _ends(column)
    return EdgeLetters(left=left, right=right, top=top, bottom=bottom)


def _ends(direction: str) -> tuple[str, str]:
    letters = direction.strip().upper()
    if any(letter not in _OPPOSITE for letter in letters):
        return "", ""
    return "".join(_OPPOSITE[letter] for letter in letters), letters
