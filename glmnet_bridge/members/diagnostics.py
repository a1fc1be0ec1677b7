"""Questions about how well a fit holds: influence, calibration, discrimination, its assumptions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from glmnet_bridge import diagnostics
from glmnet_bridge.members.records import Record

if TYPE_CHECKING:
    from glmnet_bridge.report.findings import Findings


class OfDiagnostics(Record):
    """Diagnostics."""

    def influence(self, columns: Sequence[str] | None = None, *, dfbeta: bool = True) -> pd.DataFrame:
        """What each row does to the fit: `hat, cooks, rstandard, rstandard_pearson, rstudent, dfbeta_<column>`.

        Leverage, Cook's distance, standardised deviance and Pearson residuals and `rstudent` are R's. `dfbeta` is
        the one-step change of a coefficient, full fit minus the fit without the row (R's own, made of deviance
        residuals, is another and has the wrong sign for links that fall). A frequency weight repeats its row, and
        one of the repetitions is taken out.

        A row without weight changes nothing and has no standardised residual (nan; R leaves it out). A row with
        leverage 1 has nothing but its leverage, and a row at infinity (separated data) nothing at all. Changes of
        coefficients that are aliased or infinite are nan.

        Parameters
        ----------
        columns : names of coefficients whose changes are wanted; all by default
        dfbeta : False for no changes at all, which needs memory for five columns only

        Raises
        ------
        ArgumentError
            for several classes, hidden units, a penalty, or an estimate at the edge of the link's domain
        """
        return diagnostics.influence(self, columns, dfbeta)

    @functools.cached_property
    def working_weights(self) -> pd.Series:
        """Weights of the last least-squares step, R's `weights(fit, "working")`: `w slope^2 / V(mean)`."""
        return diagnostics.working_weights(self)

    def vif(self) -> pd.DataFrame:
        """Variance inflation by term, `term, gvif, df, gvif_root` (Fox and Monette; R's `car::vif`).

        `gvif_root` is `gvif^(1 / (2 df))`: how many times wider intervals are than without the other terms.
        Columns without a finite estimate are left out (car refuses aliased ones).
        """
        return diagnostics.vif(self)

    def overdispersion(self) -> pd.DataFrame:
        """Whether responses vary more than the family says: `test, dispersion, statistic, df, p_value`, one-sided.

        "pearson" is chi2 over its degrees of freedom; for counts "linear" and "quadratic" are the tests of Cameron
        and Trivedi (R's `AER::dispersiontest`), against a variance of `dispersion * mean` and `mean + a mean^2`.
        """
        return diagnostics.overdispersion(self)

    def link_test(self) -> pd.DataFrame:
        """Pregibon's test of the link (Stata's `linktest`): the fit on eta and its square, whose row is the test."""
        return diagnostics.link_test(self)

    def hosmer_lemeshow(
        self, data: Any = None, *, groups: int = 10, offset: Any = None, exposure: Any = None
    ) -> pd.DataFrame:
        """Observed against expected events over groups of risk: `groups, chi2, df, p_value`.

        Groups are cut at quantiles of the probabilities (R's `ResourceSelection::hoslem.test`); equal ones stay
        together. On the fit's own rows chi2 has two degrees of freedom less than groups, on new `data` as many.
        """
        return diagnostics.hosmer_lemeshow(self, data, groups, offset, exposure)

    def calibration(
        self, data: Any = None, *, level: float = 0.95, offset: Any = None, exposure: Any = None
    ) -> pd.DataFrame:
        """Calibration in the large (0 is right) and calibration slope (1 is right), with tests and limits.

        On the fit's own rows both hold by construction where the link is canonical: give new `data`.
        """
        return diagnostics.calibration(self, data, level, offset, exposure)

    def auc(self, data: Any = None, *, level: float = 0.95, offset: Any = None, exposure: Any = None) -> pd.Series:
        """Area under the ROC curve, `auc, std_error, conf_low, conf_high`; DeLong's error, ties count half.

        Rows count with their trials and weights. On the fit's own rows it flatters; give new `data` to see.
        """
        return diagnostics.auc(self, data, level, offset, exposure)

    def brier(self, data: Any = None, *, offset: Any = None, exposure: Any = None) -> float:
        """Mean squared distance between probability and outcome, over single trials: 0 is perfect."""
        return diagnostics.brier(self, data, offset, exposure)

    @functools.cached_property
    def pseudo_r2(self) -> pd.Series:
        """`mcfadden, cox_snell, nagelkerke, tjur`, from the log-likelihoods of the fit and of the null model.

        Tjur's is for a yes or no. With an estimated dispersion only Cox and Snell's does not change with the unit of
        the response; it is R squared for a Gaussian fit, and the others are nan.
        """
        return diagnostics.pseudo_r2(self)

    def check(self) -> Findings:
        """All that may be wrong with the fit, as ok, note or problem, with what to do; `print` it, or see `.table`.

        Looked at are the optimum, separation, aliased columns, collinearity, events per coefficient, dispersion,
        influential rows, calibration and the link.
        """
        from glmnet_bridge import checkups

        return checkups.check(self)
