"""The same picture in a second audit: another model, method or setting, beside the first."""

from dataclasses import dataclass

from medaudit.records import Attribution, ImageAudit, RunRecord


@dataclass(frozen=True, slots=True)
class Second:
    """A second audit's image of the same stored pixels, and its run."""

    run: RunRecord
    audit: ImageAudit

    def place_of(self, one: Attribution) -> int | None:
        """Place of the prompt of ``one`` in this audit, by its words; None where it was not asked."""
        texts = (other.prompt.text for other in self.audit.attributions)
        return next((place for place, text in enumerate(texts) if text == one.prompt.text), None)

    def name(self, place: int) -> str:
        """What made the map of a prompt: model, method and pipeline."""
        method = self.audit.attributions[place].method
        return f"{self.run.model.name} \u00b7 {method} \u00b7 {self.run.pipeline_name}"
