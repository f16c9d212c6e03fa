"""What `medaudit models verify` says of a bundle: its files, whether it loads, its doubts, its contract."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from medaudit.errors import ModelError
from medaudit.models.bundle import Verification, verify_bundle
from medaudit.models.contract import CLAUSES, ContractError
from medaudit.models.registry import load_model
from medaudit.models.sanity import doubts


@dataclass(frozen=True, slots=True)
class Examination:
    """Findings on a bundle. ``refusal`` is why it does not load; ``broken`` clauses and what they found."""

    files: Verification
    refusal: str = ""
    family: str = ""
    doubts: tuple[str, ...] = ()
    clauses: int = 0
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return self.files.holds and not (self.refusal or self.doubts or self.broken)

    def lines(self) -> list[str]:
        """Lines for a person, worst last."""
        lines = [f"{len(self.files.same)} files as they were fetched"]
        for kind in ("changed", "missing", "unlisted"):
            lines += [f"{kind}: {name}" for name in getattr(self.files, kind)]
        if self.family:
            lines.append(f"loads as {self.family}")
        if self.clauses:
            lines.append(f"{self.clauses - len(self.broken)} of {self.clauses} clauses of the contract hold")
        lines += [f"broken: {text}" for text in self.broken]
        lines += [f"doubt: {text}" for text in self.doubts]
        if self.refusal:
            lines.append(f"does not load: {self.refusal}")
        return [*lines, "Everything holds." if self.holds else "Something does not hold."]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a program."""
        return {"holds": self.holds, **asdict(self)}


def examine_bundle(folder: Path, *, contract: bool = False) -> Examination:
    """Check a bundle's checksums; where they hold, load it, look for doubts, and on wish run the contract.

    A changed file is not loaded: whatever it holds now, nobody vouched for it.

    Raises
    ------
    ModelMissingError
        The folder has no manifest with checksums.

    """
    files = verify_bundle(folder)
    if not files.holds:
        return Examination(files)
    try:
        model = load_model(folder, torch.device("cpu"))
        found = tuple(f"{type(doubt).__name__}: {doubt}" for doubt in doubts(model))
    except ModelError as error:
        return Examination(files, refusal=str(error))
    broken = []
    for clause in CLAUSES if contract else ():
        try:
            clause(model)
        except ContractError as error:
            broken.append(f"{clause.__name__}: {error}")
    return Examination(
        files,
        family=model.card.family,
        doubts=found,
        clauses=len(CLAUSES) if contract else 0,
        broken=tuple(broken),
    )
