"""Cases of scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from adapters.kit import FRAME, Case
from sklearn.linear_model import LogisticRegression


def plain() -> Case:
    """Columns by name, trained to the end."""
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(FRAME[columns], FRAME.low)
    return Case(model, "low ~ age + lwt + smoke", optimal=True, relations={"Intercept": "same", "age": "same"})


def softmax() -> Case:
    """Three classes, trained to the end; the labels say which output is which."""
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(FRAME[columns], FRAME.outcome)
    relations = {"icu: Intercept": "combined", "ward: age": "combined"}
    return Case(model, "outcome ~ age + lwt + smoke", optimal=True, relations=relations)


def softmax_in_another_order() -> Case:
    """The response's classes in an order of their own, another base, and inputs that the formula lacks."""
    frame = FRAME.assign(outcome=pd.Categorical(FRAME.outcome, ["ward", "home", "icu"]))
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(frame[columns], frame.outcome)
    relations = {"home: age": "combined", "icu: lwt": "network only"}
    arguments = {"base": "ward", "family": "multinomial"}
    return Case(model, "outcome ~ age", frame=frame, arguments=arguments, optimal=True, relations=relations)


def softmax_of_numbers() -> Case:
    """Classes as the numbers 0, 1, 2 of the model, where the frame has their names in this order."""
    frame = FRAME.assign(outcome=pd.Categorical(FRAME.outcome, ["home", "ward", "icu"]))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(frame[["age"]], frame.outcome.cat.codes.to_numpy())
    return Case(model, "outcome ~ age", frame=frame, optimal=True, relations={"ward: age": "combined"})


CASES = {
    "plain": plain,
    "softmax": softmax,
    "softmax in another order": softmax_in_another_order,
    "softmax of numbers": softmax_of_numbers,
}
