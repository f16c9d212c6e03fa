"""The texts of a report, in one language: one file a language, ``reports/languages/<language>.yaml``."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from medaudit.errors import LayoutError
from medaudit.figures import wording
from medaudit.figures.colour import ColourScale
from medaudit.figures.orientation import EdgeLetters
from medaudit.records import Finding, Severity
from medaudit.resources import languages_folder, shipped
from medaudit.yamlfile import read_text, read_yaml

REFERENCE = "en"
"""The language whose keys every other has."""


class Catalogue(BaseModel):
    """Texts by key; ``{name}`` in a text is filled in.

    ``decimal`` is the sign between a number's whole part and its decimals.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    decimal: Literal[".", ","]
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The text of a key; whole numbers are filled in as they are, others are for :meth:`number`."""
        return self.texts[key].format(**values)

    def either(self, key: str, otherwise: str, **values: object) -> str:
        """The text of a key that need not exist, such as the name of a check that somebody added."""
        return self.say(key, **values) if key in self.texts else otherwise

    def count(self, count: int, noun: str) -> str:
        """A count with its noun: "1 study", "2 studies"."""
        return self.say(f"count.{noun}.{'one' if count == 1 else 'many'}", n=count)

    def number(self, value: float, decimals: int | None = None, *, signed: bool = False) -> str:
        """As :func:`medaudit.figures.wording.number`, with this language's decimal sign."""
        return self.signs(wording.number(value, decimals, signed=signed))

    def percent(self, share: float) -> str:
        """A share 0 .. 1 in whole per cent."""
        return self.say("percent", value=f"{share * 100:.0f}")

    def signs(self, digits: str) -> str:
        """Digits written with a point, with this language's decimal sign."""
        return digits.replace(".", self.decimal)

    def margin(self, value: float | None) -> str:
        """A margin between two cosines with its sign, or a dash where there is nothing to compare."""
        return wording.NOTHING if value is None else self.number(value, 3, signed=True)

    def scale(self, scale: ColourScale, unit: str) -> str:
        """What a colour scale is, per ``token`` or per ``word``."""
        top = self.signs(f"{scale.maximum_nats:g}")
        return self.say(f"scale.{unit}", top=top, unit=scale.quantity.value)

    def edges(self, letters: EdgeLetters) -> str:
        """The letters at the edges of a picture in words, or that there are none."""
        if not letters.known:
            return self.say("edge.none")
        edges = (("left", letters.left), ("right", letters.right), ("top", letters.top), ("bottom", letters.bottom))
        return ", ".join(self.say(f"edge.{edge}", letters=letter) for edge, letter in edges if letter)

    def told(self, finding: Finding, part: str) -> str:
        """The ``claim``, ``limits`` or ``advice`` of a finding in this language, or as the audit wrote it."""
        one = finding.measurement
        return self.either(
            f"told.{one.check}.{one.quantity}.{part}",
            str(getattr(finding, part)),
            subject=one.subject,
            against=one.against,
            value=self.number(one.value),
            limit=self.number(finding.threshold),
        )

    def severity(self, severity: Severity) -> str:
        """A severity as it begins a line."""
        return self.say(f"severity.{severity.value}").capitalize()

    def name(self, key: str) -> str:
        """A DICOM keyword in this language, or the words of the keyword."""
        return self.either(f"element.{key}", wording.words_of(key))

    def quantity(self, check: str, quantity: str) -> str:
        """A measured quantity in this language, or the words of its key."""
        fallback = f"{wording.words_of(check)}, {wording.words_of(quantity)}"
        return self.either(f"quantity.{check}.{quantity}", fallback)

    def lines(self, prefix: str) -> tuple[str, ...]:
        """The texts of ``prefix.1``, ``prefix.2``, ... in order."""
        found: list[str] = []
        while (key := f"{prefix}.{len(found) + 1}") in self.texts:
            found.append(self.texts[key])
        return tuple(found)


@lru_cache(maxsize=8)
def find_catalogue(language: str) -> Catalogue:
    """Load the texts of a language.

    Raises
    ------
    LayoutError
        There is no such language, or its file is wrong; says file, line and key.

    """
    path = languages_folder() / f"{language}.yaml"
    if language not in shipped(languages_folder()):
        msg = f"language {language!r}: no such language; expected one of {', '.join(shipped(languages_folder()))}"
        raise LayoutError(msg)
    return read_yaml(path, read_text(path, LayoutError), Catalogue, LayoutError)
