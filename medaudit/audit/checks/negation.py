"""Negation: does the similarity tell a finding from its absence?

Image-text models are known to read "no pneumothorax" much as "pneumothorax". Without a label nobody knows
which of the two is right on this image, but if both fit equally well the score cannot mean either.
"""

from collections.abc import Sequence

from medaudit.records import Attribution, Measurement, PromptKind

CHECK = "negation"
ABSOLUTE_MARGIN = "absolute_margin"


def measure(attributions: Sequence[Attribution]) -> list[Measurement]:
    """One measurement a finding that has a negated prompt: |cos(finding) - cos(negated)|."""
    negated = {item.prompt.finding: item for item in attributions if item.prompt.kind is PromptKind.NEGATED}
    return [
        Measurement(
            CHECK,
            ABSOLUTE_MARGIN,
            abs(item.similarity - negated[item.prompt.finding].similarity),
            item.prompt.text,
            negated[item.prompt.finding].prompt.text,
        )
        for item in attributions
        if item.prompt.kind is PromptKind.FINDING and item.prompt.finding in negated
    ]
