"""Rows: a re-iterable source of blocks, and the one map-reduce over them.

    total = f(block_1) + f(block_2) + ...          Rows.sum(f)

A block is small enough for the processor's cache, so that one pass can form eta, the
mean, the likelihood, `J'u` and `J'wJ` while the columns are at hand. Blocks are spread
over threads with BLAS at one thread each; the sums are added in a fixed order, so that
the number of threads does not change the answer. Sums over chunks of a file or over
machines are the same sums: there is no second path.

`Columns` is a block of the design matrix behind three verbs (`dot`, `tdot`, `gram`). Its
numeric columns are dense; columns that depend on factors alone are a small table with
one row per cell (combination of levels) and one cell number per row, so that a dummy
column never exists at full length.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import threadpoolctl

Array = np.ndarray
Total = TypeVar("Total")
Span = tuple[int, int]  # first and last + 1 row
POOL = "glmnet_bridge rows"  # name of the threads that blocks are spread over
TINY = 2**16  # products of a pass that BLAS does not divide among threads
GROUPS = 4  # groups of blocks a thread, so that one busy core does not hold up the others


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the p columns of a design live: dense ones, and those read from a cell table.

    Attributes
    ----------
    at_dense : (q,) int array, the position in the design of each dense column
    at_table : (r,) int array, the position of each table column; q + r = p
    table : (cells, r) array, the value of the table columns in each cell; without
        factors there is one cell, and its only column (if any) is the intercept
    """

    at_dense: Array
    at_table: Array
    table: Array
    order: Array | None = field(init=False)

    def __post_init__(self) -> None:
        """`order` takes sums over (table columns, dense columns) to the design's order; None: it is the same."""
        places = np.concatenate([self.at_table, self.at_dense])
        same = places.tolist() == list(range(len(places)))
        object.__setattr__(self, "order", None if same else np.argsort(places))

    @property
    def width(self) -> int:
        """p, the number of columns."""
        return len(self.at_dense) + len(self.at_table)


class Source(Protocol):
    """A kind of rows: it knows its layout and reads any run of rows."""

    @property
    def n(self) -> int:
        """Number of rows."""
        ...

    @property
    def layout(self) -> Layout:
        """Where the columns live."""
        ...

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        """Dense columns `(m, q)` and cell numbers `(m,)` (None: all in cell 0)."""
        ...


@dataclass(frozen=True, slots=True)
class Columns:
    """Some rows of a design `(m, p)`, behind the verbs that a fit needs.

    Products go through `np.dot`, which lets other threads run meanwhile; the operator `@` does not.

    `dense` is `(m, q)` float64, `cell` is `(m,)` integer or None (all rows in cell 0).
    """

    dense: Array
    cell: Array | None
    layout: Layout

    @property
    def shape(self) -> tuple[int, int]:
        return self.dense.shape[0], self.layout.width

    def dot(self, beta: Array) -> Array:
        """`X beta`, `(m, k)` for beta `(p, k)`."""
        at = self.layout
        eta = np.dot(self.dense, beta[at.at_dense])
        if len(at.at_table):
            by_cell = at.table @ beta[at.at_table]
            eta += by_cell[0] if self.cell is None else by_cell[self.cell]
        return eta

    def tdot(self, u: Array) -> Array:
        """`X' u`, `(p, k)` for u `(m, k)`."""
        at = self.layout
        sums = np.dot(self.dense.T, u)
        if len(at.at_table):
            sums = np.concatenate([at.table.T @ self._by_cell(u), sums])
        return sums if at.order is None else sums[at.order]

    def gram(self, w: Array) -> Array:
        """`X' diag(w) X`, `(p, p)`, for non-negative or signed weights w `(m,)`."""
        at = self.layout
        r, p = len(at.at_table), at.width
        sums = np.empty((p, p))
        sums[r:, r:], weighted = _weighted_gram(self.dense, w)
        if r:
            sums[:r, r:] = at.table.T @ self._by_cell_weighted(weighted, w)
            sums[r:, :r] = sums[:r, r:].T
            sums[:r, :r] = (at.table * self._by_cell(w[:, None])).T @ at.table
        return sums if at.order is None else sums[at.order][:, at.order]

    def matrix(self) -> Array:
        """The rows as one `(m, p)` array, column after column in memory: for exact work on few rows, and for people."""
        at = self.layout
        out = np.empty(self.shape[::-1])
        out[at.at_dense] = self.dense.T
        out[at.at_table] = (at.table[:1] if self.cell is None else at.table[self.cell]).T
        return out.T

    def picked(self, at: Array) -> Array:
        """Some columns `(m, len(at))`, column after column in memory; neighbours in one piece are not copied."""
        place = np.full(self.layout.width, -1)
        place[self.layout.at_dense] = np.arange(len(self.layout.at_dense))
        dense = place[at]
        if (dense < 0).any():
            return self.matrix()[:, at]
        together = neighbours(dense)
        return self.dense.T[dense].T if together is None else self.dense[:, together]

    def sizes(self, beta: Array) -> Array:
        """`|X| |beta|`, `(m, k)`: the size of the summands of `X beta`."""
        layout = replace(self.layout, table=np.abs(self.layout.table))
        return Columns(np.abs(self.dense), self.cell, layout).dot(np.abs(beta))

    def _by_cell(self, values: Array) -> Array:
        """Sum `(m, c)` values within each cell: `(cells, c)`."""
        if self.cell is None:
            return values.sum(axis=0, keepdims=True)
        cells = len(self.layout.table)
        sums = [np.bincount(self.cell, column, minlength=cells) for column in values.T]
        return np.stack(sums, axis=1) if sums else np.zeros((cells, 0))

    def _by_cell_weighted(self, weighted: Weighted, w: Array) -> Array:
        """Sum of w times the dense columns within each cell, `(cells, q)`."""
        if self.cell is None:
            return np.dot(weighted.columns.T, weighted.rest)[None, :]
        return self._by_cell(weighted.columns * weighted.rest[:, None])


def neighbours(at: Array) -> slice | None:
    """Positions that follow each other as a slice, which copies nothing; None for any others."""
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) and (np.diff(at) == 1).all() else None


@dataclass(frozen=True, slots=True)
class Weighted:
    """Dense columns times a part of the weights; `columns * rest` is the whole product."""

    columns: Array
    rest: Array


def _weighted_gram(dense: Array, w: Array) -> tuple[Array, Weighted]:
    """`X'WX`; through the root of w where it exists, because then BLAS does half the work.

    The product with the weights lies in a buffer that the thread reuses: a fresh block of
    this size would cost more in page faults than in arithmetic.
    """
    signed = w.min(initial=0.0) < 0.0
    factor = w if signed else np.sqrt(w)
    product = _buffer(dense)
    np.multiply(dense, factor[:, None], out=product)
    if signed:
        return np.dot(dense.T, product), Weighted(product, np.ones_like(w))
    return np.dot(product.T, product), Weighted(product, factor)


_buffers = threading.local()


def _buffer(like: Array) -> Array:
    """An array of this shape and memory order, overwritten by the thread's next call."""
    flat = getattr(_buffers, "flat", None)
    if flat is None or flat.size < like.size:
        flat = _buffers.flat = np.empty(like.size)
    columns_first = like.flags.f_contiguous and not like.flags.c_contiguous
    return flat[: like.size].reshape(like.shape, order="F" if columns_first else "C")


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows with everything that a likelihood needs.

    Attributes
    ----------
    columns : Columns, `(m, p)`
    response : (m, k) float array
    weights : (m,) float array, the product of prior weights, trials and frequencies
    offset : (m, k) float array or None
    start : position of its first row among all
    """

    columns: Columns
    response: Array
    weights: Array
    offset: Array | None
    start: int = 0


@dataclass(frozen=True, slots=True)
class ArraySource:
    """Rows of an array `(n, q)` that the caller keeps; it is never copied as a whole.

    Where rows lie together a block is a view. Where columns do, a block's columns are far apart in
    memory: brought together in cache, block by block, they are read twice as fast. With `intercept`,
    column 0 of the design is the constant; it exists in no array.
    """

    array: Array
    intercept: bool = False
    n: int = field(init=False)
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = self.array.shape
        ones = int(self.intercept)
        layout = Layout(np.arange(ones, columns + ones), np.arange(ones), np.ones((1, ones)))
        object.__setattr__(self, "n", rows)
        object.__setattr__(self, "layout", layout)

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        block = self.array[start:stop]
        together = self.array.strides[1] == self.array.itemsize
        return np.asarray(block, dtype=float) if together else np.array(block, dtype=float, order="F"), None


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a fit, read block by block as often as needed.

    Attributes
    ----------
    source : Source, the columns `(n, p)`
    response : (n, k) float array
    weights : (n,) float array
    offset : (n, k) float array or None
    shift, scale : (q,) arrays or None: dense columns are read as `(x - shift) * scale`
    """

    source: Source
    response: Array
    weights: Array
    offset: Array | None = None
    shift: Array | None = None
    scale: Array | None = None

    @property
    def n(self) -> int:
        return self.source.n

    def standardised(self, shift: Array | None, scale: Array | None) -> Rows:
        """The same rows, with dense columns read as `(x - shift) * scale`."""
        return replace(self, shift=shift, scale=scale)

    def spans(self) -> list[tuple[int, int]]:
        """First and last + 1 row of each block: about 1.5 MB of columns, so that it stays in cache."""
        size = min(max(200_000 // max(self.source.layout.width, 1), 1024), 16384)
        return [(start, min(start + size, self.n)) for start in range(0, self.n, size)]

    def block(self, start: int, stop: int) -> Block:
        dense, cell = self.source.read(start, stop)
        if self.shift is not None:
            dense = dense - self.shift
        if self.scale is not None:
            dense = dense * self.scale
        return Block(
            columns=Columns(dense, cell, self.source.layout),
            response=self.response[start:stop],
            weights=self.weights[start:stop],
            offset=None if self.offset is None else self.offset[start:stop],
            start=start,
        )

    def blocks(self) -> Iterator[Block]:
        for start, stop in self.spans():
            yield self.block(start, stop)

    def sum(self, f: Callable[[Block], Total], spans: list[tuple[int, int]] | None = None) -> Total:
        """`f(block)` summed over blocks (all, or those in `spans`), in their order.

        `f` returns anything that can be added. Blocks run on `workers()` threads, each
        with BLAS at one thread; the order of addition is that of the rows.
        """
        runs = self.spans() if spans is None else spans

        def part(span: tuple[int, int]) -> Total:
            return f(self.block(*span))

        return part(runs[0]) if len(runs) == 1 else _pairwise(spread(part, runs))


def spread(f: Callable[[Span], Total], runs: list[Span]) -> Iterator[Total]:
    """`f(run)` of runs of rows, on `workers()` threads with BLAS at one thread each, in the order of the runs."""
    with one_blas_thread():
        # a pass inside a block of another one stays on its thread: the pool would wait for itself
        if workers() == 1 or len(runs) == 1 or threading.current_thread().name.startswith(POOL):
            yield from map(f, runs)
            return
        # a thread takes a run of blocks at a time: handing over single blocks would cost more than it evens out.
        # Each computes in the caller's context, so that its floating-point error state holds there too
        groups = _groups(runs, GROUPS * workers())
        contexts = [contextvars.copy_context() for _ in groups]
        parts = _pool(workers()).map(
            lambda context, group: context.run(lambda: [f(run) for run in group]), contexts, groups
        )
        for part in parts:
            yield from part


def _groups(runs: list[Span], most: int) -> list[list[Span]]:
    """The runs in at most `most` lists of neighbours."""
    size = -(-len(runs) // most)
    return [runs[start : start + size] for start in range(0, len(runs), size)]


def _pairwise(parts: Iterator[Any] | Any) -> Any:
    """Sum in a fixed binary tree, so that rounding errors grow with log(number of parts)."""
    stack: list[tuple[int, Any]] = []
    for part in parts:
        level = 0
        while stack and stack[-1][0] == level:
            part = stack.pop()[1] + part
            level += 1
        stack.append((level, part))
    total = stack.pop()[1]
    while stack:
        total = stack.pop()[1] + total
    return total


@functools.cache
def _controller() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


@functools.cache
def workers() -> int:
    """Threads to spread blocks over: what BLAS was given (OMP_NUM_THREADS and its kin), at most the cores."""
    given = [lib.num_threads for lib in _controller().lib_controllers if lib.user_api == "blas"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *given]))


_limited = threading.local()


@contextlib.contextmanager
def one_blas_thread(products: float = np.inf) -> Iterator[None]:
    """A context in which BLAS uses one thread: several would wait for each other at every small block.

    The limit is set once for a nest of contexts, because setting it costs as much as a small fit's pass,
    and not at all where a pass forms so few `products` that BLAS stays on one thread by itself.
    """
    if getattr(_limited, "depth", 0) or products < TINY:
        yield
        return
    workers()  # reads the number that BLAS was given before it is first limited
    _limited.depth = 1
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limited.depth = 0


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=POOL)
