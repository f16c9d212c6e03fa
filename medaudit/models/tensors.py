"""A checkpoint's tensors by name, turned into modules; what is missing, unknown or misshapen is refused by name."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from medaudit.errors import ModelLayoutError, ModelMissingError


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

    """

    def __init__(self, path: Path, values: dict[str, Tensor], device: torch.device) -> None:
        self._path = path
        self._device = device
        self._values = values
        self._taken: set[str] = set()

    @classmethod
    def read(cls, folder: Path, names: tuple[str, ...], device: torch.device) -> "Tensors":
        """Read the first of ``names`` that the folder holds: ``.safetensors``, or a pickle of plain tensors only.

        Raises
        ------
        ModelMissingError
            The folder holds none of them.
        ModelLayoutError
            The file is damaged, or holds anything but tensors.

        """
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            msg = f"{folder}: no weights; expected one of {', '.join(names)}"
            raise ModelMissingError(msg)
        try:
            if path.suffix == ".safetensors":
                return cls(path, load_file(path), device)
            # weights_only: a pickle may run code when it is read; this reader builds tensors and nothing else.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            msg = f"{path}: not a readable checkpoint ({type(error).__name__}); fetch the file again"
            raise ModelLayoutError(msg) from error
        except Exception as error:
            if type(error).__name__ != "UnpicklingError":
                raise
            msg = f"{path}: holds more than tensors and is refused; ask its makers for safetensors"
            raise ModelLayoutError(msg) from error
        values = content.get("state_dict", content) if isinstance(content, dict) else {}
        plain = {str(name).removeprefix("module."): value for name, value in values.items() if torch.is_tensor(value)}
        return cls(path, plain, device)

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
            msg = f"{self._path}: {name} is missing; the file is of another layout, or incomplete"
            raise ModelLayoutError(msg)
        if len(shape) != value.ndim or any(
            want not in (None, got) for want, got in zip(shape, value.shape, strict=True)
        ):
            wanted = " x ".join("any" if length is None else str(length) for length in shape)
            msg = f"{self._path}: {name}: expected {wanted}; got {' x '.join(map(str, value.shape))}"
            raise ModelLayoutError(msg)
        self._taken.add(name)
        return value.to(self._device, torch.float32)

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
            msg = f"{self._path}: unknown tensors: {shown}; the file is of another layout"
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
