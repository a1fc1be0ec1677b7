"""Questions about combinations of coefficients: Wald tests, contrasts, comparisons of a factor's levels."""

from __future__ import annotations

from typing import Any

import pandas as pd

from glmnet_bridge import contrasts
from glmnet_bridge.members.coefficients import OfCoefficients


class OfHypotheses(OfCoefficients):
    """Tests and limits of combinations of coefficients."""

    def wald_test(self, what: Any, *, vcov: Any = None) -> pd.DataFrame:
        """Whether several equations between coefficients hold at once, in one row: `df, statistic, p_value`.

        Chi-squared where the dispersion is known; where it is estimated F, over its degrees of freedom, with the
        residual ones as `resid_df`.

        Parameters
        ----------
        what : equations ("age = 0, 2*lwt = smoke"; without "=" an expression is set to 0), the name of a term
            ("C(race)": all its columns are 0), a list of these, a matrix `(q, p)` of combinations that are 0, or
            a pair (matrix, values)
        vcov : a covariance of the coefficients, as in `cov_params`

        Raises
        ------
        BridgeError
            for combinations that are not estimable or infinite, and for penalised fits

        Examples
        --------
        >>> import glmnet_bridge as gb
        >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
        >>> gb.glm("y ~ x", data).wald_test("x = 0").round(4)
                    df  statistic  p_value
        hypothesis
        x = 0        1     1.1091   0.2923
        """
        return contrasts.wald_test(self, what, vcov)

    def contrasts(
        self, what: Any, *, level: float = 0.95, adjust: str = "none", exponentiate: bool = False, vcov: Any = None
    ) -> pd.DataFrame:
        """Combinations of coefficients: `estimate, std_error, statistic, p_value, conf_low, conf_high`, each a row.

        nan where aliased columns leave a combination undetermined.

        Parameters
        ----------
        what : a dict of texts by name ({"b to c": "C(g)[T.c] - C(g)[T.b]"}), a text or a list of texts as in
            `wald_test`, a matrix `(q, p)`, or a frame with coefficients as columns; "a - b = 1" is tested against 1
        level : of the limits
        adjust : "none", "bonferroni" or "holm", for all rows together; the limits of "holm" are Bonferroni's
        exponentiate : estimates and limits as ratios; the standard error stays that of the linear predictor
        vcov : a covariance of the coefficients, as in `cov_params`
        """
        return contrasts.contrasts(self, what, level, adjust, exponentiate, vcov)

    def pairwise(
        self, factor: str, *, level: float = 0.95, adjust: str = "holm", exponentiate: bool = False, vcov: Any = None
    ) -> pd.DataFrame:
        """All pairs of a factor's levels, the later one less the earlier one, in the columns of `contrasts`.

        For a factor that interacts with nothing: elsewhere the difference depends on the other variable, and
        `contrasts` says where.

        Parameters
        ----------
        factor : as it is written, "C(race)", or its variable
        level, exponentiate, vcov : as in `contrasts`
        adjust : "holm", "bonferroni", "tukey" (the studentised range, as R's emmeans: exact for a balanced one-way
            layout, else an approximation) or "none"
        """
        return contrasts.pairwise(self, factor, level, adjust, exponentiate, vcov)
