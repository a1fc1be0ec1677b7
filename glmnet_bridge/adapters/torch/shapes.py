"""Shapes of a PyTorch module's inputs, which it does not say itself: found by trying.

A layer fits one width, an embedding one column; the widths with which a whole walk goes through are
the inputs'. What the caller names is tried first. Where several fit, those are taken that leave no
column unread; if that does not settle it, the caller is asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glmnet_bridge.adapters.torch.graphs import Graph
from glmnet_bridge.adapters.torch.operations import run
from glmnet_bridge.adapters.torch.steps import finish
from glmnet_bridge.adapters.torch.walks import Misfit, Walk
from glmnet_bridge.adapters.torch.weights import Book
from glmnet_bridge.adapters.wirings import Wire
from glmnet_bridge.errors import ReadError, listed

MOST = 20_000  # shapes that are tried
Shape = tuple[int, ...]
Widths = int | Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class Way:
    """A walk that went through: its shapes, the end activation, and the units in front of it."""

    walk: Walk
    shapes: tuple[Shape, ...]
    activation: str
    wire: Wire

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(shape[0] if shape else 1 for shape in self.shapes)


def way(graph: Graph, book: Book, widths: Widths) -> Way:
    """The one walk that goes through.

    Raises
    ------
    ReadError
        for what is not read, shapes that never fit, or widths that several walks share
    """
    told = list(_candidates(graph.inputs, _largest(graph, book), widths)) if widths is not None else []
    found, _ = _tried(graph, book, told)
    if not found:
        found, reason = _tried(graph, book, list(_candidates(graph.inputs, _largest(graph, book), None)))
        if not found:
            raise reason
    return _settled(graph, found)


def _tried(graph: Graph, book: Book, shapes: Sequence[tuple[Shape, ...]]) -> tuple[list[Way], Exception]:
    """The walks that go through; else the error of the one that came furthest."""
    found: list[Way] = []
    reasons: list[tuple[bool, int, Exception]] = []  # a refusal says more than shapes that do not fit
    for each in shapes:
        walk = Walk(graph, book, each)
        try:
            found.append(Way(walk, each, *finish(walk, run(walk))))
        except ReadError as error:
            reasons.append((True, walk.steps, error))
        except Misfit as error:
            reasons.append((False, walk.steps, ReadError(f"{error}. Its shapes do not fit together.")))
    if reasons:
        return found, max(reasons, key=lambda each: each[:2])[2]
    return found, ReadError("No shape of the inputs fits the module.")


def _settled(graph: Graph, found: list[Way]) -> Way:
    """The one of several ways that is meant."""
    plain = [each for each in found if not each.walk.stretched] or found
    by_widths = {each.widths: each for each in reversed(plain)}  # of equal widths the first
    if len(by_widths) == 1:
        return next(iter(by_widths.values()))
    read = {widths: _read(each) for widths, each in by_widths.items()}
    full = [widths for widths, names in read.items() if len(names) == sum(widths)]
    if len(full) == 1:
        return by_widths[full[0]]
    if not full and len(set(read.values())) == 1:
        return by_widths[min(by_widths)]
    several = f"Inputs {listed(graph.inputs)} have" if len(graph.inputs) > 1 else "The input has"
    shown = sorted(full or by_widths)
    words = [" and ".join(map(str, each)) for each in shown]
    raise ReadError(
        f"{several} no width that the module says: {listed(words)} would all do. Say what it is fed, as in "
        + ("inputs=" + "{" + ", ".join(f"{name!r}: [...]" for name in graph.inputs) + "}." if len(graph.inputs) > 1
           else 'inputs=["age", "dose"].')
    )  # fmt: skip


def _read(found: Way) -> frozenset[str]:
    """The raw inputs that the network reads."""
    _, _, features = found.walk.wiring.network(found.wire)
    return frozenset(found.walk.names[at] for feature in features for at in feature.sources)


def _candidates(inputs: Sequence[str], largest: int, widths: Widths) -> Iterator[tuple[Shape, ...]]:
    """Shapes to try: one row of each input is `(width,)`, or a number."""
    if isinstance(widths, Mapping):
        if set(widths) != set(inputs):
            return
        choices = [_shapes([widths[name]]) for name in inputs]
    else:
        largest = max(largest, widths or 0)
        choices = [_shapes(range(1, largest + 1)) for _ in inputs]
    count = 0
    for each in itertools.product(*choices):
        if isinstance(widths, int) and sum(shape[0] if shape else 1 for shape in each) != widths:
            continue
        count += 1
        if count > MOST:
            raise ReadError(
                f"The module has {len(inputs)} inputs ({listed(inputs)}), of widths that it does not say. Give them, "
                "as in inputs={" + ", ".join(f"{name!r}: [...]" for name in inputs) + "}."
            )
        yield each


def _shapes(widths: Sequence[int]) -> list[Shape]:
    return [shape for width in widths for shape in ([(width,), ()] if width == 1 else [(width,)])]


def _largest(graph: Graph, book: Book) -> int:
    """No input is wider than this: the widest layer, and what is picked beside it."""
    sizes = [1, *(size for path, shape in book.shapes.items() if not _is_table(graph, path) for size in shape)]
    picks = [0, *(abs(part) + 1 for node in graph.nodes for part in _constants((node.args, node.kwargs)))]
    return max(sizes) + min(max(picks), 1_000)


def _is_table(graph: Graph, path: str) -> bool:
    """Whether a parameter is that of an embedding, whose size says nothing of widths."""
    try:
        return type(graph.module(path.rpartition(".")[0])).__name__ == "Embedding"
    except AttributeError:
        return False


def _constants(value: Any) -> Iterator[int]:
    if isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _constants(each)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31:
        yield value


def examples(module: Any, inputs: Sequence[str], book: Book, widths: Widths, largest: int) -> list[Any]:
    """Example inputs with which the module itself runs: numbers where it takes these, else whole numbers.

    Raises
    ------
    ReadError
        where it runs with none
    """
    import torch

    from glmnet_bridge.adapters.torch.weights import BATCH

    makers: list[Callable[..., Any]] = [
        lambda shape: torch.zeros(BATCH, *shape, dtype=book.example.dtype, device=book.example.device),
        lambda shape: torch.zeros(BATCH, *shape, dtype=torch.int64, device=book.example.device),
    ]
    last: Exception | None = None
    for asked in (widths, None) if widths is not None else (None,):
        for shapes in _candidates(inputs, largest, asked):
            for kinds in itertools.product(makers, repeat=len(inputs)):
                given = [make(shape) for make, shape in zip(kinds, shapes, strict=True)]
                try:
                    module(*given)
                except Exception as error:  # whatever the module's own code raises on such an input
                    last = error
                    continue
                return given
    raise ReadError(
        f"The PyTorch {type(module).__name__} cannot be run, so that its inputs are not known: "
        f"{str(last).splitlines()[0] if str(last) else type(last).__name__}. Say what it is fed (inputs=)."
    )
