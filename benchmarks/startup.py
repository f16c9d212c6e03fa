"""How long the command line takes to answer, as ratios to a bare interpreter.

Usage: ``python benchmarks/startup.py [--runs 9]``
"""

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "medaudit --help": ["-m", "medaudit", "--help"],
    "import medaudit.report.write": ["-c", "import medaudit.report.write"],
    "import medaudit.viewer.panels": ["-c", "import medaudit.viewer.panels"],
    "import torch": ["-c", "import torch"],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one interpreter with these arguments."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Time every command in turn, so that a slow moment falls on all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    base = statistics.median(times["python -c pass"][1:])
    print(f"{'':32}{'median s':>10}{'ratio':>8}   ({runs} runs after one warm-up)")
    for name, values in times.items():
        median = statistics.median(values[1:])
        print(f"{name:32}{median:10.3f}{median / base:8.1f}")


if __name__ == "__main__":
    main()
