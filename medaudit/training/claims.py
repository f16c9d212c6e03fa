"""Claims: sentences about a chest phantom, each with the condition under which it is true.

A phantom knows more than its own report: it can judge any sentence about any finding. Training shows every image
against many sentences, so it needs the condition apart from the image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from medaudit.phantom.cohort import draw_study
from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.findings import SIZES_MM, ZONED, FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.report_text import CLEAR, DENIES, DEVICE_SAYS, SAYS, fill, known_sentences
from medaudit.phantom.study import StudySpec

NORMAL: Final = "normal"
"""What a claim is about that is true where there is no finding at all."""
UNRELATED: Final = "unrelated"
"""What a claim is about that is true of no chest radiograph."""

_FINDING_NAMES: Final = {
    FindingKind.NODULE: ("nodule", "pulmonary nodule", "lung nodule"),
    FindingKind.MASS: ("mass", "lung mass", "pulmonary mass"),
    FindingKind.CONSOLIDATION: ("consolidation", "airspace consolidation"),
    FindingKind.ATELECTASIS: ("atelectasis", "linear atelectasis"),
    FindingKind.EFFUSION: ("pleural effusion",),
    FindingKind.PNEUMOTHORAX: ("pneumothorax",),
    FindingKind.CARDIOMEGALY: ("cardiomegaly", "enlarged heart"),
}
_SHOWS: Final = (
    "a chest radiograph showing {}",
    "a chest radiograph with {}",
    "chest X-ray of a patient with {}",
)
_SHOWS_NOT: Final = ("a chest radiograph without {}", "a chest radiograph showing no {}")
_DEVICE_DENIES: Final = ("There is no {}.", "No {} is seen.")
# Sizes (mm) at which a template with a size is said; the image need not show the same size.
_SIZES_SAID: Final = 4
_PICTURES: Final = ("a photograph of a {}", "a drawing of a {}", "a picture of two {}s")
_THINGS: Final = (
    *("dog", "horse", "bicycle", "red car", "mountain", "cup of tea", "blue chair", "sailing boat", "green tree"),
    *("street at night", "plate of rice", "yellow flower", "train", "bird", "kitchen table", "guitar", "football"),
)
_OTHER_PICTURES: Final = (
    "a magnetic resonance image of the knee",
    "an axial computed tomography image of the abdomen",
    "an ultrasound image of the liver",
    "a radiograph of the left hand",
    "a microscope image of a lymph node",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A finding or device that is there: its name, its side and zone (empty where it has none), whether it is large."""

    name: str
    side: str = ""
    zone: str = ""
    large: bool | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and what it says: that ``name`` is there (``negated``: is not), with side, zone and size if any.

    ``name`` is a finding's or device's, :data:`NORMAL` or :data:`UNRELATED`.
    """

    text: str
    name: str
    side: str = ""
    zone: str = ""
    large: bool | None = None
    negated: bool = False

    def concerns(self, fact: Fact) -> bool:
        """Whether a fact is of the kind and at the place that the claim speaks of, whatever its size."""
        return fact.name == self.name and self.side in ("", fact.side) and self.zone in ("", fact.zone)

    def truth(self, facts: Sequence[Fact]) -> bool | None:
        """Whether the claim holds; None where it names another size than is there, which is neither right nor wrong."""
        if self.name == UNRELATED:
            return False
        if self.name == NORMAL:
            return not any(fact.name in _FINDINGS for fact in facts)
        mine = [fact for fact in facts if self.concerns(fact)]
        if mine and self.large is not None and all(fact.large is not self.large for fact in mine):
            return None
        return bool(mine) != self.negated

    @property
    def located(self) -> bool:
        """Whether the claim, if true, is so because of something at a place."""
        return not self.negated and self.name not in (NORMAL, UNRELATED)


_FINDINGS: Final = frozenset(kind.value for kind in FindingKind)


def facts_of(spec: StudySpec) -> tuple[Fact, ...]:
    """Findings, then devices, in the order of the study's masks."""
    findings = (Fact(one.kind.value, str(one.side or ""), str(one.zone or ""), one.large) for one in spec.findings)
    devices = (Fact(one.kind.value, str(one.side or "")) for one in spec.devices)
    return (*findings, *devices)


def known_claims() -> tuple[Claim, ...]:
    """The sentences of :func:`medaudit.phantom.report_text.known_sentences` as claims, in the same order."""
    nothing = replace(draw_study(0, 0), findings=(), devices=())
    return tuple(
        Claim(one.text, one.about, str(one.side), str(one.zone), negated=one.truth and one.about != NORMAL)
        for one in known_sentences(nothing)
    )


def report_claims() -> tuple[Claim, ...]:
    """What a phantom's report can say beyond the known sentences, at several sizes."""
    return tuple(_unique(_finding_lines()) + _unique(_device_lines()) + [Claim(text, NORMAL) for text in CLEAR])


def prompt_claims() -> tuple[Claim, ...]:
    """Prompts as an audit writes them, each finding and device with its negation."""
    out: list[Claim] = []
    for kind, names in _FINDING_NAMES.items():
        for name in names:
            said = dict.fromkeys((name, _with_article(name)))
            out += [Claim(shows.format(one), kind.value) for one in said for shows in _SHOWS]
            out += [Claim(shows.format(name), kind.value, negated=True) for shows in _SHOWS_NOT]
        if kind is not FindingKind.CARDIOMEGALY:
            out += [
                Claim(shows.format(f"{side} {name}"), kind.value, side)
                for name in names
                for side in Side
                for shows in _SHOWS
            ]
    for device in DeviceKind:
        out += [Claim(shows.format(device.value), device.value) for shows in _SHOWS]
        out += [Claim(shows.format(device.value), device.value, negated=True) for shows in _SHOWS_NOT]
    return (*out, Claim("a normal chest radiograph", NORMAL), Claim("a chest radiograph without abnormality", NORMAL))


def unrelated_claims() -> tuple[Claim, ...]:
    """Sentences that are true of no chest radiograph: other pictures, and letters without meaning."""
    texts = [picture.format(thing) for picture in _PICTURES for thing in _THINGS] + list(_OTHER_PICTURES)
    rng = np.random.default_rng(3)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts += ["".join(rng.choice(letters, size=int(rng.integers(4, 16)))) for _ in range(60)]
    return tuple(Claim(text, UNRELATED) for text in texts)


def _with_article(name: str) -> str:
    uncounted = name.endswith(("consolidation", "atelectasis", "cardiomegaly"))
    return name if uncounted else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _unique(claims: Iterator[Claim]) -> list[Claim]:
    return list(dict.fromkeys(claims))


def _finding_lines() -> Iterator[Claim]:
    for kind, templates in SAYS.items():
        for side in Side if kind is not FindingKind.CARDIOMEGALY else (None,):
            for zone in Zone if kind in ZONED else (None,):
                for size in np.linspace(*SIZES_MM[kind], _SIZES_SAID):
                    finding = FindingSpec(kind, side, zone, round(float(size), 1), 0)
                    for template in templates:
                        # A number of millimetres is no claim that a small model is asked to judge; small and large are.
                        large = finding.large if "mount}" in template else None
                        yield Claim(fill(template, finding), kind.value, str(side or ""), str(zone or ""), large)
        for text in DENIES[kind]:
            yield Claim(text, kind.value, negated=True)


def _device_lines() -> Iterator[Claim]:
    for device, templates in DEVICE_SAYS.items():
        for side in Side:
            for template in templates:
                named = "ide}" in template
                text = template.format(side=side, Side=side.capitalize())
                yield Claim(text, device.value, str(side) if named else "")
        for template in _DEVICE_DENIES:
            yield Claim(template.format(device.value), device.value, negated=True)
