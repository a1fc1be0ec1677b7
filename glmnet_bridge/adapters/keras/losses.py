"""Losses of families that Keras lacks, under names by which a saved model finds them.

Whoever imports this module wants Keras.
"""

from __future__ import annotations

from typing import Any

from glmnet_bridge.errors import missing_extra

try:
    from keras import ops
    from keras.saving import register_keras_serializable
except ImportError as error:
    raise missing_extra("keras", "keras") from error


@register_keras_serializable(package="glmnet_bridge")
def gamma_half_deviance(y_true: Any, y_pred: Any) -> Any:
    """`(y - mean) / mean - log(y / mean)`, the mean over outputs."""
    ratio = y_true / y_pred
    return ops.mean(ratio - 1.0 - ops.log(ratio), axis=-1)


@register_keras_serializable(package="glmnet_bridge")
def inverse_gaussian_half_deviance(y_true: Any, y_pred: Any) -> Any:
    """`(y - mean)^2 / (2 y mean^2)`, the mean over outputs."""
    return ops.mean(ops.square(y_true - y_pred) / (2.0 * y_true * ops.square(y_pred)), axis=-1)


LOSSES: dict[str, Any] = {
    "binomial": "binary_crossentropy",
    "gaussian": "mean_squared_error",
    "poisson": "poisson",
    "gamma": gamma_half_deviance,
    "inverse_gaussian": inverse_gaussian_half_deviance,
}
"""The loss of each family; a squared error is twice minus the log-likelihood at dispersion 1."""
