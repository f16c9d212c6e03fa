"""Many items in few passes: how many share one, and what happens when memory does not hold them."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

# Rows of a matrix product (tokens times samples times items) beyond which a processor gains nothing by more.
_CPU_ROWS = 4096
# Of a GPU's free memory, the share that a pass may take; its allocator and the model's own buffers take some.
_GPU_SHARE = 0.4
# Numbers kept for the backward pass, a row and block, in units of the width: norms, queries, keys, values, the
# attention's output, the MLP's four-fold middle before and after its activation, and both sums.
_KEPT_WIDTHS = 18
_BYTES = 4


def automatic_batch(rows: int, width: int, blocks: int, device: torch.device) -> int:
    """How many items share a pass.

    On a processor it depends on the shapes alone, so that an interrupted run goes on with the same batches; on a GPU
    also on its free memory.

    Parameters
    ----------
    rows
        Tokens times samples of one item.
    width
        Channels of a token.
    blocks
        Blocks that are repeated.
    device
        Where the passes run.

    """
    if device.type != "cuda":
        return max(1, _CPU_ROWS // rows)
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, int(free * _GPU_SHARE) // (rows * width * (blocks + 1) * _KEPT_WIDTHS * _BYTES))


def in_batches(
    items: Sequence[Item], size: int, work: Callable[[Sequence[Item]], Sequence[Result]]
) -> tuple[Result, ...]:
    """Results of ``work`` on at most ``size`` items at a time, in order; half as many from where memory runs out.

    Raises
    ------
    Exception
        Whatever ``work`` raises, memory running out for a single item included.

    """
    done: list[Result] = []
    while len(done) < len(items):
        chunk = items[len(done) : len(done) + size]
        try:
            done += work(chunk)
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if len(chunk) == 1 or not is_out_of_memory(error):
                raise
            size = (len(chunk) + 1) // 2
        else:
            continue
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return tuple(done)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has a class of its own for that on CUDA alone."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(word in str(error) for word in words)
