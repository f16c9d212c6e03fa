"""Settings of M2IB, flat, with the paper's protocol as defaults."""

from dataclasses import dataclass
from typing import Literal

from medaudit.attribution.precision import PRECISIONS

ADAM, FIXED_POINT = "adam", "fixed-point"
SIMILARITY, CONTRASTIVE = "similarity", "contrastive"
CHANNEL, TOKEN = "channel", "token"
BETWEEN_NEGATIVES = "|"


def sentences(negatives: str) -> tuple[str, ...]:
    """Return the sentences of a setting that names several, ``|`` between them."""
    return tuple(part.strip() for part in negatives.split(BETWEEN_NEGATIVES) if part.strip())


@dataclass(frozen=True, slots=True)
class M2IBSettings:
    """Settings of M2IB; the defaults are the paper's. ``docs/m2ib.md`` says what each is for.

    ``image_block`` and ``text_block`` are 0-based, negative from the end: the bottleneck sits on that block's
    output. -3 of 12 blocks is 9, the paper's. ``batch`` is how many prompts share a pass (0: as many as pay); 1
    keeps results the same to the bit in any company, other values to rounding.
    """

    image_block: int = -3
    text_block: int = -3
    image_beta: float = 0.1
    text_beta: float = 0.1
    image_nats: float = 0.0
    text_nats: float = 0.0
    solver: Literal["adam", "fixed-point"] = "adam"
    steps: int = 10
    samples: int = 10
    learning_rate: float = 1.0
    initial_alpha: float = 5.0
    use_last_step: bool = False
    tolerance: float = 0.0
    damping: float = 0.5
    lambda_per: Literal["channel", "token"] = "channel"
    standardise: bool = False
    antithetic: bool = False
    common_noise: bool = False
    target: Literal["similarity", "contrastive"] = "similarity"
    negatives: str = ""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch: int = 0

    def __post_init__(self) -> None:
        self._check_numbers()
        for name, known in (
            ("solver", (ADAM, FIXED_POINT)),
            ("lambda_per", (CHANNEL, TOKEN)),
            ("target", (SIMILARITY, CONTRASTIVE)),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                msg = f"M2IBSettings.{name}: expected one of {', '.join(known)}; got {getattr(self, name)!r}"
                raise ValueError(msg)
        if self.is_antithetic and self.samples % 2:
            msg = f"M2IBSettings.samples: expected an even number of antithetic samples; got {self.samples}"
            raise ValueError(msg)
        if self.negatives and self.target != CONTRASTIVE:
            msg = "M2IBSettings.negatives: they belong to target: contrastive"
            raise ValueError(msg)

    def _check_numbers(self) -> None:
        for names, least in ((("steps", "samples"), 1), (("batch", "image_nats", "text_nats", "tolerance"), 0)):
            for name in names:
                if getattr(self, name) < least:
                    msg = f"M2IBSettings.{name}: expected at least {least}; got {getattr(self, name)}"
                    raise ValueError(msg)
        for name in ("image_beta", "text_beta", "learning_rate"):
            if not getattr(self, name) > 0:
                msg = f"M2IBSettings.{name}: expected a value > 0; got {getattr(self, name)}"
                raise ValueError(msg)
        if not 0 <= self.damping < 1:
            msg = f"M2IBSettings.damping: expected 0 <= damping < 1; got {self.damping}"
            raise ValueError(msg)

    @property
    def is_antithetic(self) -> bool:
        """Whether noise comes in pairs of opposite sign; the fixed point's always does."""
        return self.antithetic or self.solver == FIXED_POINT
