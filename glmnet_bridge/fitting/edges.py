"""Edges: maxima on the border of the link's domain, where a fitted mean is 0 or 1.

    maximise   l(theta) + t sum_i log(slack_i)       t = 1, 1/10, 1/100, ...

slack_i is how far the linear predictor of row i is from the edge (log link of a probability:
-eta; identity link: eta and 1 - eta). Newton's steps end at the first edge that they meet; the
barrier lets them slide along it (Fiacco and McCormick 1968). The log-likelihood of these links
is concave in eta, so that the limit is the maximum: at most n t above what is reached.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.fitting import irls
from glmnet_bridge.fitting.irls import Objective, Path
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model, Sums

Array = np.ndarray

EDGES = {
    ("binomial", "log"): (-np.inf, 0.0),
    ("binomial", "identity"): (0.0, 1.0),
    ("poisson", "identity"): (0.0, np.inf),
    ("poisson", "sqrt"): (0.0, np.inf),
}
"""Where eta must stay and the likelihood of some rows is finite at the end; elsewhere no maximum is on an edge."""

LADDER = 10.0 ** -np.arange(0.0, 11.0)
NEAR = 1e-6  # a row this close to the edge lies on it: the last barrier keeps it off by about 1e-10
NEAR_ROOT = 1e-4
"""The same for the square root of a mean: -eta^2 is flat at 0, where the last barrier keeps it off by about 1e-5."""


def has(family: Family) -> bool:
    """Whether a maximum of this family and link can lie on an edge."""
    return (family.name, family.link.name) in EDGES


def on_edge(family: Family, eta: Array) -> Array:
    """Mask of the linear predictors that lie on an edge; of the same shape."""
    low, high = EDGES.get((family.name, family.link.name), (-np.inf, np.inf))
    near = NEAR_ROOT if family.link.name == "sqrt" else NEAR
    return (eta - low < near) | (high - eta < near)


def slide(objective: Objective, model: Model, rows: Rows, theta: Array, tol: float, max_steps: int) -> Path:
    """The maximum, inside the domain or on its edge, from `theta` inside; outcome "converged" or "boundary"."""
    low, high = EDGES[model.family.name, model.family.link.name]
    steps: list[irls.Step] = []
    path = None
    for t in LADDER:
        held = replace(objective, evaluate=_held(objective.evaluate, model, rows, (low, high), float(t)), exact=None)
        path = irls.newton(held, theta, tol=1e-3 if t > LADDER[-1] else tol, max_steps=max_steps, polish=False)
        theta = path.end.theta
        steps += path.steps
    if not touching(model, rows, theta):
        free = irls.newton(objective, theta, tol=tol, max_steps=max_steps)
        if free.outcome == "converged":
            return free
    end = objective.at(theta)
    numbered = tuple(replace(step, step=number, epoch=number) for number, step in enumerate(steps))
    return Path(replace(end, decrement=0.0 if path is None else path.end.decrement), numbered, "boundary")


def touching(model: Model, rows: Rows, theta: Array) -> int:
    """How many rows with weight lie on an edge."""

    def part(block: Block) -> int:
        edge = on_edge(model.family, model.eta(block, theta)[:, 0])
        return int((edge & (block.weights > 0)).sum())

    return rows.sum(part)


def _held(evaluate: irls.Evaluate, model: Model, rows: Rows, ends: tuple[float, float], t: float) -> irls.Evaluate:
    """The likelihood with the barrier of strength t."""

    def held(theta: Array, want: str) -> Sums:
        sums = evaluate(theta, want)
        if not np.isfinite(sums.loglik):
            return sums
        body = model.network.at(theta)

        def part(block: Block) -> Sums:
            eta, tape = body.forward(block.columns)
            eta = eta if block.offset is None else eta + block.offset
            counts = (block.weights > 0)[:, None]
            slacks = [np.where(counts, slack, np.inf) for slack in (eta - ends[0], ends[1] - eta)]
            with np.errstate(divide="ignore", invalid="ignore"):
                value = t * sum(
                    float(np.log(slack, where=np.isfinite(slack), out=np.zeros_like(slack)).sum()) for slack in slacks
                )
                u = t * (1.0 / slacks[0] - 1.0 / slacks[1])
                w = t * (slacks[0] ** -2.0 + slacks[1] ** -2.0)
            if sums.score is None:
                return Sums(value)
            info = body.info(tape, w)
            return Sums(value, body.score(tape, u), info if sums.observed is not None else None,
                        info if sums.expected is not None else None)  # fmt: skip

        return sums + rows.sum(part)

    return held
