"""Load time and peak memory of medaudit's adapters, as ratios to the library's own loader in the same run.

A random model of full size (or ``--tiny``) is written in the published layout, then loaded in fresh interpreters, in
turn: by medaudit, and by transformers. medaudit also states the files' sha256 in every report; that time is given
apart. Peak memory is what the process holds at most beyond what it held after its
imports; pages of a mapped file count once they are read, so both are also asked for an embedding.

Linux only (``VmHWM``). Usage: ``python benchmarks/models.py [--runs 3] [--tiny] [--layout siglip|clip]``
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, models, processors
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

PEAK = """
import sys, time
def peak():
    with open("/proc/self/status") as lines:
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
folder, layout, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
"""

OURS = """
from pathlib import Path
import torch
from medaudit.models import cards, hf_clip, siglip
load, checksums = {"clip": hf_clip.load, "siglip": siglip.load}[layout], cards.checksums
cards.checksums = lambda folder, names: {}
held, began = peak(), time.perf_counter()
model = load(Path(folder), torch.device("cpu"))
loaded = time.perf_counter() - began
with torch.no_grad():
    model.vision.encode(torch.zeros(1, 3, side, side))
used, began = peak() - held, time.perf_counter()
checksums(Path(folder), [path.name for path in Path(folder).iterdir()])
print(loaded, used, time.perf_counter() - began)
"""

LIBRARY = """
import torch
from transformers import CLIPModel, SiglipModel
from transformers.utils import logging
logging.disable_progress_bar()
kind = {"clip": CLIPModel, "siglip": SiglipModel}[layout]
held, began = peak(), time.perf_counter()
model = kind.from_pretrained(folder, local_files_only=True).eval()
loaded = time.perf_counter() - began
with torch.no_grad():
    model.get_image_features(torch.zeros(1, 3, side, side))
print(loaded, peak() - held, 0)
"""


def write_model(folder: Path, layout: str, *, tiny: bool) -> tuple[int, int]:
    """Write a random model with tokenizer and preprocessing; returns its side in pixels and its size in bytes."""
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 2}
    tower = sizes if tiny else {}
    side = 64 if tiny else 224
    image, text = tower | {"image_size": side, "patch_size": 16}, tower | {"vocab_size": 32000}
    if layout == "clip":
        CLIPModel(CLIPConfig(vision_config=image, text_config=text)).save_pretrained(folder)
    else:
        SiglipModel(SiglipConfig(vision_config=image, text_config=text)).save_pretrained(folder)
    words = {"<s>": 0, "</s>": 1, "<unk>": 2, "<pad>": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))  # noqa: S106 - a token, no password
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    square = {"height": side, "width": side}
    spec = {"size": square, "crop_size": square, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(spec))
    return side, (folder / "model.safetensors").stat().st_size


def measure(code: str, folder: Path, layout: str, side: int) -> tuple[float, ...]:
    """Seconds to load, peak bytes beyond the imports, seconds for checksums, of one fresh interpreter."""
    arguments = [sys.executable, "-c", PEAK + code, str(folder), layout, str(side)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return tuple(float(value) for value in done.stdout.split()[-3:])


def main() -> None:
    """Time both loaders in turn, so that a slow moment falls on both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--layout", choices=["siglip", "clip"], default="siglip")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        side, size = write_model(folder, given.layout, tiny=given.tiny)
        runs = [
            (measure(OURS, folder, given.layout, side), measure(LIBRARY, folder, given.layout, side))
            for _ in range(given.runs + 1)
        ][1:]
    sides = zip(*runs, strict=True)
    ours, theirs = ([statistics.median(values) for values in zip(*side_runs, strict=True)] for side_runs in sides)
    print(
        f"{given.layout}, {size / 1e6:.0f} MB of weights, {given.runs} runs after one warm-up; medaudit / transformers"
    )
    print(f"load time   {ours[0] / theirs[0]:6.2f}   (checksums for the report take {ours[2] / theirs[0]:.2f} more)")
    print(
        f"peak memory {ours[1] / theirs[1]:6.2f}   ({ours[1] / size:.2f} and {theirs[1] / size:.2f} times the weights)"
    )


if __name__ == "__main__":
    main()
