"""A checkpoint's tensors by name, turned into modules; what is missing, unknown or misshapen is refused by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from medaudit.errors import ModelLayoutError
from medaudit.models.checkpoint import read_checkpoint


class Tensors:
    """The tensors of one checkpoint. Each is taken once; :meth:`finish` refuses what nobody took.

    Modules share the tensors, so no second copy of the weights is made, and none of them takes gradients.

    Parameters
    ----------
    path
        The file, for messages.
    values
        Tensors by their names in the checkpoint.
    device
        Where the taken tensors go.
    header
        What a training checkpoint holds beside its tensors (plain values only).

    """

    def __init__(
        self, path: Path, values: dict[str, Tensor], device: torch.device, header: Mapping[str, object] | None = None
    ) -> None:
        self.path = path
        self.header = header or {}
        self._device = device
        self._values = values
        self._taken: set[str] = set()

    @classmethod
    def read(cls, folder: Path, names: tuple[str, ...], device: torch.device) -> "Tensors":
        """Read the first of ``names`` that the folder holds; see :func:`medaudit.models.checkpoint.read_checkpoint`.

        Raises
        ------
        ModelMissingError
            The folder holds none of them.
        ModelLayoutError
            The file is damaged, or holds anything but tensors.

        """
        path, values, header = read_checkpoint(folder, names)
        return cls(path, values, device, header)

    @property
    def names(self) -> frozenset[str]:
        """Names of all tensors in the checkpoint."""
        return frozenset(self._values)

    def has(self, name: str) -> bool:
        """Whether the checkpoint holds a tensor of this name."""
        return name in self._values

    def ignore(self, unused: Callable[[str], bool]) -> None:
        """Leave out the tensors whose names ``unused`` accepts: parts that an embedding does not need."""
        self._taken |= {name for name in self._values if unused(name)}

    def count(self, prefix: str) -> int:
        """How many numbered parts ``prefix.0``, ``prefix.1`` ... there are."""
        parts = {name[len(prefix) + 1 :].split(".")[0] for name in self._values if name.startswith(f"{prefix}.")}
        return sum(part.isdigit() for part in parts)

    def take(self, name: str, shape: tuple[int | None, ...]) -> Tensor:
        """Take a tensor of a shape (None is any length), in float32.

        Raises
        ------
        ModelLayoutError
            It is missing or has another shape.

        """
        value = self._values.get(name)
        if value is None:
            msg = f"{self.path}: {name} is missing; the file is of another layout, or incomplete"
            raise ModelLayoutError(msg)
        if len(shape) != value.ndim or any(
            want not in (None, got) for want, got in zip(shape, value.shape, strict=True)
        ):
            wanted = " x ".join("any" if length is None else str(length) for length in shape)
            msg = f"{self.path}: {name}: expected {wanted}; got {' x '.join(map(str, value.shape))}"
            raise ModelLayoutError(msg)
        self._taken.add(name)
        return value.to(self._device, torch.float32)

    def scalar(self, name: str) -> Tensor:
        """Take a single number, published as () or as (1,), as () in float32.

        Raises
        ------
        ModelLayoutError
            It is missing, or more than one number.

        """
        stated = self._values.get(name)
        return self.take(name, (1,) if stated is not None and stated.ndim else ()).reshape(())

    def linear(self, name: str, inputs: int | None = None, *, bias: bool = True) -> nn.Linear:
        """``name.weight`` (outputs, inputs) and ``name.bias`` as a linear layer."""
        weight = self.take(f"{name}.weight", (None, inputs))
        return linear(weight, self.take(f"{name}.bias", (weight.shape[0],)) if bias else None)

    def norm(self, name: str, width: int, eps: float) -> nn.LayerNorm:
        """``name.weight`` and ``name.bias`` as a layer norm."""
        module = nn.LayerNorm(width, eps=eps, device="meta")
        module.weight = frozen(self.take(f"{name}.weight", (width,)))
        module.bias = frozen(self.take(f"{name}.bias", (width,)))
        return module

    def convolution(self, name: str, *, stride: int = 1, padding: int = 0, bias: bool = False) -> nn.Conv2d:
        """``name.weight`` (outputs, inputs, rows, columns), and ``name.bias``, as a convolution."""
        weight = self.take(f"{name}.weight", (None, None, None, None))
        outputs, inputs, rows, columns = weight.shape
        module = nn.Conv2d(inputs, outputs, (rows, columns), stride, padding, bias=bias, device="meta")
        module.weight = frozen(weight)
        if bias:
            module.bias = frozen(self.take(f"{name}.bias", (outputs,)))
        return module

    def batch_norm(self, name: str, width: int) -> nn.BatchNorm2d:
        """``name``'s weight, bias and running statistics as a batch norm in evaluation mode."""
        module = nn.BatchNorm2d(width, device="meta")
        module.weight = frozen(self.take(f"{name}.weight", (width,)))
        module.bias = frozen(self.take(f"{name}.bias", (width,)))
        module.running_mean = self.take(f"{name}.running_mean", (width,))
        module.running_var = self.take(f"{name}.running_var", (width,))
        # It counts the batches of training, and is no part of the result.
        self._taken.add(f"{name}.num_batches_tracked")
        module.num_batches_tracked = None
        return module.eval()

    def finish(self, *, ignored: tuple[str, ...] = ()) -> None:
        """Refuse what nobody took: a tensor that is not used means that the model is another one.

        Raises
        ------
        ModelLayoutError
            Some tensors are left, but for the ``ignored`` ones.

        """
        left = sorted(set(self._values) - self._taken - set(ignored))
        if left:
            shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
            msg = f"{self.path}: unknown tensors: {shown}; the file is of another layout"
            raise ModelLayoutError(msg)


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Build a linear layer on given tensors: ``weight`` (outputs, inputs), ``bias`` (outputs,)."""
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    module.weight = frozen(weight)
    if bias is not None:
        module.bias = frozen(bias)
    return module


def frozen(values: Tensor) -> nn.Parameter:
    """Wrap a tensor as a parameter that takes no gradients."""
    return nn.Parameter(values, requires_grad=False)
