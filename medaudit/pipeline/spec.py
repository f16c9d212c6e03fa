"""What a pipeline file says: frozen, validated, unknown keys refused. One class a section of the file."""

import hashlib
import itertools
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medaudit.dicom.grayscale import VoiPolicy
from medaudit.dicom.windows import named_window
from medaudit.errors import UsageError
from medaudit.imaging.transforms import check_transform
from medaudit.records import Prompt, PromptKind, Severity
from medaudit.yamlfile import quoted

PLACEHOLDER = "{finding}"

Texts = tuple[Annotated[str, Field(min_length=1)], ...]
ReportSection = Literal[
    "findings", "impression", "recommendation", "indication", "comparison", "technique", "administration", "other"
]
"""The names of :class:`medaudit.dicom.report_sentences.Section`, spelled out for the type checker."""

CheckDepth = Literal["maps", "fast", "full"]
"""The values of :class:`medaudit.audit.case.Depth`, spelled out for the type checker."""


class Section(BaseModel):
    """Base of every section."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Images(Section):
    """Which images of a study are audited.

    A list that is empty lets everything through. ``when_missing`` decides about an image whose header
    lacks the body part or the view that a list asks for; one without a modality is never taken then.
    ``slices`` is about series of two or more slices that lie in different places: each one, the middle one, one every
    ``step_mm``, or those at named ``levels`` (0 is the end at the feet, the right or the front; 1 the other).
    """

    modalities: Texts = ()
    body_parts: Texts = ()
    views: Texts = ()
    exclude_image_types: Texts = ("LOCALIZER",)
    when_missing: Literal["take", "skip"] = "take"
    frames: Literal["first", "middle", "all"] = "middle"
    slices: Literal["each", "middle", "step", "levels"] = "each"
    step_mm: float | None = Field(default=None, gt=0)
    levels: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    min_side: int = Field(default=64, ge=1)
    max_per_study: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _slices_are_said(self) -> Self:
        for kind, key, given in (("step", "step_mm", self.step_mm is not None), ("levels", "levels", self.levels)):
            if (self.slices == kind) != bool(given):
                msg = f"{key} belongs to slices: {kind}, and slices: {kind} needs it"
                raise ValueError(msg)
        return self


class Window(Section):
    """A window with a name: centre and width in modality values, or percentiles of each image's own."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    center: float | None = None
    width: float | None = Field(default=None, ge=1)
    percentiles: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        self.policy()
        return self

    def policy(self) -> VoiPolicy:
        """The same for the display."""
        if self.percentiles is not None and self.center is None and self.width is None:
            return VoiPolicy("percentiles", percentiles=self.percentiles, name=self.name)
        if self.percentiles is None and self.center is not None and self.width is not None:
            return VoiPolicy("window", center=self.center, width=self.width, name=self.name)
        msg = f"window {self.name}: give center and width, or percentiles"
        raise ValueError(msg)


class Display(Section):
    """How stored values become a picture (VOI policy), and how large the reading copy is.

    ``windows`` are names (lung, mediastinum, bone, brain ...) or windows spelled out; each makes a picture of its own,
    or three make the channels of one (``combine``).
    """

    voi: Literal["header", "full-range", "window", "windows"] = "header"
    windows: tuple[str | Window, ...] = ()
    combine: Literal["images", "channels"] = "images"
    overlays: bool = False
    header_window: int = Field(default=0, ge=0)
    center: float | None = None
    width: float | None = Field(default=None, gt=0)
    reading_copy_side: int = Field(default=1024, ge=64, le=8192)

    @model_validator(mode="after")
    def _window_is_given(self) -> Self:
        given = self.center is not None and self.width is not None
        if (self.voi == "window") != given or (self.center is None) != (self.width is None):
            msg = "center and width belong to voi: window, and voi: window needs both"
            raise ValueError(msg)
        if (self.voi == "windows") != bool(self.windows):
            msg = "windows belongs to voi: windows, and voi: windows needs it"
            raise ValueError(msg)
        if self.combine == "channels" and len(self.windows) != 3:
            msg = f"combine: channels needs three windows (red, green, blue); got {len(self.windows)}"
            raise ValueError(msg)
        names = [policy.name for policy in self.window_policies()]
        if len(set(names)) != len(names):
            msg = f"windows: expected each name once; got {', '.join(names)}"
            raise ValueError(msg)
        return self

    def window_policies(self) -> tuple[VoiPolicy, ...]:
        """The windows, in order."""
        return tuple(named_window(one) if isinstance(one, str) else one.policy() for one in self.windows)

    def views(self) -> dict[str, tuple[VoiPolicy, ...]]:
        """The pictures that one frame gives: by name ('' where there is one), a policy or three for its channels."""
        if self.voi != "windows":
            return {"": (VoiPolicy(self.voi, index=self.header_window, center=self.center, width=self.width),)}
        policies = self.window_policies()
        return {"": policies} if self.combine == "channels" else {policy.name: (policy,) for policy in policies}


class Prompts(Section):
    """What the model is asked: every template with every finding, and controls that no image answers."""

    findings: Texts = Field(min_length=1)
    templates: Texts = (f"a chest radiograph showing {PLACEHOLDER}",)
    negated: Texts = ()
    controls: Texts = ()
    paraphrases: Texts = ()
    left: str | None = None
    right: str | None = None
    sided: Texts = ()

    @field_validator("templates", "negated", "paraphrases", "left", "right")
    @classmethod
    def _has_placeholder(cls, value: Texts | str | None) -> Texts | str | None:
        for template in (value,) if isinstance(value, str) else value or ():
            rest = template.replace(PLACEHOLDER, "")
            if PLACEHOLDER not in template or "{" in rest or "}" in rest:
                msg = f"expected a sentence with {PLACEHOLDER} and no other braces; got {quoted(template)}"
                raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _both_sides(self) -> Self:
        if (self.left is None) != (self.right is None):
            msg = "left and right belong together: the check of laterality holds one against the other"
            raise ValueError(msg)
        if unknown := sorted(set(self.sided) - set(self.findings)):
            msg = f"sided: expected some of the findings; got {', '.join(map(quoted, unknown))}"
            raise ValueError(msg)
        return self

    def sides(self) -> dict[str, tuple[str, str]]:
        """The sentences that put each finding on the patient's left and right; empty where the file has none."""
        if self.left is None or self.right is None:
            return {}
        left, right = self.left, self.right
        return {
            one: (left.replace(PLACEHOLDER, one), right.replace(PLACEHOLDER, one))
            for one in self.sided or self.findings
        }

    def ways_to_say(self) -> dict[str, tuple[str, ...]]:
        """Every way in which the file says each finding: its templates and paraphrases."""
        templates = dict.fromkeys((*self.templates, *self.paraphrases))
        return {one: tuple(template.replace(PLACEHOLDER, one) for template in templates) for one in self.findings}

    def scored(self) -> tuple[str, ...]:
        """Every sentence that is only scored."""
        texts = (*self.sides().values(), *self.ways_to_say().values())
        return tuple(dict.fromkeys(itertools.chain.from_iterable(texts)))

    def ask(self) -> tuple[Prompt, ...]:
        """Every prompt, findings first, without repetition."""
        asked = [
            Prompt(template.replace(PLACEHOLDER, finding), kind, finding)
            for kind, templates in ((PromptKind.FINDING, self.templates), (PromptKind.NEGATED, self.negated))
            for finding, template in itertools.product(self.findings, templates)
        ]
        asked += [Prompt(text, PromptKind.CONTROL) for text in self.controls]
        first: dict[str, Prompt] = {}
        for prompt in asked:
            first.setdefault(prompt.text, prompt)
        return tuple(first.values())


class ReportText(Section):
    """Where report sentences come from; each becomes a prompt. Free text can identify a patient.

    Of ``sections`` alone; ``other`` is text below no heading that is known. With ``max_sentences`` 0 no sentence is
    asked and none kept: reports are only searched for what ``cohort.mentions`` and the findings name.
    """

    sources: tuple[Literal["structured-report", "sidecar", "manifest"], ...] = ()
    sections: tuple[ReportSection, ...] = ("findings", "impression", "other")
    max_sentences: int = Field(default=8, ge=0)


class AttributionChoice(Section):
    """Which method, with which settings."""

    method: str = "m2ib"
    settings: dict[str, int | float | str | bool] = {}

    @model_validator(mode="after")
    def _method_takes_settings(self) -> Self:
        from medaudit.attribution.registry import build_method  # noqa: PLC0415 - imports torch

        _as_value_error(build_method, self.method, self.settings)
        return self


class ThresholdSpec(Section):
    """Beyond which value a measurement becomes a finding, and how severe it is."""

    limit: float = Field(allow_inf_nan=False)
    severity: Severity = Severity.CAUTION


class Cohort(Section):
    """What is compared across studies.

    ``mentions`` are things that reports are searched for, by the words that name them: devices that come with a
    finding, and other names of a finding of ``prompts``. A group needs ``smallest`` studies on either side; a
    difference counts where its corrected p lies below ``level``.
    """

    mentions: dict[str, Annotated[Texts, Field(min_length=1)]] = {}
    smallest: int = Field(default=10, ge=3)
    level: float = Field(default=0.01, gt=0, lt=1)


class ReportChoice(Section):
    """Which layout the study PDF has."""

    layout: str = "study"


class PipelineSpec(Section):
    """A whole pipeline file."""

    version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    description: str = ""
    images: Images = Images()
    display: Display = Display()
    transforms: tuple[dict[str, Any], ...] = ()
    fit: Literal["model", "crop", "pad", "squash"] = "model"
    prompts: Prompts
    report_text: ReportText = ReportText()
    attribution: AttributionChoice = Field(default_factory=AttributionChoice)
    checks: CheckDepth = "fast"
    cohort: Cohort = Cohort()
    thresholds: dict[str, ThresholdSpec] = {}
    report: ReportChoice = ReportChoice()

    @field_validator("transforms")
    @classmethod
    def _transforms_are_allowed(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for entry in value:
            _as_value_error(check_transform, entry)
        return value

    @field_validator("thresholds")
    @classmethod
    def _thresholds_are_known(cls, value: dict[str, ThresholdSpec]) -> dict[str, ThresholdSpec]:
        from medaudit.audit.cohort.judge import WORDINGS as ACROSS  # noqa: PLC0415 - the checks come with it
        from medaudit.audit.verdict import WORDINGS  # noqa: PLC0415 - the same

        known = (*WORDINGS, *ACROSS)
        if unknown := sorted(set(value) - set(known)):
            msg = f"no check measures {', '.join(unknown)}; known: {', '.join(known)}"
            raise ValueError(msg)
        return value

    def terms(self) -> dict[str, tuple[str, ...]]:
        """What reports are searched for: every finding by its own name, and what ``cohort.mentions`` adds."""
        named: dict[str, Texts] = {finding: (finding,) for finding in self.prompts.findings}
        for name, words in self.cohort.mentions.items():
            named[name] = tuple(dict.fromkeys((*named.get(name, ()), *words)))
        return named

    def digest(self) -> str:
        """sha256 of what the file means: comments, order of keys and spelled-out defaults do not matter."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _as_value_error(check: Any, *arguments: Any) -> None:  # noqa: ANN401 - any check of a lower layer
    """Pydantic turns a ValueError into a located message; medaudit's own errors are no ValueErrors."""
    try:
        check(*arguments)
    except UsageError as error:
        raise ValueError(str(error)) from error
