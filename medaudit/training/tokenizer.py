"""The bundled models' tokenizer: a CLIP tokenizer whose byte pairs were learnt once from the phantom's sentences.

It is data, not a result of the recipe: learning byte pairs breaks ties by chance, and weights belong to their entries.
"""

import json
import shutil
from pathlib import Path
from typing import Final

from medaudit.models.catalogue import BUNDLED_MODEL
from medaudit.resources import bundled_models_folder

TOKENIZER_FILES: Final = ("vocab.json", "merges.txt", "tokenizer_config.json")


def copy_tokenizer(folder: Path) -> int:
    """Put the tokenizer's files into a folder; any text can be encoded, for bytes can.

    Returns
    -------
    Number of entries; the last two begin and end a text.

    """
    for name in TOKENIZER_FILES:
        shutil.copyfile(bundled_models_folder() / BUNDLED_MODEL / name, folder / name)
    return len(json.loads((folder / TOKENIZER_FILES[0]).read_text(encoding="utf-8")))
