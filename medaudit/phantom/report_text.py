"""What a radiologist would write of a phantom, and sentences of which the phantom knows whether they are true."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import View
from medaudit.phantom.devices import DeviceKind, DeviceSpec
from medaudit.phantom.findings import ZONED, FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.study import StudySpec


@dataclass(frozen=True, slots=True)
class Report:
    """A report's two sections, plain sentences each."""

    findings: str
    impression: str


@dataclass(frozen=True, slots=True)
class KnownSentence:
    """A sentence and whether it is true of a study; ``about`` is the finding's or device's name, or ``normal``."""

    text: str
    truth: bool
    about: str
    side: str = ""
    zone: str = ""


SAYS: Final = {
    FindingKind.NODULE: (
        "{Size} nodule in the {place}.",
        "There is a rounded nodule of {size} in the {place}.",
        "A well-defined {size} opacity projects over the {place}, in keeping with a nodule.",
        "Small round opacity in the {place}, possibly a nodule.",
    ),
    FindingKind.MASS: (
        "{Size} mass in the {place}.",
        "There is a large rounded mass in the {place}, measuring {size}.",
        "A lobulated mass of {size} is seen in the {place}.",
        "Large opacity in the {place}, suspicious for a mass.",
    ),
    FindingKind.CONSOLIDATION: (
        "Consolidation in the {place}.",
        "There is patchy airspace opacity in the {place}, in keeping with consolidation.",
        "Ill-defined consolidation of the {place}.",
        "Airspace opacity in the {place} may represent consolidation.",
    ),
    FindingKind.ATELECTASIS: (
        "Band of atelectasis in the {place}.",
        "Linear atelectasis in the {place}.",
        "There are plate-like opacities in the {place}, in keeping with atelectasis.",
        "Linear opacity in the {place}, likely atelectasis.",
    ),
    FindingKind.EFFUSION: (
        "{Amount} {side} pleural effusion.",
        "There is a {amount} pleural effusion on the {side}.",
        "Blunting of the {side} costophrenic angle by a {amount} pleural effusion.",
        "Opacity at the {side} base, most likely a {amount} pleural effusion.",
    ),
    FindingKind.PNEUMOTHORAX: (
        "{Amount} {side} pneumothorax.",
        "There is a {amount} pneumothorax on the {side}.",
        "A {side} visceral pleural line is visible, in keeping with a {amount} pneumothorax.",
        "Lucency at the {side} apex, suspicious for a {amount} pneumothorax.",
    ),
    FindingKind.CARDIOMEGALY: (
        "Cardiomegaly.",
        "The heart is enlarged.",
        "The cardiac silhouette is enlarged.",
        "The heart appears enlarged, possibly cardiomegaly.",
    ),
}
DENIES: Final = {
    FindingKind.NODULE: ("No nodule.", "No pulmonary nodule is seen.", "There is no lung nodule."),
    FindingKind.MASS: ("No mass.", "No lung mass is seen.", "There is no pulmonary mass."),
    FindingKind.CONSOLIDATION: ("No consolidation.", "There is no consolidation.", "No focal consolidation."),
    FindingKind.ATELECTASIS: ("No atelectasis.", "There is no atelectasis.", "No evidence of atelectasis."),
    FindingKind.EFFUSION: ("No pleural effusion.", "There is no pleural effusion.", "No evidence of pleural effusion."),
    FindingKind.PNEUMOTHORAX: ("No pneumothorax.", "There is no pneumothorax.", "No evidence of pneumothorax."),
    FindingKind.CARDIOMEGALY: ("No cardiomegaly.", "The heart is normal in size.", "Heart size is normal."),
}
DEVICE_SAYS: Final = {
    DeviceKind.PACEMAKER: ("{Side} pacemaker in place.", "A {side}-sided pacemaker is noted."),
    DeviceKind.TUBE: ("Endotracheal tube in place.", "The tip of the endotracheal tube is above the carina."),
    DeviceKind.LINE: (
        "{Side} central venous line in place.",
        "Central venous line from the {side}, tip over the vena cava.",
    ),
    DeviceKind.DRAIN: ("{Side} chest drain in place.", "A chest drain is present on the {side}."),
    DeviceKind.ECG: ("ECG electrodes project over the chest.", "Monitoring leads are noted."),
}
NORMAL: Final = (
    "Normal chest radiograph.",
    "No acute cardiopulmonary abnormality.",
    "No acute findings.",
    "Unremarkable chest radiograph.",
)
CLEAR: Final = ("The lungs are clear.", "Both lungs are clear.", "Clear lungs.")


def place(side: Side | str, zone: Zone | str) -> str:
    """``left mid zone`` and so on."""
    return f"{side} {zone} zone"


def _amount(finding: FindingSpec) -> str:
    return "large" if finding.large else "small"


def fill(template: str, finding: FindingSpec) -> str:
    """A template of :data:`SAYS`, said of a finding."""
    size = f"{round(finding.size_mm)} mm" if finding.size_mm < 30 else f"{finding.size_mm / 10:.1f} cm"
    words = {
        "size": size,
        "Size": size,
        "amount": _amount(finding),
        "Amount": _amount(finding).capitalize(),
        "side": str(finding.side),
        "place": place(finding.side, finding.zone) if finding.side and finding.zone else "",
    }
    return template.format(**words)


def write_report(spec: StudySpec, seed: int) -> Report:
    """A report that is true of the study; ``seed`` of the choice of words.

    Findings come first, then what is not there, then devices. Every finding stands in the impression; where
    there is none, that says so.
    """
    rng = np.random.default_rng([seed, 11])

    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    view = "Supine AP" if spec.anatomy.view is View.AP else "Erect PA"
    lines = [pick((f"{view} chest radiograph.", f"{view} view of the chest.", "Single view of the chest."))]
    lines += [fill(pick(SAYS[finding.kind]), finding) for finding in spec.findings]
    present = {finding.kind for finding in spec.findings}
    absent = [kind for kind in FindingKind if kind not in present]
    for kind in absent:
        # Reports leave out much of what is not there.
        if rng.random() < 0.6:
            lines.append(pick(DENIES[kind]))
    if not present:
        lines.append(pick(CLEAR))
    lines += [_device_line(pick(DEVICE_SAYS[device.kind]), device) for device in spec.devices]
    concluded = [conclude(finding, pick) for finding in spec.findings] or [pick(NORMAL)]
    return Report(" ".join(lines), " ".join(concluded))


def conclude(finding: FindingSpec, pick: Callable[[Sequence[str]], str]) -> str:
    """A finding as the impression has it; ``pick`` chooses the words."""
    if finding.kind in ZONED:
        where = f"{finding.side} {finding.zone} zone"
        return pick((f"{finding.kind} in the {where}.", f"{where} {finding.kind}.")).capitalize()
    if finding.side:
        return pick(
            (f"{finding.side} {finding.kind}.", f"{_amount(finding)} {finding.side} {finding.kind}.")
        ).capitalize()
    return pick(("Cardiomegaly.", "Enlarged heart."))


def _device_line(template: str, device: DeviceSpec) -> str:
    side = str(device.side) if device.side else ""
    return template.format(side=side, Side=side.capitalize())


def known_sentences(spec: StudySpec) -> tuple[KnownSentence, ...]:
    """Every sentence that the phantom can judge, the same list for every study, each with its truth.

    For each finding: that it is there and that it is not, in all phrasings without size; with each side; where
    it has one, with each zone. For each device likewise. Whether the radiograph is normal: no finding at all.
    """
    out: list[KnownSentence] = []
    for kind in FindingKind:
        out += about_finding(kind, [finding for finding in spec.findings if finding.kind is kind])
    for device in DeviceKind:
        sides = [one.side for one in spec.devices if one.kind is device]
        name = device.value
        bare = name if device is DeviceKind.ECG else f"{'an' if name[0] == 'e' else 'a'} {name}"
        out.append(KnownSentence(f"There {'are' if device is DeviceKind.ECG else 'is'} {bare}.", bool(sides), name))
        out.append(KnownSentence(f"No {name}.", not sides, name))
        if device not in (DeviceKind.TUBE, DeviceKind.ECG):
            out += [KnownSentence(f"{side.capitalize()} {name}.", side in sides, name, side) for side in Side]
    normal = not spec.findings
    out += [KnownSentence(text, normal, "normal") for text in NORMAL]
    return tuple(out)


def about_finding(kind: FindingKind, here: Sequence[FindingSpec]) -> list[KnownSentence]:
    """Every known sentence of one kind of finding, of which a study has those ``here``."""
    name, present = kind.value, bool(here)
    out = [KnownSentence(text, not present, name) for text in DENIES[kind]]
    if kind is FindingKind.CARDIOMEGALY:
        return [KnownSentence(text, present, name) for text in SAYS[kind][:3]] + out
    article = "an" if name[0] == "a" else "a"
    bare = name if kind in (FindingKind.CONSOLIDATION, FindingKind.ATELECTASIS) else f"{article} {name}"
    out += [KnownSentence(f"{name.capitalize()}.", present, name), KnownSentence(f"There is {bare}.", present, name)]
    for side in Side:
        mine = [finding for finding in here if finding.side is side]
        texts = [f"{side.capitalize()} {name}.", f"There is {bare} on the {side}."]
        out += [KnownSentence(text, bool(mine), name, side) for text in texts]
        out.append(KnownSentence(f"No {side} {name}.", not mine, name, side))
        for zone in Zone if kind in ZONED else ():
            text = f"{name.capitalize()} in the {place(side, zone)}."
            out.append(KnownSentence(text, any(one.zone is zone for one in mine), name, side, zone))
    return out
