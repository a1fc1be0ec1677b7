"""Weights of a PyTorch module, numbered one after the other, and what a value of its graph may be.

    Units      depends on the inputs: which unit stands where, row by row
    Weights    trainable: which weight stands where
    others     constants: buffers, frozen parameters, numbers

Units and weights are integer tensors in the shape of the value, so that whatever only moves numbers about
(reshape, slice, cat, transpose) is done by PyTorch itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.errors import ReadError

Array = np.ndarray

BATCH = 5  # rows of a walk: enough that no row is taken for a unit
ROW = 1 << 40  # row r holds the unit's number plus r times this


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Numbers of units `(BATCH, ...)`; `codes` says that values were cast to whole numbers."""

    ids: Any
    codes: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Numbers of weights, in the shape of the parameter or of what was picked from it."""

    ids: Any


class Book:
    """The parameters of a module.

    Attributes
    ----------
    values : all weights, in double precision
    frozen : paths of the parameters that training leaves as they are
    thawed : whether every parameter was frozen, so that all are taken for weights all the same
    shapes : of all parameters, by path
    example : a tensor of the type, and on the device, that the module computes in
    precision : machine epsilon of its coarsest type
    """

    def __init__(self, module: Any) -> None:
        import torch

        named = list(module.named_parameters())
        for path, each in named:
            if isinstance(each, torch.nn.parameter.UninitializedParameter):
                raise ReadError(f"{path} has no values yet: run the module once on data, so that its widths are known.")
            if each.is_meta:
                raise ReadError(
                    f"{path} is on the meta device: it has a shape but no values. Give the values beside the module: "
                    "network=(module, state_dict)."
                )
        self.shapes = {path: tuple(each.shape) for path, each in named}
        free = [path for path, each in named if each.requires_grad]
        self.thawed = not free and bool(named)
        self.frozen = tuple(path for path, each in named if not each.requires_grad and not self.thawed)
        self.names: list[str] = []
        self.starts: list[int] = []
        self._shapes: list[tuple[int, ...]] = []
        self._known: dict[int, Weights] = {}
        real = [each for each in (*module.parameters(), *module.buffers()) if each.is_floating_point()]
        self.example = real[0].detach() if real else torch.zeros(0)
        self.precision = max(torch.finfo(each.dtype).eps for each in (*real, self.example))
        parts, start = [np.zeros(0)], 0
        for path, each in named:
            if path in self.frozen:
                continue
            self._known[id(each)] = Weights(torch.arange(start, start + each.numel()).reshape(each.shape))
            self.names.append(path)
            self.starts.append(start)
            self._shapes.append(tuple(each.shape))
            parts.append(each.detach().cpu().double().numpy().ravel())
            start += each.numel()
        self.values: Array = np.concatenate(parts)

    def look(self, value: Any) -> Any:
        """Weights for a trainable parameter; anything else as it is."""
        return self._known.get(id(value), value)

    def owner(self, ids: Sequence[int]) -> str:
        """Path of the parameter that the first of these weights belongs to."""
        return self.names[int(np.searchsorted(self.starts, ids[0], side="right")) - 1]

    def entries(self, ids: Sequence[int]) -> list[str]:
        """Names of weights, such as `fc.weight[0, 2]`."""
        numbers = np.asarray(ids, dtype=int)
        places = np.searchsorted(self.starts, numbers, side="right") - 1
        found = [""] * len(numbers)
        for at in np.unique(places):
            those = np.flatnonzero(places == at)
            index = np.unravel_index(numbers[those] - self.starts[at], self._shapes[at] or (1,))
            for place, *where in zip(those.tolist(), *(axis.tolist() for axis in index), strict=True):
                found[place] = f"{self.names[at]}[{', '.join(map(str, where))}]" if self._shapes[at] else self.names[at]
        return found
