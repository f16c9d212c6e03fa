"""What a radiologist would write of a phantom CT, and sentences of which the phantom knows whether they are true."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from medaudit.phantom.ct_findings import CT_FINDINGS
from medaudit.phantom.ct_study import CtSpec
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.report_text import DENIES, KnownSentence, Report, about_finding, conclude, fill

_SAYS: Final = {
    FindingKind.NODULE: (
        "Solid {size} nodule in the {place}.",
        "There is a solid nodule of {size} in the {place}.",
        "{Size} solid pulmonary nodule, {place}.",
        "Rounded soft tissue nodule in the {place}, measuring {size}.",
    ),
    FindingKind.EFFUSION: (
        "{Amount} {side} pleural effusion.",
        "There is a {amount} pleural effusion on the {side}.",
        "{Amount} free-flowing pleural effusion on the {side}, layering posteriorly.",
        "Dependent fluid in the {side} pleural space, in keeping with a {amount} effusion.",
    ),
}
_OPENS: Final = (
    "Axial CT of the chest without intravenous contrast.",
    "Unenhanced chest CT.",
    "CT chest without contrast.",
)
_NORMAL: Final = (
    "Normal chest CT.",
    "No acute abnormality of the chest.",
    "No acute findings.",
    "Unremarkable chest CT.",
)


def write_ct_report(spec: CtSpec, seed: int) -> Report:
    """A report that is true of the study; ``seed`` of the choice of words."""
    rng = np.random.default_rng([seed, 11])

    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    lines = [pick(_OPENS)]
    lines += [fill(pick(_SAYS[finding.kind]), finding) for finding in spec.findings]
    present = {finding.kind for finding in spec.findings}
    for kind in CT_FINDINGS:
        # Reports leave out some of what is not there.
        if kind not in present and rng.random() < 0.75:
            lines.append(pick(DENIES[kind]))
    lines.append(pick(("The central airways are patent.", "Trachea and main bronchi are patent.")))
    concluded = [conclude(finding, pick) for finding in spec.findings] or [pick(_NORMAL)]
    return Report(" ".join(lines), " ".join(concluded))


def known_ct_sentences(spec: CtSpec) -> tuple[KnownSentence, ...]:
    """Every sentence that the phantom can judge of a CT, the same list for every study, each with its truth."""
    out: list[KnownSentence] = []
    for kind in CT_FINDINGS:
        out += about_finding(kind, [finding for finding in spec.findings if finding.kind is kind])
    return (*out, *(KnownSentence(text, not spec.findings, "normal") for text in _NORMAL))
