"""Frames of a series as stacks of slices, in the order in which they lie in the patient (PS3.3 C.7.6.2.1.1).

Order comes from Image Position and Image Orientation alone; Instance Number only separates slices of one place.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from medaudit.dicom.dataset import PARSE_ERRORS, hushed, numbers_of, open_dataset
from medaudit.dicom.examine import plane_of
from medaudit.dicom.instance import FileRef, Instance, Plane
from medaudit.errors import InputError

# Direction cosines of one series differ by rounding to six digits; a degree of tilt is 0.017.
_COSINE_TOLERANCE = 0.005
# Two slices nearer than this, in mm, lie in one place: positions are written to a hundredth at best.
_SAME_PLACE = 0.01
# A step this many times the usual one leaves out a slice.
_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Slice:
    """One frame and its place: mm along the normal of its stack, towards L, P or H. ``frame`` is 0-based."""

    instance: Instance
    frame: int
    place: float


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel slices in the order of their places, of which there are two at least.

    ``spacing`` is the usual step in mm; ``gaps`` are the steps that leave slices out; ``repeated`` counts the slices
    that lie where another one does (echoes, phases, or files sent twice).
    """

    slices: tuple[Slice, ...]
    spacing: float
    gaps: tuple[float, ...]
    repeated: int

    def __post_init__(self) -> None:
        if len(self.slices) < 2 or not self.spacing > 0:
            msg = f"Stack: expected two slices at least and a spacing > 0; got {len(self.slices)}, {self.spacing}"
            raise ValueError(msg)

    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the stack, in words; () where it is regular."""
        words = []
        if self.gaps:
            longest = f"the longest step is {max(self.gaps):g} mm where {self.spacing:g} mm are usual"
            words.append(f"{len(self.gaps)} gap{'s' * (len(self.gaps) > 1)} between slices: {longest}")
        if self.repeated:
            words.append(f"{self.repeated} of {len(self.slices)} slices lie where another slice does")
        return tuple(words)

    def every(self, step: float) -> tuple[Slice, ...]:
        """The slices nearest to every ``step`` mm, from the first place on; no slice twice."""
        low, high = self.slices[0].place, self.slices[-1].place
        return self._nearest(low + step * index for index in range(int((high - low) / step + 1e-6) + 1))

    def at(self, fractions: Iterable[float]) -> tuple[Slice, ...]:
        """The slices nearest to fractions of the way from the first place (0) to the last (1); no slice twice."""
        low, high = self.slices[0].place, self.slices[-1].place
        return self._nearest(low + fraction * (high - low) for fraction in fractions)

    def _nearest(self, places: Iterable[float]) -> tuple[Slice, ...]:
        where = np.array([item.place for item in self.slices])
        return tuple(self.slices[index] for index in dict.fromkeys(int(np.argmin(np.abs(where - at))) for at in places))


def stacks_of(instances: Sequence[Instance]) -> tuple[tuple[Stack, ...], tuple[Instance, ...]]:
    """The stacks of a series, and the instances that belong to none (no place, or alone in their direction).

    Headers of multi-frame files are read again, for the places of their frames.
    """
    groups: dict[tuple[float, ...], list[Slice]] = defaultdict(list)
    loose: dict[str, Instance] = {}
    for instance in instances:
        planes = [instance.plane] if instance.number_of_frames == 1 else frame_planes(instance.ref)
        if not planes or None in planes:
            loose[instance.ref.label] = instance
            continue
        for frame, plane in enumerate(planes):
            if plane is not None:
                normal = _normal(plane)
                key = next((known for known in groups if np.allclose(known, normal, atol=_COSINE_TOLERANCE)), normal)
                groups[key].append(Slice(instance, frame, round(float(np.dot(key, plane.position)), 4)))
    found = []
    for slices in groups.values():
        stack = _stack(slices)
        if stack is None:
            loose |= {item.instance.ref.label: item.instance for item in slices}
        else:
            found.append(stack)
    return tuple(found), tuple(loose.values())


def frame_planes(ref: FileRef) -> tuple[Plane | None, ...]:
    """The plane of every frame of an enhanced object; () where it has none or cannot be read (PS3.3 C.7.6.16.2.3)."""
    keywords = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    planes: list[Plane | None] = []
    try:
        with ref.open() as stream, hushed():
            ds = open_dataset(stream, keywords).dataset
            shared = ds[keywords[0]].value[0] if ds.get(keywords[0]) else None
            for groups in ds[keywords[1]].value if keywords[1] in ds else ():
                values: dict[str, tuple[float, ...]] = {}
                for macro, keyword in (
                    ("PlaneOrientationSequence", "ImageOrientationPatient"),
                    ("PlanePositionSequence", "ImagePositionPatient"),
                ):
                    holder = groups if groups.get(macro) else shared
                    items = holder.get(macro) if holder is not None else None
                    values[keyword] = numbers_of(items[0], keyword) if items else ()
                planes.append(plane_of(values["ImageOrientationPatient"], values["ImagePositionPatient"]))
    except (InputError, *PARSE_ERRORS):
        return ()
    return tuple(planes)


def _normal(plane: Plane) -> tuple[float, ...]:
    """Unit normal of a plane, its main part towards L, P or H."""
    normal = np.cross(plane.orientation[:3], plane.orientation[3:])
    length = float(np.linalg.norm(normal))
    if length > 0:
        normal = normal / length * np.sign(normal[np.argmax(np.abs(normal))])
    return tuple(float(value) for value in normal)


def _stack(slices: list[Slice]) -> Stack | None:
    """The slices in order; None where they all lie in one place."""
    ordered = sorted(
        slices, key=lambda item: (item.place, item.instance.instance_number or 0, item.instance.ref.label, item.frame)
    )
    steps = [later.place - earlier.place for earlier, later in itertools.pairwise(ordered)]
    real = [step for step in steps if step > _SAME_PLACE]
    if not real:
        return None
    spacing = round(median(real), 3)
    gaps = tuple(round(step, 3) for step in real if step > _GAP * spacing)
    return Stack(tuple(ordered), spacing, gaps, len(steps) - len(real))
