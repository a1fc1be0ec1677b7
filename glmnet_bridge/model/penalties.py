"""Penalties, always on the *sum* of the log-likelihood: maximise `l(theta) - value(theta)`.

    ridge:  lambda / 2 * sum over penalised j of theta_j^2

A network's weight decay on the mean loss of n rows is this lambda divided by n. The
intercept (the bias) is free unless asked. `translate` says what the settings of other packages
are on this scale, and back; `sources` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError, is_number
from glmnet_bridge.model import translations
from glmnet_bridge.model.translations import Setting

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Penalty:
    """A quadratic penalty; strength 0 is none.

    Attributes
    ----------
    strength : lambda, on the sum of the log-likelihood
    intercept : whether the intercept (bias) is penalised too
    """

    strength: float = 0.0
    intercept: bool = False

    @property
    def name(self) -> str:
        return "none" if self.strength == 0 else "ridge"

    def __repr__(self) -> str:
        if self.strength == 0:
            return "no penalty"
        return f"ridge({self.strength:g}{', intercept=True' if self.intercept else ''})"

    def diagonal(self, biases: Array) -> Array | None:
        """Second derivative `(P,)`, given which weights are biases; None where nothing is penalised."""
        if self.strength == 0:
            return None
        return np.where(biases & (not self.intercept), 0.0, self.strength)


def none() -> Penalty:
    """No penalty: plain maximum likelihood."""
    return Penalty()


def ridge(strength: float, *, intercept: bool = False) -> Penalty:
    """Half the squared coefficients times `strength`, on the sum of the log-likelihood.

    Raises
    ------
    ArgumentError
        for a strength that is negative or not finite
    """
    if not (is_number(strength) and np.isfinite(strength) and strength >= 0):
        raise ArgumentError(f"ridge({strength!r}): the strength must be a finite number, zero or more.")
    return Penalty(float(strength), intercept)


def given(penalty: object) -> Penalty:
    """The penalty that the argument `penalty=` stands for: a `Penalty`, "none" or None."""
    if penalty is None or penalty == "none":
        return Penalty()
    if isinstance(penalty, Penalty):
        return penalty
    raise ArgumentError(
        f"penalty={penalty!r} is not understood. Give gb.penalties.ridge(strength), on the sum of the "
        "log-likelihood, or None."
    )


@dataclass(frozen=True, slots=True)
class Translation:
    """What a setting of another package is on our scale: `total -loglik + l1 * sum |w| + l2 / 2 * sum w^2`.

    Attributes
    ----------
    source, value : what was translated
    l1, l2 : on the total, at dispersion 1
    intercept : whether constants (biases) are penalised
    box : no weight can become larger than this in size, whatever the data say; infinite for a penalty
    words : what it means, and what to beware of, in one sentence
    """

    source: str
    value: float
    l1: float
    l2: float
    intercept: bool
    box: float
    words: str

    def penalty(self) -> Penalty:
        """The same as `penalty=` of a fit.

        Raises
        ------
        ArgumentError
            where it is no ridge
        """
        self._must_be_penalty()
        if self.l1:
            raise ArgumentError(
                f"{self.source}={self.value:g} has an L1 part of {self.l1:g}; fits have ridge penalties only. "
                "For those leave the columns out that it sets to 0, and fit again."
            )
        return ridge(self.l2, intercept=self.intercept and self.l2 > 0)

    def into(
        self,
        source: str,
        *,
        n: float | None = None,
        batch_size: float | None = None,
        loss: str = "mean",
        momentum: float = 0.0,
        response_sd: float | None = None,
    ) -> float:
        """The value of another source's setting that is the same penalty; see `translate` for the arguments.

        Raises
        ------
        ArgumentError
            where there is none, with the reason
        """
        setting = Setting(n, batch_size, None, loss, momentum, response_sd)
        return self._there(source, setting)[0]

    def ratio_in(self, source: str, *, n: float | None = None, response_sd: float | None = None) -> float:
        """The l1_ratio that goes with `into`: the share of L1 in that source's elastic net (glmnet's alpha)."""
        return self._there(source, Setting(n=n, response_sd=response_sd))[1]

    def standardised(self, scale: object) -> tuple[Array, Array]:
        """`l1, l2` of each column, where it is the slopes of standardised columns that are penalised.

        Parameters
        ----------
        scale : (p,) what each column was divided by: b * scale is penalised, so that l2 becomes l2 * scale^2
        """
        by = np.asarray(scale, dtype=float)
        return self.l1 * by, self.l2 * by**2

    def _must_be_penalty(self) -> None:
        if np.isfinite(self.box):
            raise ArgumentError(f"{self.source}={self.value:g} is no penalty: {translations.find(self.source).remark}.")
        if not np.isfinite(self.l1 + self.l2):
            raise ArgumentError(f"{self.source}={self.value:g} is an infinite penalty: all that it penalises is 0.")

    def _there(self, name: str, setting: Setting) -> tuple[float, float]:
        self._must_be_penalty()
        there = translations.find(name)
        setting = translations.checked(there, setting)
        if there.box:
            raise ArgumentError(f"{there.name!r} has no value that is a penalty: {there.remark}.")
        if there.ratios == "none" and (self.l1 if there.ratio < 1 else self.l2):
            has, lacks = ("L2", "L1") if there.ratio < 1 else ("L1", "L2")
            raise ArgumentError(f"{there.name!r} is {has} only; this penalty has an {lacks} part.")
        if there.ratios == "ends" and self.l1 and self.l2:
            raise ArgumentError(f"{there.name!r} is L1 or L2, not both; this penalty has parts of both.")
        if self.l1 + self.l2 > 0 and self.intercept != there.intercept and not there.chooses:
            words = ("penalises", "leaves") if self.intercept else ("leaves", "penalises")
            ends = ("", " free") if self.intercept else (" free", "")
            raise ArgumentError(
                f"{self.source!r} {words[0]} the constants{ends[0]}, {there.name!r} {words[1]} them{ends[1]}: no value "
                "is the same penalty, unless the model has no constant (translate with intercept= what is so there)."
            )
        return there.value(self.l1, self.l2, setting)


def translate(
    source: str,
    value: float,
    *,
    n: float | None = None,
    batch_size: float | None = None,
    l1_ratio: float | None = None,
    loss: str = "mean",
    momentum: float = 0.0,
    response_sd: float | None = None,
    intercept: bool | None = None,
) -> Translation:
    """What a setting of another package is as a penalty on the total log-likelihood.

    Parameters
    ----------
    source : a name in `sources()`, such as "sklearn C"
    value : of its setting
    n : number of rows, or the sum of their weights
    batch_size : rows of a batch
    l1_ratio : share of L1 in an elastic net; the package's own default where it is not given
    loss : what the weight decay is added to: "mean" or "sum" over the rows of minus the log-likelihood,
        or "mean squared error", "sum of squared errors" (without a half)
    momentum : of the optimiser
    response_sd : standard deviation (over n) of a gaussian response, for glmnet
    intercept : whether the constants are penalised, where the package leaves the choice; for a model
        without constants it does not matter

    Raises
    ------
    ArgumentError
        for an unknown source, a value out of range, or a number that is needed and not given

    Examples
    --------
    >>> from glmnet_bridge import penalties
    >>> found = penalties.translate("sklearn C", 0.5)
    >>> found.l2, found.penalty(), found.into("glmnet lambda", n=200)
    (2.0, ridge(2), 0.01)
    """
    known = translations.find(source)
    setting = translations.checked(known, Setting(n, batch_size, l1_ratio, loss, momentum, response_sd))
    if not (is_number(value) and value >= 0) or (np.isinf(value) and not known.inverse):
        raise ArgumentError(f"{source}={value!r}: the value must be a finite number, zero or more.")
    l1, l2 = (0.0, 0.0) if known.box else known.strengths(float(value), setting)
    constants = known.intercept if intercept is None else bool(intercept)
    box = 1.0 / float(value) if known.box and value else np.inf
    return Translation(known.name, float(value), l1, l2, constants, box, _in_words(known, value, (l1, l2), constants))


def _in_words(source: translations.Source, value: float, strengths: tuple[float, float], constants: bool) -> str:
    said = " and ".join(f"{kind} of {size:.6g}" for kind, size in zip(("L1", "L2"), strengths, strict=True) if size)
    what = f"a penalty {said} on the total log-likelihood, constants {'too' if constants else 'free'}"
    if not said:
        what = "no penalty"
    return f"{source.name} = {value:g} is {what}; {source.remark}."


def sources() -> pd.DataFrame:
    """All that `translate` knows: `source, setting, formula, penalised, remark`."""
    columns = ["source", "setting", "formula", "penalised", "remark"]
    rows = [(one.name, one.setting, one.formula, one.penalised, one.remark) for one in translations.SOURCES]
    return pd.DataFrame(rows, columns=columns)
