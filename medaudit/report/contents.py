"""What every section of one report draws from: the records, the style, and pictures made once."""

from dataclasses import dataclass

from reportlab.platypus import Flowable

from medaudit.figures.colour import ColourScale
from medaudit.figures.words import words_scale
from medaudit.records import Attribution, ImageAudit, RunRecord, StudyAudit
from medaudit.records.review import SignedReview
from medaudit.report.canvas import section
from medaudit.report.layout import Section
from medaudit.report.pictures import Raster, map_raster, source_raster
from medaudit.report.scores import explained, first_shown, lead_image
from medaudit.report.style import Style


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The pictures of one image and the two scales that all its prompts share.

    ``maps`` is in the order of ``ImageAudit.attributions``; None for prompts that get no picture.
    """

    source: Raster
    scale: ColourScale
    word_scale: ColourScale
    maps: tuple[Raster | None, ...]

    @classmethod
    def of(cls, image: ImageAudit, opacity: float) -> "Figures":
        """Draw an image's pictures."""
        scale = ColourScale.for_maps(one.image for one in image.attributions)
        pictured = {id(one) for one in (*explained(image), first_shown(image))}
        return cls(
            source=source_raster(image),
            scale=scale,
            word_scale=words_scale(tuple(one.text for one in image.attributions)),
            maps=tuple(
                map_raster(image, one, scale, opacity) if id(one) in pictured else None for one in image.attributions
            ),
        )

    def map_of(self, image: ImageAudit, attribution: Attribution) -> Raster:
        """The picture of one prompt."""
        index = next(index for index, one in enumerate(image.attributions) if one is attribution)
        raster = self.maps[index]
        if raster is None:
            msg = f"Figures.map_of: expected a prompt with a picture; got one of kind {attribution.prompt.kind}"
            raise ValueError(msg)
        return raster


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """One study's report before it is set.

    ``figures`` has an entry for each image, in order; ``reviews`` is what readers signed.
    """

    run: RunRecord
    audit: StudyAudit
    style: Style
    figures: tuple[Figures, ...]
    reviews: tuple[SignedReview, ...] = ()

    @property
    def lead(self) -> tuple[ImageAudit, Figures] | None:
        """The image of the first page, if the layout has a first page and the study an image."""
        lead = lead_image(self.audit)
        if lead is None or Section.SUMMARY not in self.style.layout.sections:
            return None
        return next(pair for pair in zip(self.audit.images, self.figures, strict=True) if pair[0] is lead)

    def image_name(self, image: ImageAudit) -> str:
        """Which image this is, as a reader counts: ``Image 2 of 3``, with code and frame."""
        index = next(index for index, one in enumerate(self.audit.images) if one is image)
        place = self.style.words.say("study.image.of", n=index + 1, count=len(self.audit.images))
        return f"{place} \u00b7 {image.record.image}"

    def section(self, title: str, key: str) -> list[Flowable]:
        """The heading of a section, with its place in the outline."""
        return section(self.style, title, key)
