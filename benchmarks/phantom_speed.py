"""How many phantom studies a core renders and writes a second, and what share each part takes.

Usage: ``python benchmarks/phantom_speed.py [--studies 100] [--side 512]``
"""

import argparse
import tempfile
import time
from pathlib import Path

from medaudit.phantom.cohort import draw_cohort, draw_study
from medaudit.phantom.make import make_studies
from medaudit.phantom.study import render


def main() -> None:
    """Processor time, which other programs on the machine do not lengthen; one thread is used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--side", type=int, default=512)
    arguments = parser.parse_args()
    count, side = arguments.studies, arguments.side
    render(draw_study(0, 0), side)  # warm up
    began = time.process_time()
    specs = draw_cohort(count, 1)
    drawn = time.process_time()
    for spec in specs:
        render(spec, side)
    rendered = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        make_studies(Path(folder) / "studies", Path(folder) / "truth", count, 1, side=side)
    made = time.process_time()
    print(f"{count} studies at {side} x {side}, processor seconds")
    for name, seconds in (
        ("draw the specification", drawn - began),
        ("render", rendered - drawn),
        ("draw, render, write DICOM, report and truth", made - rendered),
    ):
        print(f"{name:46}{1000 * seconds / count:8.1f} ms a study {count / seconds:8.1f} studies a second a core")


if __name__ == "__main__":
    main()
