"""Training: the options of a learner, checked before any row is read.

    gradient descent   theta <- theta - rate * slope                     all rows at every step
    sgd                the same, each step on the next batch of a shuffled epoch
    momentum           v <- momentum * v - rate * slope;  theta <- theta + v
    nesterov           the same v;  theta <- theta + momentum * v - rate * slope
    adam               slopes divided by a running root mean square (Kingma and Ba 2015)
    lbfgs              quasi-Newton on all rows; finds its own step length

`slope` is the gradient of the mean loss. The defaults are Keras' where it has one (batches
of 32, momentum 0.9). A learning rate that is given is kept constant, as in Keras; the
default one is derived from the data and falls linearly to zero over the epochs, so that
the last steps settle instead of circling around the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.errors import ArgumentError, check_flags, is_number, is_whole, listed, nearest

Array = np.ndarray
RandomState = int | np.random.Generator | np.random.SeedSequence | None


@dataclass(frozen=True, slots=True)
class Method:
    """What a learner is called, how many epochs it gets by default, and which options it reads."""

    name: str
    epochs: int
    batches: bool
    rate: bool = True
    momentum: bool = False


METHODS: dict[str, Method] = {
    each.name: each
    for each in (
        Method("gradient descent", 1000, batches=False),
        Method("sgd", 50, batches=True),
        Method("momentum", 50, batches=True, momentum=True),
        Method("nesterov", 50, batches=True, momentum=True),
        Method("adam", 50, batches=True),
        Method("lbfgs", 500, batches=False, rate=False),
    )
}

_ALIASES = {
    "gd": "gradient descent",
    "gradient_descent": "gradient descent",
    "gradient-descent": "gradient descent",
    "batch gradient descent": "gradient descent",
    "l-bfgs": "lbfgs",
    "l_bfgs": "lbfgs",
    "stochastic gradient descent": "sgd",
    "minibatch": "sgd",
}

BATCH = 32
MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Training:
    """How a network is trained; make it with `training`, which checks every value.

    Attributes
    ----------
    method : a name of `METHODS`
    epochs : most passes over the rows (for "lbfgs" most steps)
    batch_size : rows per step, or None: 32 (fewer if there are fewer rows), or all rows where the
        method takes no batches
    learning_rate : constant step size, or None: derived from the data (see the module)
    momentum : share of the last step that is kept; 0 where the method has none
    validation : fraction of the rows that is held out, or None
    patience : epochs without a lower validation loss before training stops, or None
    tol : distance to the optimum, in standard errors, at which training has converged
    random_state : for start, held-out rows and batches
    progress : whether to draw a progress bar
    start : (P,) parameters to start from, or None
    """

    method: str = "sgd"
    epochs: int = 50
    batch_size: int | None = None
    learning_rate: float | None = None
    momentum: float = 0.0
    validation: float | None = None
    patience: int | None = None
    tol: float = 1e-8
    random_state: RandomState = None
    progress: bool = False
    start: Array | None = None

    @property
    def batches(self) -> bool:
        """Whether a step reads a batch, not all rows."""
        return METHODS[self.method].batches


def training(
    method: object = "sgd",
    *,
    epochs: object = None,
    batch_size: object = None,
    learning_rate: object = None,
    momentum: object = None,
    validation: object = None,
    patience: object = None,
    tol: object = 1e-8,
    random_state: object = None,
    progress: object = False,
    start: object = None,
) -> Training:
    """The options of a learner, checked.

    Parameters
    ----------
    method : "gradient descent" (or "gd"), "sgd", "momentum", "nesterov", "adam" or "lbfgs"
    epochs : most passes over the rows; by default 1000 for gradient descent, 500 steps for
        lbfgs, 50 for the others; 0 evaluates the start
    batch_size : rows per step; 32 by default
    learning_rate : constant step size; by default derived from the data so that it does not
        diverge, and falling to zero over the epochs
    momentum : for "momentum" and "nesterov"; 0.9 by default
    validation : fraction of the rows that is held out, between 0 and 1
    patience : stop after so many epochs without a lower validation loss, and keep the best weights
    tol : distance to the optimum, in standard errors, at which training has converged
    random_state : an int, a numpy Generator or SeedSequence; None draws a seed and records it
    progress : draw a progress bar with the loss and the distance
    start : parameters to start from; by default zeros for a GLM, Glorot's uniform for networks with
        hidden layers

    Returns
    -------
    Training

    Raises
    ------
    ArgumentError
        naming the argument, its value and what is allowed

    Examples
    --------
    >>> from glmnet_bridge.fitting.trainings import training
    >>> training("adam", batch_size=16, random_state=1).epochs
    50
    """
    check_flags(progress=progress)
    chosen = _method(method)
    if not chosen.batches and batch_size is not None:
        raise _refused("batch_size", batch_size, f"{chosen.name} reads all rows at every step", "sgd or adam")
    if not chosen.rate and learning_rate is not None:
        raise _refused("learning_rate", learning_rate, f"{chosen.name} finds its own step length", "sgd")
    if not chosen.momentum and momentum is not None:
        raise _refused("momentum", momentum, f"{chosen.name} has none", "momentum or nesterov")
    if patience is not None and validation is None:
        raise ArgumentError(
            f"patience={patience!r} needs held-out rows to watch. Give validation= too, as validation=0.2."
        )
    return Training(
        method=chosen.name,
        epochs=chosen.epochs if epochs is None else _whole("epochs", epochs, 0),
        batch_size=None if batch_size is None else _whole("batch_size", batch_size, 1),
        learning_rate=_optional_number("learning_rate", learning_rate, 0.0, np.inf),
        momentum=_momentum(momentum) if chosen.momentum else 0.0,
        validation=_optional_number("validation", validation, 0.0, 1.0),
        patience=None if patience is None else _whole("patience", patience, 1),
        tol=_number("tol", tol, 0.0, 1.0),
        random_state=_random_state(random_state),
        progress=bool(progress),
        start=_start(start),
    )


def seed_of(random_state: RandomState) -> int:
    """One whole number that stands for `random_state` and repeats the run when given as `random_state`."""
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.SeedSequence):
        return int(random_state.generate_state(1, np.uint64)[0])
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    return int(random_state)


def _method(given: object) -> Method:
    names = [*METHODS, *_ALIASES]
    spelt = " ".join(given.lower().split()) if isinstance(given, str) else ""
    name = _ALIASES.get(spelt, spelt)
    if name not in METHODS:
        raise ArgumentError(f"Unknown learner {given!r}; there are {listed(list(METHODS), 10)}.{nearest(given, names)}")
    return METHODS[name]


def _refused(name: str, value: object, why: str, others: str) -> ArgumentError:
    return ArgumentError(f"{name}={value!r} cannot be used here: {why}. Leave it out, or use the learner {others}.")


def _whole(name: str, value: object, least: int) -> int:
    counts = is_whole(value) or (is_number(value) and np.isfinite(value) and value == int(value))
    if not (counts and is_number(value) and value >= least):
        raise ArgumentError(f"{name}={value!r}: give a whole number, {least} or more.")
    return int(value)


def _number(name: str, value: object, above: float, below: float) -> float:
    """A real number strictly between two bounds."""
    if not (is_number(value) and above < float(value) < below):
        limit = f"above {above:g}" if np.isinf(below) else f"between {above:g} and {below:g}, both excluded"
        raise ArgumentError(f"{name}={value!r}: give a finite number {limit}.")
    return float(value)


def _optional_number(name: str, value: object, above: float, below: float) -> float | None:
    return None if value is None else _number(name, value, above, below)


def _momentum(value: object) -> float:
    if value is None:
        return MOMENTUM
    if not (is_number(value) and 0.0 <= float(value) < 1.0):
        raise ArgumentError(f"momentum={value!r}: give a number from 0 to below 1, such as 0.9.")
    return float(value)


def _random_state(value: Any) -> RandomState:
    if value is None or isinstance(value, np.random.Generator | np.random.SeedSequence):
        return value
    if is_whole(value) and value >= 0:
        return int(value)
    raise ArgumentError(
        f"random_state={value!r}: give a whole number, 0 or more, a numpy Generator or SeedSequence, or None."
    )


def _start(value: object) -> Array | None:
    if value is None:
        return None
    try:
        theta = np.array(value, dtype=float).ravel()
    except (TypeError, ValueError):
        raise ArgumentError(f"start={value!r}: give one finite number per parameter.") from None
    if not np.isfinite(theta).all():
        raise ArgumentError(f"start={theta.tolist()}: give one finite number per parameter.")
    return theta
