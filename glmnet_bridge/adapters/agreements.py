"""Agreements: a foreign model and our reading of it, on the same raw inputs.

The model itself is run on all rows and on random ones (each raw input shuffled on its own, numbers
moved a little, so that no two inputs go together as they do in the data). Our reading is run layer by
layer: on the rows from what the map is made of, on the random ones from what we understand of the raw inputs.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.outputs import OUTPUTS
from glmnet_bridge.data.rows import POOL, Rows, Span, spread, workers
from glmnet_bridge.errors import BridgeError, ReadError
from glmnet_bridge.mapping.features import feature_windows
from glmnet_bridge.mapping.inputs import Fed
from glmnet_bridge.mapping.raws import Raws, fed_rows

Array = np.ndarray
Inputs = Callable[[int, int], Array]
Submit = Callable[..., Future[Any]]

BLOCK = 65_536  # rows that the model is given at a time
CACHED = 200_000  # numbers that our layers are given at a time
RANDOM = 200  # random rows
SLACK = 64  # rounding errors that a value may gather on its way through the layers


@dataclass(frozen=True, slots=True)
class Agreement:
    """Largest differences of the outputs: on the rows, on random rows; and what rounding explains."""

    rows: float
    random: float
    precision: float


def agree(foreign: Foreign, raws: Raws, fed: Fed, rows: Rows) -> Agreement:
    """Run the model on its raw inputs, and our reading of it on what the network is fed.

    Parameters
    ----------
    foreign : the model, read
    raws : its raw inputs
    fed : the network's inputs, as the map takes them
    rows : over the formula's columns

    Raises
    ------
    ReadError
        where they differ by more than rounding in the model's precision
    """
    blocks = [(start, min(start + BLOCK, rows.n)) for start in range(0, rows.n, BLOCK)]
    with _beside() as submit:  # our reading of one block, while the model runs on the next
        parts = [
            submit(_compared, foreign, _output(foreign, raws.table(*block)), partial(_fed_in, rows, fed, block[0]))
            for block in blocks
        ]
    worst, allowed = np.max([part.result() for part in parts], axis=0)
    random, rounding = on_table(foreign, _shuffled(foreign, raws, rows.n))
    if not (worst <= allowed and random <= rounding):
        raise ReadError(
            f"The {foreign.kind} and our reading of it differ by {max(worst, random):.2g} in the output, where "
            f"rounding explains {max(allowed, rounding):.1g}. It does something that was not understood; give the "
            "inputs that it was trained on (inputs=), or build the network by hand."
        )
    return Agreement(worst, random, foreign.precision)


@contextlib.contextmanager
def _beside() -> Iterator[Submit]:
    """`submit(f, *args)` gives a future: `f` runs on a thread beside this one (if there may be two), in its context.

    The model itself stays on the caller's thread, on which its package was set up.
    """
    if workers() == 1:
        yield _at_once
        return
    with ThreadPoolExecutor(1, thread_name_prefix=POOL) as pool:  # which does not spread what it does
        yield lambda f, *args: pool.submit(contextvars.copy_context().run, f, *args)


def _at_once(f: Callable[..., Any], *args: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(f(*args))
    return done


def _fed_in(rows: Rows, fed: Fed, origin: int, start: int, stop: int) -> Array:
    """The network's inputs `(m, d)` of rows start to stop, counted from `origin`."""
    return fed_rows(rows, fed, origin + start, origin + stop)


def on_table(foreign: Foreign, table: pd.DataFrame) -> tuple[float, float]:
    """Largest difference of the outputs on these raw inputs, and the rounding that can explain it."""
    return _compared(foreign, _output(foreign, table), feature_windows(foreign.intake.features, table))


def _output(foreign: Foreign, table: pd.DataFrame) -> Array:
    """What the model itself says `(m, k)`."""
    try:
        return np.asarray(foreign.forward(table), dtype=float).reshape(len(table), -1)
    except BridgeError:
        raise
    except Exception as error:
        raise ReadError(_failed(foreign, table, error)) from error


def _failed(foreign: Foreign, table: pd.DataFrame, error: Exception) -> str:
    """Why the model cannot be run on these rows, with the row and the column that it stumbles over, where it is one."""
    said = f"{type(error).__name__}: {error}"
    row = _first_failing(foreign, table)
    others = table.drop(index=table.index[row]) if row is not None else table.iloc[:0]
    good = next((others.iloc[[at]] for at in range(min(len(others), 50)) if _runs(foreign, others.iloc[[at]])), None)
    if row is None or good is None:
        return f"The {foreign.kind} itself fails on these rows: {said}"
    bad = table.iloc[[row]]
    for name in table.columns:
        if _runs(foreign, bad.assign(**{name: good[name].to_numpy()})):
            return (
                f"The {foreign.kind} itself fails on row {table.index[row]!r}, where column {name!r} is "
                f"{bad[name].iloc[0]!r}: {said}. Drop such rows, or train the model so that it takes them (an encoder "
                'with handle_unknown="ignore", an imputer).'
            )
    return f"The {foreign.kind} itself fails on row {table.index[row]!r}: {said}"


def _first_failing(foreign: Foreign, table: pd.DataFrame) -> int | None:
    """A row on which the model fails, found by halving; None where each half runs alone."""
    low, high = 0, len(table)
    while high - low > 1:
        middle = (low + high) // 2
        if not _runs(foreign, table.iloc[low:middle]):
            high = middle
        elif not _runs(foreign, table.iloc[middle:high]):
            low = middle
        else:
            return None
    return low


def _runs(foreign: Foreign, table: pd.DataFrame) -> bool:
    with contextlib.suppress(Exception):
        foreign.forward(table)
        return True
    return False


def _compared(foreign: Foreign, theirs: Array, inputs: Inputs) -> tuple[float, float]:
    """Largest difference of the model's output and ours, and the rounding that can explain it.

    `inputs` gives the network's inputs `(m, d)` of a span of rows.
    """

    def part(span: Span) -> tuple[float, float]:
        ours, size = _ours(foreign, inputs(*span))
        return _difference(foreign, theirs[slice(*span)], ours), size

    rows = max(CACHED // max(len(foreign.intake.features), 1), 1)
    spans = [(start, min(start + rows, len(theirs))) for start in range(0, len(theirs), rows)]
    worst, sizes = zip(*spread(part, spans), strict=True)
    return max(worst), SLACK * foreign.precision * max(1.0, *sizes)


def _ours(foreign: Foreign, values: Array) -> tuple[Array, float]:
    """The output `(m, k)` by our reading from the network's inputs `(m, d)`, and the largest number on its way."""
    size = _size(values)
    for layer, run in zip(foreign.network.layers, foreign.network.slices(), strict=True):
        values = layer.forward(values, foreign.theta[run])
        size = max(size, _size(values))
    with np.errstate(over="ignore"):
        return OUTPUTS[foreign.activation](values), size


def _size(values: Array) -> float:
    """The largest absolute value, whatever is no number left out."""
    low, high = np.fmin.reduce(values, axis=0, initial=0.0), np.fmax.reduce(values, axis=0, initial=0.0)
    return float(max(np.fmax.reduce(high, initial=0.0), -np.fmin.reduce(low, initial=0.0)))


def _difference(foreign: Foreign, theirs: Array, ours: Array) -> float:
    if theirs.shape != ours.shape:
        raise ReadError(
            f"The {foreign.kind} gives {theirs.shape[1]} outputs per row, our reading of it {ours.shape[1]}. "
            "It does something that was not understood."
        )
    apart = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0)
    if np.isnan(apart).any():
        # random rows: columns that go together in the data may not here
        apart[np.isnan(ours) & np.isnan(theirs)] = 0.0
    worst = float(apart.max(initial=0.0))
    return worst if np.isfinite(worst) else np.inf


def _shuffled(foreign: Foreign, raws: Raws, n: int) -> pd.DataFrame:
    """Rows that no data gave: each raw input is shuffled on its own; those that are read as numbers move a little."""
    draw = np.random.default_rng(0)
    count = min(n, RANDOM)
    table = raws.some(_spread(n))
    by_level = {at for feature in foreign.intake.features if not feature.plain for at in feature.sources}
    out = {}
    for at, name in enumerate(table.columns):
        column = table.iloc[:, at].iloc[draw.permutation(count)].reset_index(drop=True)
        moves = at not in by_level and pd.api.types.is_float_dtype(column.dtype)
        out[name] = column + draw.normal(0.0, 0.1, count) * column.std(ddof=0) if moves else column
    return pd.DataFrame(out)


def _spread(n: int) -> list[tuple[int, int]]:
    """Few rows, or ten runs of them, spread over all."""
    if n <= RANDOM:
        return [(0, n)]
    size = RANDOM // 10
    return [(start, start + size) for start in np.linspace(0, n - size, 10).astype(int).tolist()]
