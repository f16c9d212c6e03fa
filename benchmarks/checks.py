"""What each check costs a picture: passes of the image tower, further maps, seconds, and its share of the audit.

    python benchmarks/checks.py --model phantom-clip --studies 3 --depth full
    python benchmarks/checks.py --model random-vit-b16 --studies 1 --depth fast

A bundled model, or a random one of the size of CLIP ViT-B/16 (that of BiomedCLIP's image tower), audits phantoms with
a finding each by the phantom pipeline; every check is timed alone, in the order of an audit, as if the model saw every
finding: the most that a picture costs. Seconds are of this machine and of what else runs on it: read the shares. The
random model is calibrated on four other phantoms, so that nothing is left out.
"""

import argparse
import copy
import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from models import write_model  # benchmarks/models.py
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from medaudit.attribution.method import Method, Noise
from medaudit.attribution.registry import build_method
from medaudit.audit.case import Case, Depth, Questions
from medaudit.audit.judge import CHECKS
from medaudit.dicom.grayscale import DisplayImage
from medaudit.imaging.areas import areas_on_input, find_areas
from medaudit.imaging.preprocess import ModelInput, preprocess
from medaudit.imaging.regions import text_regions
from medaudit.imaging.statistics import picture_statistics
from medaudit.models.calibration import Calibration, SideCalibration, Usual
from medaudit.models.interface import Tower, VisionLanguageModel
from medaudit.models.moments import Moments
from medaudit.models.reference import reference_of
from medaudit.models.registry import load_model
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.study import render
from medaudit.pipeline.load import load_pipeline
from medaudit.records import Attribution, Prompt, PromptKind
from medaudit.resources import bundled_models_folder
from medaudit.training.corpus import displayed

RANDOM = "random-vit-b16"
SIDE = 512
MAPS = "maps that are asked for"
IMAGING = "areas"


@dataclass
class Bill:
    """What one item has cost so far."""

    seconds: float = 0.0
    passes: int = 0
    maps: int = 0


@dataclass
class Meter:
    """Charges passes, maps and seconds to whatever runs."""

    bills: dict[str, Bill] = field(default_factory=dict)
    running: Bill = field(default_factory=Bill)

    @contextmanager
    def charged(self, name: str) -> Iterator[None]:
        """Charge what happens inside to a name."""
        self.running = self.bills.setdefault(name, Bill())
        began = time.perf_counter()
        yield
        self.running.seconds += time.perf_counter() - began


def counted(tower: Tower, meter: Meter) -> Tower:
    """The same tower, of a class that charges the pictures it encodes; methods run its blocks, which is not charged."""
    kind = type(tower)

    def encode(self: Tower, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        meter.running.passes += len(inputs)
        return kind.encode(self, inputs, mask)

    other = copy.copy(tower)
    other.__class__ = type(f"Counted{kind.__name__}", (kind,), {"encode": encode})
    return other


@dataclass(frozen=True)
class CountedMethod:
    """A method that charges its maps."""

    method: Method
    meter: Meter

    def explain(
        self, model: VisionLanguageModel, image: ModelInput, prompts: Sequence[Prompt], noise: Noise
    ) -> tuple[Attribution, ...]:
        """See :meth:`medaudit.attribution.method.Method.explain`."""
        self.meter.running.maps += len(prompts)
        return self.method.explain(model, image, prompts, noise)


def write_words(folder: Path, sentences: Sequence[str]) -> None:
    """Give a model a tokenizer that knows the words of some sentences, so that no two of them are the same to it."""
    words = dict.fromkeys(word for sentence in sentences for word in sentence.split())
    vocabulary = {word: index for index, word in enumerate(("<s>", "</s>", "<unk>", "<pad>", *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - a token, no password
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    # The model pools at the end token of its configuration: another one's end would give every sentence one embedding.
    config = folder / "config.json"
    said = json.loads(config.read_text(encoding="utf-8"))
    said["text_config"] |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 3}
    config.write_text(json.dumps(said), encoding="utf-8")


def pictures(model: VisionLanguageModel, studies: int, seed: int) -> list[tuple[ModelInput, Any]]:
    """Phantoms with a finding each, as the model sees them, and as they are displayed."""
    found = []
    drawn = (draw_study(seed, index) for index in itertools.count())
    for spec in itertools.islice((spec for spec in drawn if spec.findings), studies):
        values = displayed(render(spec, SIDE), spec, SIDE).astype("float32") / 255
        shown = DisplayImage(values, None, inverted=False, window=None, description="benchmark")
        found.append((preprocess(shown, model.preprocessing, model.grid), values))
    return found


def calibrated(model: VisionLanguageModel, sentences: list[str], seed: int) -> VisionLanguageModel:
    """The same model with a calibration on a few phantoms."""
    seen = [one.pixels for one, _ in pictures(model, 4, seed + 1)]
    sides: list[SideCalibration] = []
    with torch.no_grad():
        images, texts = Moments(model.vision, None), Moments(model.text, 2)
        for pixels in seen:
            images.add(model.vision.embed(pixels))
        for sentence in sentences:
            read = model.tokenize(sentence)
            texts.add(model.text.embed(read.ids, read.mask))
        sides = [images.result(), texts.result()]
    looks = torch.cat([picture_statistics(model.preprocessing.shown(pixels)) for pixels in seen])
    return replace(
        model, calibration=Calibration(*sides, {}, Usual(reference_of(images.embeddings), reference_of(looks)))
    )


def measure(model: VisionLanguageModel, studies: int, depth: Depth, seed: int) -> dict[str, Any]:
    """Bills of one audit."""
    spec = load_pipeline("phantom").spec
    meter = Meter()
    model = replace(model, vision=counted(model.vision, meter), memo={})
    method: Any = CountedMethod(build_method(spec.attribution.method, spec.attribution.settings), meter)
    prompts = spec.prompts.ask()
    questions = Questions(spec.prompts.sides(), spec.prompts.ways_to_say())
    for index, (seen, values) in enumerate(pictures(model, studies, seed)):
        noise = Noise(0, str(index))
        with meter.charged(IMAGING):
            areas = areas_on_input(find_areas(values, text_regions(values)), seen.grid_map)
        with meter.charged(MAPS):
            maps = method.explain(model, seen, prompts, noise)
        # Without its negation to hold it against, a finding counts as seen.
        shown = tuple(one for one in maps if one.prompt.kind is not PromptKind.NEGATED)
        case = Case(model, method, seen, shown, noise, areas, questions, depth)
        for name, check in CHECKS.items():
            with meter.charged(name):
                check.measure(case)
    whole = sum(bill.seconds for bill in meter.bills.values())
    return {
        name: {
            "seconds a picture": round(bill.seconds / studies, 3),
            "passes a picture": round(bill.passes / studies, 1),
            "maps a picture": round(bill.maps / studies, 1),
            "share": round(bill.seconds / whole, 3),
        }
        for name, bill in sorted(meter.bills.items(), key=lambda item: -item[1].seconds)
    } | {"whole": {"seconds a picture": round(whole / studies, 2)}}


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="phantom-clip", help=f"a bundled model, or {RANDOM}")
    parser.add_argument("--studies", type=int, default=3)
    parser.add_argument("--depth", type=Depth, choices=list(Depth), default=Depth.FULL)
    parser.add_argument("--seed", type=int, default=70_000)
    parser.add_argument("--tiny", action="store_true", help="with the random model: a small one, to try the benchmark")
    given = parser.parse_args()
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as place:
        if given.model == RANDOM:
            prompts = load_pipeline("phantom").spec.prompts
            sentences = [prompt.text for prompt in prompts.ask()]
            write_model(Path(place), "clip", tiny=given.tiny)
            write_words(Path(place), (*sentences, *prompts.scored()))
            model = calibrated(load_model(Path(place), device), sentences, given.seed)
        else:
            model = load_model(bundled_models_folder() / given.model, device)
        found = measure(model, given.studies, given.depth, given.seed)
    print(json.dumps({"model": given.model, "depth": given.depth.value, "studies": given.studies} | found, indent=2))


if __name__ == "__main__":
    main()
