"""Questions about bias and separation: what separates the data, the finite limit, penalised likelihood."""

from __future__ import annotations

import pandas as pd

from glmnet_bridge import answers
from glmnet_bridge.fitting import reductions
from glmnet_bridge.members.likelihoods import OfLikelihood


class OfReduction(OfLikelihood):
    """Separated rows, and the tests and limits that stay finite."""

    @property
    def separated_rows(self) -> pd.Index:
        """Labels of the rows that the likelihood fits perfectly at infinity; none where there is a maximum."""
        return answers.separated_rows(self)

    def limit(self) -> pd.DataFrame:
        """The finite fit that separated data tend to, in one row: `rows_left, rank, deviance`.

        It is the fit of the rows that are not separated: its coefficients and standard errors are those of
        `params` and `bse` that are finite. Without separation it is the fit itself. For bias-reduced fits and
        several classes there is none.
        """
        return answers.limit_fit(self)

    @property
    def penalised_deviance(self) -> float:
        """Deviance less log det of the expected information: what a bias-reduced fit minimises (brglm's word).

        nan where it minimises nothing: "median", "mean" with a link that is not canonical, a free dispersion.
        """
        return reductions.penalised_deviance(self.estimate.model, self.estimate.sums)

    def penalised_tests(self, *, level: float = 0.95) -> pd.DataFrame:
        """Penalised likelihood ratio of each coefficient against 0, and limits by its profile, as in logistf.

        For bias-reduced fits that maximise a penalised likelihood: `term, estimate, statistic, p_value, conf_low,
        conf_high`, the statistic chi-squared with 1 degree of freedom (Heinze and Schemper 2002).

        Raises
        ------
        ArgumentError
            for a fit that maximises none, or is not bias-reduced
        """
        return answers.penalised_tests(self, level)
