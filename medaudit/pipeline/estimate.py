"""What the checks of a run will cost, from one pass and one map that are timed on this machine."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
import torch

from medaudit.attribution.method import Noise
from medaudit.audit.case import Depth, Load
from medaudit.audit.judge import cost
from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import MedauditError
from medaudit.figures.wording import count_of
from medaudit.imaging.preprocess import preprocess
from medaudit.pipeline.audit_study import Bench
from medaudit.records import PromptKind

WORTH_TELLING: Final = 60.0
"""Seconds of checks from which an estimate is told."""


def estimate(bench: Bench, pictures: int) -> str:
    """A sentence on the passes and further maps of the checks and their minutes; '' where that is little.

    It is the most that they can cost: the checks of a finding that the model does not see are left out.
    """
    findings = sum(prompt.kind is PromptKind.FINDING for prompt in bench.prompts)
    depth = Depth(bench.spec.checks)
    price = cost(Load(findings, depth, len(bench.questions.sides)))
    if not pictures or not (price.passes or price.maps):
        return ""
    seconds = price.passes * _of_a_pass(bench)
    if price.maps:
        seconds += price.maps * _of_a_map(bench)
    if seconds * pictures < WORTH_TELLING and not price.maps:
        return ""
    maps = f" and {price.maps} more maps beside the {len(bench.prompts)} that are asked for" if price.maps else ""
    return (
        f"checks ({depth}): up to {price.passes} passes of the image tower{maps} a picture; "
        f"up to {seconds * pictures / 60:.1f} minutes for {count_of(pictures, 'picture')} on this machine"
    )


def _of_a_pass(bench: Bench) -> float:
    blank = torch.zeros(1, 3, *bench.model.preprocessing.input_size, device=bench.model.device)
    with torch.no_grad():
        return _second_time(lambda: float(bench.model.vision.encode(blank).sum()))


def _of_a_map(bench: Bench) -> float:
    """0 where the method refuses the model: then no picture will have a map either."""
    model = bench.model
    blank = DisplayImage(
        np.zeros(model.preprocessing.input_size, np.float32), None, inverted=False, window=None, description=""
    )
    seen = preprocess(blank, model.preprocessing, model.grid, fit=bench.fit)
    try:
        return _second_time(lambda: bench.method.explain(model, seen, bench.prompts[:1], Noise(0, "estimate")))
    except MedauditError:
        return 0.0


def _second_time(work: Callable[[], object]) -> float:
    """Seconds; the first time is slower than all others."""
    work()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
