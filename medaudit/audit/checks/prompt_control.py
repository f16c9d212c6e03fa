"""Prompt control: is the map for a finding another map than that for a nonsense prompt?

The most reported failure of maps for BiomedCLIP: the same picture lights up for "brain tumor", "sitting on
a chair" and "ljashdbflsabdf". A map that does not change with the prompt is no evidence about the prompt.
"""

from collections.abc import Sequence

from medaudit.metrics.agreement import rank_correlation
from medaudit.records import Attribution, Measurement, PromptKind

CHECK = "prompt_control"
MAP_RANK_CORRELATION = "map_rank_correlation"


def measure(attributions: Sequence[Attribution]) -> list[Measurement]:
    """One measurement a finding prompt: the mean rank correlation of its map with the control prompts' maps."""
    controls = [item for item in attributions if item.prompt.kind is PromptKind.CONTROL]
    if not controls:
        return []
    against = f"{len(controls)} control prompt{'s' if len(controls) > 1 else ''}"
    return [
        Measurement(
            CHECK,
            MAP_RANK_CORRELATION,
            sum(rank_correlation(item.image.values, other.image.values) for other in controls) / len(controls),
            item.prompt.text,
            against,
        )
        for item in attributions
        if item.prompt.kind is PromptKind.FINDING
    ]
