"""Plots: `fit.plot.<figure>()` and `bridge.plot.<figure>()`, one figure each, with a data twin.

    fit.plot.curve("age")            draws, and returns the Axes
    fit.plot.curve_data("age")       the numbers that are drawn, as a frame

A figure with one panel takes `ax=` and returns the Axes; one with several returns the Figure.
Nothing here opens a window: `ax.figure.savefig("curve.png")` saves, a notebook shows the result of its
last line. Fits are read by their public names, so this module stands before `fits.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmnet_bridge import intervals
from glmnet_bridge.checkplots import CheckPlots
from glmnet_bridge.effect_plots import EffectPlots
from glmnet_bridge.errors import ArgumentError, listed, nearest
from glmnet_bridge.fitting import statistics
from glmnet_bridge.mapping import concepts
from glmnet_bridge.model.layers import Activation, Contrast
from glmnet_bridge.model.networks import fold
from glmnet_bridge.report import (
    curves,
    descents,
    diagrams,
    forests,
    graphs,
    likelihoods,
    profiles,
    sentences,
    surfaces,
)
from glmnet_bridge.variables import Variables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray
SEEN = 20_000  # rows that suffice for the spread of a column in a drawing
ONE = "GLM = network"


@dataclass(frozen=True, slots=True)
class Plots(CheckPlots, EffectPlots):
    """The figures of a fit, or of the two views of a bridge.

    Attributes
    ----------
    views : `(name, fit)`, the GLM first
    """

    views: tuple[tuple[str, Any], ...]

    @property
    def _first(self) -> Any:
        return self.views[0][1]

    @property
    def _distinct(self) -> tuple[tuple[str, Any], ...]:
        """The views with estimates of their own; two views of one estimate are drawn once."""
        if len(self.views) > 1 and self.views[0][1].estimate is self.views[1][1].estimate:
            return ((ONE, self._first),)
        return self.views

    @property
    def _variables(self) -> Variables:
        return Variables.of([fit for _, fit in self.views])

    # --- coefficients ----------------------------------------------------------------------

    def coefficients_data(self, *, intercept: bool = False, level: float = 0.95) -> pd.DataFrame:
        """`view, term, estimate, conf_low, conf_high`; with `intercept` the Intercept too.

        A network that has not reached the optimum has no limits: they would lie around the wrong place.
        """
        parts = []
        for name, fit in affine(self._distinct):
            part = fit.tidy(level=level)[["term", "estimate", "conf_low", "conf_high"]]
            constant, part = (part["term"] == "Intercept").to_numpy(), part.assign(term=list(fit.names))
            part = part if intercept else part[~constant]
            if not fit.converged and fit is not self._first:
                part = part.assign(conf_low=np.nan, conf_high=np.nan)
            parts.append(part.assign(view=name))
        return pd.concat(parts, ignore_index=True)[["view", "term", "estimate", "conf_low", "conf_high"]]

    def coefficients(self, *, intercept: bool = False, level: float = 0.95, ax: Axes | None = None) -> Axes:
        """Coefficients with their limits, of all views, one line each."""
        data = self.coefficients_data(intercept=intercept, level=level)
        return forests.draw_forest(data, level=level, below=self._first.modelled, ax=ax)

    # --- predictions over one or two variables ---------------------------------------------

    def curve_data(self, variable: str | None = None, *, points: int = 200, level: float = 0.95) -> pd.DataFrame:
        """`view, x, estimate, conf_low, conf_high` over one numeric variable, the others held fixed.

        Numbers are held at their mean, levels and numbers of two values at the most common one. Without
        `variable` it is the first numeric one of the formula.
        """
        reader = self._variables
        if self._first.family.joint:
            raise ArgumentError(
                "A curve shows one mean over a variable; this model has one for each class. Draw what "
                "get_prediction(data) gives for rows over that variable, class by class."
            )
        name = reader.numeric(variable)
        low, high = reader.range(name)
        rows = reader.typical(points).assign(**{name: np.linspace(low, high, points)})
        parts = [
            pd.DataFrame({"view": view, "x": rows[name].to_numpy()}).join(
                reader.predict(fit, rows, level)[["estimate", "conf_low", "conf_high"]]
            )
            for view, fit in self._distinct
        ]
        return pd.concat(parts, ignore_index=True)

    def curve(self, variable: str | None = None, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
        """The mean over one variable, with its band (limits of the linear predictor), over the data."""
        reader = self._variables
        name = reader.numeric(variable)
        return curves.draw_curve(
            self.curve_data(name, level=level),
            reader.points(name),
            names=(name, reader.response),
            level=level,
            below=reader.fixed((name,)),
            binary=reader.binary,
            ax=ax,
        )

    def boundary_data(self, first: str | None = None, second: str | None = None, *, points: int = 81) -> pd.DataFrame:
        """`view, x, y, mean` on a grid over two numeric variables, the others held fixed."""
        reader = self._variables
        names = reader.two(first, second)
        ranges = [np.linspace(*reader.range(name, margin=0.04), points) for name in names]
        across, up = (grid.ravel() for grid in np.meshgrid(*ranges))
        rows = reader.typical(len(across)).assign(**{names[0]: across, names[1]: up})
        parts = [
            pd.DataFrame({"view": view, "x": across, "y": up, "mean": reader.predict(fit, rows, 0.95)["estimate"]})
            for view, fit in self._distinct
        ]
        return pd.concat(parts, ignore_index=True)

    def boundary(
        self,
        first: str | None = None,
        second: str | None = None,
        *,
        threshold: float = 0.5,
        ax: Axes | None = None,
    ) -> Axes:
        """Where the probability passes `threshold`, in the plane of two variables, with the rows."""
        reader = self._variables
        if not reader.binary:
            raise ArgumentError(f"A class boundary needs a response with two levels; this is {self._first.modelled}.")
        names = reader.two(first, second)
        rows = reader.points(names[0]).assign(event=lambda rows: (rows["y"] > 0.5).astype(int))
        return curves.draw_boundary(
            self.boundary_data(*names),
            rows.assign(y=reader.points(names[1])["x"]),
            names=(*names, reader.response),
            threshold=threshold,
            below=reader.fixed(names),
            ax=ax,
        )

    # --- the network -----------------------------------------------------------------------

    def network_data(self) -> pd.DataFrame:
        """`layer, source, into, target, weight, size`: one row per weight of the (last) view's network.

        The size of a weight on an input is that of its effect when this input moves by one standard deviation.
        """
        return network_edges(self.views[-1][1])

    def network(self, *, most: int = diagrams.MOST_NODES, ax: Axes | None = None) -> Axes:
        """The network with its names; at most `most` nodes per layer."""
        fit = self.views[-1][1]
        return diagrams.draw_network(
            self.network_data(),
            activation=output_activation(fit),
            response=fit.recipe.response.describes,
            below="width: |weight| x standard deviation of its input (bias: fixed); dashed: negative",
            most=most,
            ax=ax,
        )

    # --- the way to the optimum ------------------------------------------------------------

    def contours_data(self, first: str | None = None, second: str | None = None) -> pd.DataFrame:
        """`region, x, y, drop`: twice the drop in log-likelihood from the optimum, over two coefficients."""
        part, names = sliced(self._first, first, second)
        return surfaces.surface(part, self.paths_data(*names))

    def paths_data(self, first: str | None = None, second: str | None = None) -> pd.DataFrame:
        """`view, step, x, y`: two coefficients at each step of each solver."""
        _, names = sliced(self._first, first, second)
        parts = []
        for view, fit in affine(self._distinct):
            at = [fit.names.index(name) for name in names]
            network = fit.estimate.model.network
            steps = fit.estimate.trace.steps
            betas = np.array([fold(network, step.theta)[at, 0] for step in steps]).reshape(len(steps), 2)
            name = _solver_name(view, fit)
            parts.append(
                pd.DataFrame({"view": name, "step": [s.step for s in steps], "x": betas[:, 0], "y": betas[:, 1]})
            )
        return pd.concat(parts, ignore_index=True)

    def contours(self, first: str | None = None, second: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Minus log-likelihood over two coefficients, with the paths of IRLS and of the descent."""
        part, names = sliced(self._first, first, second)
        paths = self.paths_data(*names)
        others = part.estimate.model.network.parameters - 2
        rest = (
            "the other coefficient keeps its estimate"
            if others == 1
            else f"the other {others} coefficients keep their estimates"
        )
        fixed = f"; {rest}" if others else ""
        return surfaces.draw_contours(
            surfaces.surface(part, paths),
            paths,
            names=names,
            centre=part.centre,
            units={
                _solver_name(view, fit): sentences.unit(fit.estimate.trace.method)
                for view, fit in affine(self._distinct)
            },
            below=f"blue: 50, 90, 95, 99 % likelihood regions{fixed}",
            ax=ax,
        )

    def likelihood_data(self, column: str | None = None) -> pd.DataFrame:
        """`value, mean, relative, mark`: log-likelihood less its maximum, over one coefficient of the GLM.

        `mark` says which rows are the estimate and the ends of the 95 % likelihood interval; `mean` is the
        inverse link of the value, in a model that has nothing but an intercept. Without `column` it is the
        first one after the Intercept.
        """
        return likelihoods.line(lined(affine(self.views)[0][1], column))

    def likelihood(self, column: str | None = None, *, ax: Axes | None = None) -> Axes:
        """The log-likelihood over one coefficient, the others maximised anew, with the 95 % likelihood interval."""
        return likelihoods.draw_likelihood(lined(affine(self.views)[0][1], column), ax)

    def profile_data(self, column: str | None = None, *, level: float = 0.95, points: int = 41) -> pd.DataFrame:
        """`value, signed_root, deviance, wald, mark` over one coefficient of the GLM, the others maximised anew.

        `wald` is the straight line (value - estimate) / standard error; `mark` says which rows are the estimate and
        the profile limits. Without `column` it is the first one after the Intercept.
        """
        fit = affine(self.views)[0][1]
        return intervals.marked(fit, _one_column(fit, column), level, points)

    def profile(self, column: str | None = None, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
        """The signed root of the profile likelihood over one coefficient, with the straight line of Wald limits."""
        return profiles.draw_profile(
            self.profile_data(column, level=level),
            name=_one_column(affine(self.views)[0][1], column),
            level=level,
            quantile=statistics.quantile(level, None),
            ax=ax,
        )

    def loss_data(self) -> pd.DataFrame:
        """`view, step, epoch, loss, validation_loss, distance` for each step.

        The losses are means per row, above the saturated model: for a yes or no the cross-entropy itself.
        """
        parts = []
        for view, fit in self._distinct:
            trace = fit.trace
            loss = -trace["loglik"] / float(fit.sample.weights.sum())
            part = trace[["step", "epoch", "validation_loss", "distance"]].assign(
                loss=loss, view=_solver_name(view, fit)
            )
            parts.append(part[["view", "step", "epoch", "loss", "validation_loss", "distance"]])
        return pd.concat(parts, ignore_index=True)

    def loss(self) -> Figure:
        """Mean loss per step, and the distance to the optimum in standard errors, in two panels."""
        fit = self._first
        saturated = concepts.mean_losses(fit.estimate, fit.sample)[1]
        return descents.draw_loss(
            self.loss_data(),
            loss=fit.family.distribution.loss + (", above saturated" if saturated > 0 else ""),
            best=0.5 * fit.deviance / float(fit.sample.weights.sum()),
            below=fit.modelled,
        )


def affine(views: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """The views that have coefficients."""
    found = tuple(view for view in views if view[1].estimate.model.network.affine)
    if not found:
        raise ArgumentError("A network with hidden activations has no coefficients to draw.")
    return found


def sliced(fit: Any, first: str | None, second: str | None) -> tuple[surfaces.Slice, tuple[str, str]]:
    """The likelihood over two coefficients, and their names."""
    network = fit.estimate.model.network
    inputs = list(network.inputs.names)
    if not (network.affine and network.parameters == len(inputs)):
        raise ArgumentError("Contours are drawn for a GLM with one coefficient for each column.")
    names = _two_columns(fit, inputs, first, second)
    at = (inputs.index(names[0]), inputs.index(names[1]))
    return surfaces.Slice(fit.estimate, fit.rows, at, fit.dispersion), names


def lined(fit: Any, column: str | None) -> likelihoods.Line:
    """The likelihood over one coefficient."""
    estimate = fit.estimate
    network, inputs = estimate.model.network, list(estimate.model.network.inputs.names)
    if network.parameters != len(inputs) or estimate.model.penalty.strength > 0 or estimate.model.reduction:
        raise ArgumentError(
            "The likelihood is drawn for a GLM without penalty or bias reduction, with one coefficient for each column."
        )
    if not fit.converged:
        raise ArgumentError(
            f"This fit is not at the maximum of the likelihood (outcome '{fit.outcome}'), so that there is nothing "
            "to measure from. Draw it for a fit that converged."
        )
    if column is not None and column not in inputs:
        raise ArgumentError(
            f"There is no coefficient {column!r}; there are {listed(inputs, 8)}.{nearest(column, inputs)}"
        )
    name = column or next((name for name in inputs if name != "Intercept"), inputs[0])
    mean_of = fit.recipe.response.describes if inputs == ["Intercept"] and fit.sample.offset is None else ""
    return likelihoods.Line(estimate, fit.rows, inputs.index(name), fit.dispersion, fit.nobs, name, mean_of)


def _one_column(fit: Any, column: str | None) -> str:
    """The coefficient asked for, or the first one after the Intercept."""
    names = list(fit.names)
    return column or next((name for name in names if name.split(": ")[-1] != "Intercept"), names[0])


def output_activation(fit: Any) -> str:
    """The inverse link, after the activation that stands before it, if one does."""
    last = fit.estimate.model.network.layers[-1]
    if isinstance(last, Contrast):
        return "softmax"  # of the logits, whose difference is the linear predictor
    before = f"{last.kind}, then " if isinstance(last, Activation) else ""
    return f"{before}{fit.family.link.activation}"


def _solver_name(view: str, fit: Any) -> str:
    method = fit.estimate.trace.method
    return f"{view}: {'IRLS' if method.startswith('newton') else sentences.solver(method)}"


def _two_columns(fit: Any, inputs: list[str], first: str | None, second: str | None) -> tuple[str, str]:
    """Two coefficients that exist: those asked for, or the two farthest from zero in standard errors."""
    for name in (first, second):
        if name is not None and name not in inputs:
            raise ArgumentError(
                f"There is no coefficient {name!r}; there are {listed(inputs, 8)}.{nearest(name, inputs)}"
            )
    if len(inputs) < 2:
        raise ArgumentError("Contours need two coefficients; this model has one.")
    size = fit.tvalues.abs().reindex(inputs).drop(labels=["Intercept"] if len(inputs) > 2 else [], errors="ignore")
    ranked = [*size.sort_values(ascending=False, kind="stable").index, *inputs]
    asked = [name for name in (first, second) if name is not None]
    rest = [name for name in dict.fromkeys(ranked) if name not in asked]
    chosen = (asked + rest)[:2]
    if not asked:
        chosen.sort(key=inputs.index)
    return chosen[0], chosen[1]


def network_edges(fit: Any) -> pd.DataFrame:
    """The weights of a fit's network as edges."""
    model, response = fit.estimate.model, fit.recipe.response
    names = model.outputs
    if model.family.joint:
        names = graphs.logit_names(model.network, names, str(response.base))
    elif len(response.levels) == 2:
        event = response.levels.index(response.event)
        names = graphs.logit_names(model.network, (str(response.event),), str(response.levels[1 - event]))
    shown = replace(model.network, inputs=replace(model.network.inputs, names=input_names(fit)))
    return graphs.edges(shown, fit.estimate.theta, fit.input_spreads, names)


def input_names(fit: Any) -> tuple[str, ...]:
    """The network's inputs by its own names; where these are places only, by the columns that they are fed."""
    inputs, columns = fit.estimate.model.network.inputs, fit.estimate.model.columns
    own: tuple[str, ...] = inputs.names
    if inputs.matrix is None or fit.foreign is None or fit.foreign.intake.named:
        return own
    fed = [np.flatnonzero(column) for column in inputs.matrix.T]
    plain = [len(at) == 1 and inputs.matrix[at[0], j] == 1.0 for j, at in enumerate(fed)]
    found = tuple(columns[at[0]] if one else name for at, one, name in zip(fed, plain, own, strict=True))
    return found if len(set(found)) == len(found) else own


def spreads(fit: Any) -> Array:
    """Standard deviation `(d,)` of each input of the network, from at most `SEEN` rows spread over all."""
    rows = fit.rows
    step = max(rows.n // SEEN, 1)
    blocks = [rows.block(start, min(start + SEEN // 10, rows.n)) for start in range(0, rows.n, SEEN // 10 * step)]
    matrix = fit.estimate.model.network.inputs.matrix
    parts = [block.columns.matrix() if matrix is None else block.columns.dot(matrix) for block in blocks]
    return np.concatenate(parts).std(axis=0)
