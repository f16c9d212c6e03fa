"""Training images on disk: phantoms as a model sees them, with what is in them and where.

A corpus is a folder of shards. A shard is a pure function of (recipe, number), written once under its final name, so
an interrupted run goes on where it stopped and several processes can share the work.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medaudit.errors import UsageError
from medaudit.phantom.cohort import DRAWN_MM, draw_study, features_of, is_hidden
from medaudit.phantom.findings import FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.grid import Mask
from medaudit.phantom.shortcuts import Shortcut, parse_shortcut
from medaudit.phantom.study import Phantom, StudySpec, render
from medaudit.training.claims import Fact, facts_of

OVERSAMPLING: Final = 2
"""A phantom is rendered this much finer than the model sees it, as a detector is finer than a model's input."""

CELLS: Final = 4
"""Regions are kept this much finer than patches, so that they can be moved by less than a patch."""

SHARD: Final = 250
"""Studies in a shard: a few seconds of work, tens of megabytes."""

_RECIPE_FILE: Final = "corpus.json"
_CROWD: Final = 20  # its own stream of randomness: an ordinary study of a crowded corpus is the same study
CROWDED: Final = {FindingKind.NODULE: 5, FindingKind.MASS: 2}
"""How many of each a crowded study has at most; it may have none."""


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """What a corpus follows from.

    Parameters
    ----------
    studies
        How many.
    seed
        Of the cohort, see :func:`medaudit.phantom.cohort.draw_study`.
    shortcuts
        As :func:`medaudit.phantom.shortcuts.parse_shortcut` reads them.
    treated
        Where a shortcut's feature is there its finding is still told but no longer to be seen, as a pneumothorax that
        the drain has let out: in real archives most images of one are such (Oakden-Rayner et al., "Hidden
        stratification", 2020). What can be seen is easily learnt in a phantom; what cannot, leaves the feature.
    image_size
        Rows and columns of the model's input, a multiple of 32.
    grid
        Rows and columns of the model's patches.
    crowded
        In this share of the studies, 0 .. 1, nodules and masses lie in several zones at once. A nodule is small and
        rare: one study in seven has one, in one patch or two of 196, and a model that meets so few learns none.
    twins
        Crowded studies come in pairs that differ in nothing but their nodules and masses: who the patient is tells
        nothing of them, and cannot be learnt instead.

    """

    studies: int
    seed: int
    shortcuts: tuple[str, ...] = ()
    image_size: int = 224
    grid: int = 14
    treated: bool = False
    crowded: float = 0.0
    twins: bool = False

    def __post_init__(self) -> None:
        if self.studies < 1 or self.seed < 0:
            msg = f"CorpusRecipe: expected studies >= 1 and seed >= 0; got {self.studies}, {self.seed}"
            raise ValueError(msg)
        if self.image_size % 32 or self.image_size % self.grid:
            msg = f"CorpusRecipe.image_size: expected a multiple of 32 and of grid={self.grid}; got {self.image_size}"
            raise ValueError(msg)
        if not 0 <= self.crowded <= 1:
            msg = f"CorpusRecipe.crowded: expected a share, 0 .. 1; got {self.crowded}"
            raise ValueError(msg)
        if not self.ties() and self.treated:
            msg = "CorpusRecipe.treated: expected a shortcut, whose finding is hidden; got none"
            raise UsageError(msg)

    def ties(self) -> tuple[Shortcut, ...]:
        """The shortcuts, read."""
        return tuple(parse_shortcut(text) for text in self.shortcuts)

    def shards(self) -> range:
        """Numbers of the shards."""
        return range(-(-self.studies // SHARD))


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Studies as training sees them.

    Parameters
    ----------
    images
        (N, image_size, image_size) uint8, the display range of the header's window; more attenuation is brighter.
    facts
        For each study, its findings and devices.
    regions
        For each study, (len(facts), CELLS * grid, CELLS * grid) uint8: which share of each cell each of them covers,
        255 for all.

    """

    images: NDArray[np.uint8]
    facts: tuple[tuple[Fact, ...], ...]
    regions: tuple[NDArray[np.uint8], ...]


def displayed(phantom: Phantom, spec: StudySpec, size: int) -> NDArray[np.uint8]:
    """(size, size) uint8: a phantom through its vendor's window, made smaller by the mean over blocks."""
    center, width = spec.vendor.stored_window
    values = phantom.pixels.astype(np.float32)
    # PS3.3 C.11.2.1.2.1, with MONOCHROME1 turned afterwards.
    shown = np.clip((values - np.float32(center - 0.5)) / np.float32(width - 1) + np.float32(0.5), 0, 1)
    if spec.vendor.inverted:
        shown = 1 - shown
    return np.rint(_block_mean(shown, size) * 255).astype(np.uint8)


def cell_shares(mask: Mask, grid: int) -> NDArray[np.uint8]:
    """(CELLS * grid, CELLS * grid) uint8: the share of each cell that a mask covers, 255 for all of it."""
    return np.rint(_block_mean(mask.astype(np.float32), CELLS * grid) * 255).astype(np.uint8)


def patch_shares(region: NDArray[np.uint8], down: int = 0, right: int = 0) -> NDArray[np.float32]:
    """(grid, grid) float32 in [0, 255]: the share of each patch that a region covers, once it is moved by some cells.

    Parameters
    ----------
    region
        (CELLS * grid, CELLS * grid) uint8 of :class:`Corpus`.
    down, right
        Cells; less than the region has. What leaves the picture is gone, and nothing comes in.

    """
    moved = region.astype(np.float32)
    if down or right:
        rows, columns = region.shape
        moved = np.zeros_like(moved)
        moved[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = region[
            max(-down, 0) : rows - max(down, 0), max(-right, 0) : columns - max(right, 0)
        ]
    return _block_mean(moved, len(region) // CELLS)


def _block_mean(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    block = len(plane) // size
    return np.asarray(plane.reshape(size, block, size, block).mean(axis=(1, 3)), dtype=np.float32)


def make_corpus(
    folder: Path, recipe: CorpusRecipe, *, workers: int = 1, on_shard: Callable[[int, int], None] | None = None
) -> None:
    """Render what is still missing of a corpus.

    Parameters
    ----------
    folder
        Created if absent; a folder begun with the same recipe is completed.
    recipe
        See :class:`CorpusRecipe`.
    workers
        Processes.
    on_shard
        Called with (shards here, shards in all).

    Raises
    ------
    UsageError
        The folder holds a corpus of another recipe.

    """
    folder.mkdir(parents=True, exist_ok=True)
    said, wanted = folder / _RECIPE_FILE, json.loads(json.dumps(asdict(recipe)))
    if said.is_file() and json.loads(said.read_text(encoding="utf-8")) != wanted:
        msg = f"{folder}: holds a corpus of another recipe; choose another folder or remove it"
        raise UsageError(msg)
    said.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    missing = [number for number in recipe.shards() if not _shard_file(folder, number).is_file()]
    done, total = len(recipe.shards()) - len(missing), len(recipe.shards())
    if on_shard is not None:
        on_shard(done, total)
    for _ in _written(folder, recipe, missing, workers):
        done += 1
        if on_shard is not None:
            on_shard(done, total)


def _written(folder: Path, recipe: CorpusRecipe, missing: Sequence[int], workers: int) -> Iterator[None]:
    """Render shards, one value for each that is there."""
    if workers == 1:
        for number in missing:
            _write_shard(folder, recipe, number)
            yield
        return
    # Not forked: a process that already computes with threads may not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for future in as_completed([pool.submit(_write_shard, folder, recipe, number) for number in missing]):
            future.result()
            yield


def load_corpus(folder: Path, recipe: CorpusRecipe) -> Corpus:
    """Read a complete corpus.

    Raises
    ------
    UsageError
        A shard is missing.

    """
    images, facts, regions = [], [], []
    for number in recipe.shards():
        path = _shard_file(folder, number)
        if not path.is_file():
            msg = f"{folder}: shard {number} is missing; make the corpus first"
            raise UsageError(msg)
        with np.load(path, allow_pickle=False) as shard:
            images.append(shard["images"])
            shares = shard["regions"]
            start = 0
            for study in json.loads(str(shard["facts"])):
                facts.append(tuple(Fact(**fact) for fact in study))
                regions.append(shares[start : start + len(study)])
                start += len(study)
    return Corpus(np.concatenate(images), tuple(facts), tuple(regions))


def _shard_file(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:04d}.npz"


def _write_shard(folder: Path, recipe: CorpusRecipe, number: int) -> None:
    images, facts, regions = [], [], []
    ties, cells = recipe.ties(), CELLS * recipe.grid
    for index in range(number * SHARD, min((number + 1) * SHARD, recipe.studies)):
        spec = drawn(recipe, index)
        visible = visible_findings(spec, ties) if recipe.treated else spec.findings
        phantom = render(replace(spec, findings=visible), OVERSAMPLING * recipe.image_size)
        images.append(displayed(phantom, spec, recipe.image_size))
        facts.append([asdict(fact) for fact in facts_of(spec)])
        nowhere = np.zeros((cells, cells), np.uint8)
        shown = iter(phantom.finding_masks)
        regions += [cell_shares(next(shown), recipe.grid) if one in visible else nowhere for one in spec.findings]
        regions += [cell_shares(mask, recipe.grid) for mask in phantom.device_masks]
    path = _shard_file(folder, number)
    partial = path.with_suffix(".partial")
    content: dict[str, Any] = {
        "images": np.stack(images),
        "facts": np.array(json.dumps(facts)),
        "regions": np.stack(regions) if regions else np.zeros((0, cells, cells), np.uint8),
    }
    with partial.open("wb") as file:
        np.savez(file, **content)
    partial.replace(path)


def drawn(recipe: CorpusRecipe, index: int) -> StudySpec:
    """Study ``index`` of a corpus: as :func:`draw_study` draws it, or crowded."""
    first = index - index % 2 if recipe.twins else index
    if np.random.default_rng([recipe.seed, first, _CROWD]).random() >= recipe.crowded:
        return draw_study(recipe.seed, index, recipe.ties())
    spec = draw_study(recipe.seed, first, recipe.ties())
    rng = np.random.default_rng([recipe.seed, index, _CROWD])
    rng.random()  # the coin
    others = tuple(one for one in spec.findings if one.kind not in CROWDED)
    crowd = (*_crowd(rng), *others)
    return replace(spec, findings=tuple(one for one in crowd if not is_hidden(one, crowd)))


def _crowd(rng: np.random.Generator) -> Iterator[FindingSpec]:
    """Nodules and masses, at most one of a kind in a zone, so that every sentence about one keeps its truth."""
    zones = [(side, zone) for side in Side for zone in Zone]
    for kind, most in CROWDED.items():
        for place in rng.permutation(len(zones))[: rng.integers(most + 1)]:
            side, zone = zones[place]
            size = round(float(rng.uniform(*DRAWN_MM[kind])), 1)
            yield FindingSpec(kind, side, zone, size, int(rng.integers(0, 2**31)))


def visible_findings(spec: StudySpec, ties: Sequence[Shortcut]) -> tuple[FindingSpec, ...]:
    """Findings that the picture of a treated study shows."""
    here = features_of(spec)
    gone = {one.finding for one in ties if one.feature in here}
    return tuple(finding for finding in spec.findings if finding.kind not in gone)
