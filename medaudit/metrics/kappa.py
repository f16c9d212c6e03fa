"""How far two readers agree beyond chance."""

from collections import Counter
from collections.abc import Hashable, Sequence


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two readers' decisions on the same cases, in -1 .. 1 (Cohen 1960).

    Educational and Psychological Measurement 20 (1), doi:10.1177/001316446002000104.

    None where it has no value: without a case, or where both say the same one thing of every case.
    """
    if len(first) != len(second):
        msg = f"cohen_kappa: expected decisions on the same cases; got {len(first)} and {len(second)}"
        raise ValueError(msg)
    count = len(first)
    if not count:
        return None
    observed = sum(one == other for one, other in zip(first, second, strict=True)) / count
    ones, others = Counter(first), Counter(second)
    chance = sum(ones[name] * others[name] for name in ones) / count**2
    return None if chance == 1 else (observed - chance) / (1 - chance)
