"""Cases of ONNX: what skl2onnx and torch.onnx write, and a graph by hand."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch
from adapters.kit import FRAME, Case
from onnx import helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from torch import nn

torch.set_num_threads(1)

NUMBERS = ["age", "lwt", "dose"]
TEXT = FRAME.assign(arm=FRAME.arm.astype(str))


def logistic(intercept: bool = True) -> LogisticRegression:
    """Without penalty, to the end."""
    return LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, fit_intercept=intercept)


def sequence(columns: list[str], frame: pd.DataFrame = TEXT) -> list[tuple[str, Any]]:
    """One graph input per column."""
    kinds = {"f": DoubleTensorType, "i": Int64TensorType}
    return [(name, kinds.get(frame[name].dtype.kind, StringTensorType)([None, 1])) for name in columns]


def converted(model: Any, X: Any, **options: Any) -> onnx.ModelProto:
    return to_onnx(model, X[:1], **options)


def exported(model: nn.Module, args: tuple[torch.Tensor, ...], names: list[str], batch: bool = True) -> Any:
    """torch's own export, which needs no further package."""
    buffer = io.BytesIO()
    axes = {name: {0: "n"} for name in names} if batch else None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), args, buffer, dynamo=False, input_names=names, dynamic_axes=axes)
    return onnx.load_from_string(buffer.getvalue())


def matrix(columns: list[str], kind: type = float) -> np.ndarray:
    return FRAME[columns].to_numpy(kind)


# --- scikit-learn ------------------------------------------------------------------------------


def single() -> Case:
    """LinearClassifier, which computes in single precision, with the model written twice."""
    model = logistic().fit(matrix(NUMBERS), FRAME.low)
    found = converted(model, matrix(NUMBERS, np.float32), options={"zipmap": False})
    relations = {"age": "same", "Intercept": "same"}
    return Case(found, "low ~ age + lwt + dose", optimal=True, single=True, relations=relations)


def double() -> Case:
    """MatMul, Add and Sigmoid over two columns of opposite sign."""
    found = converted(logistic().fit(matrix(NUMBERS), FRAME.low), matrix(NUMBERS))
    relations = {"age": "same", "Intercept": "same"}
    return Case(found, "low ~ age + lwt + dose", optimal=True, relations=relations)


def scaled() -> Case:
    model = make_pipeline(StandardScaler(), logistic()).fit(matrix(NUMBERS), FRAME.low)
    relations = {"age": "scaled", "Intercept": "combined"}
    return Case(converted(model, matrix(NUMBERS)), "low ~ age + lwt + dose", optimal=True, relations=relations)


def minmax() -> Case:
    model = make_pipeline(MinMaxScaler(), logistic()).fit(matrix(NUMBERS), FRAME.low)
    relations = {"dose": "scaled"}
    return Case(converted(model, matrix(NUMBERS)), "low ~ age + lwt + dose", optimal=True, relations=relations)


def columns() -> Case:
    """A graph input per column: numbers imputed and scaled, text one-hot, the rest as it is."""
    wanted = [*NUMBERS, "site", "arm", "smoke"]
    steps = [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        ("site", OneHotEncoder(drop="first"), ["site"]),
        ("arm", OneHotEncoder(), ["arm"]),
        ("rest", "passthrough", ["smoke"]),
    ]
    model = make_pipeline(ColumnTransformer(steps), logistic(intercept=False)).fit(TEXT[wanted], TEXT.low)
    found = to_onnx(model, initial_types=sequence(wanted))
    relations = {"site[T.north]": "same", "smoke": "same", "age": "scaled", "arm[T.low]": "combined"}
    formula = "low ~ age + lwt + dose + site + arm + smoke"
    return Case(found, formula, frame=TEXT, optimal=True, relations=relations)


def ordinal() -> Case:
    """Text as the numbers of its levels: one column that ties the levels of the factor."""
    wanted = ["site", "dose"]
    steps = [("site", OrdinalEncoder(), ["site"]), ("rest", "passthrough", ["dose"])]
    model = make_pipeline(ColumnTransformer(steps), logistic()).fit(TEXT[wanted], TEXT.low)
    return Case(to_onnx(model, initial_types=sequence(wanted)), "low ~ site + dose", frame=TEXT, single=True)


def polynomial() -> Case:
    """Products that only the model's own graph makes: taken as inputs, found among the formula's columns."""
    steps = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), logistic())
    model = steps.fit(matrix(["age", "dose"]), FRAME.low)
    formula = "low ~ scale(age) * scale(dose) + I(scale(age) ** 2) + I(scale(dose) ** 2)"
    found = converted(model, matrix(["age", "dose"]))
    return Case(found, formula, inputs=["age", "dose"], optimal=True, relations={"I(scale(age) ** 2)": "same"})


def poisson() -> Case:
    steps = make_pipeline(RobustScaler(), PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-12))
    model = steps.fit(matrix(NUMBERS), FRAME.visits)
    arguments = {"family": "poisson"}
    found = converted(model, matrix(NUMBERS))
    return Case(found, "visits ~ age + lwt + dose", arguments=arguments, optimal=True, single=True)


def straight() -> Case:
    model = LinearRegression().fit(matrix(NUMBERS), FRAME.weight)
    found = converted(model, matrix(NUMBERS, np.float32))
    arguments = {"family": "gaussian"}
    return Case(found, "weight ~ age + lwt + dose", arguments=arguments, optimal=True, single=True)


def descent() -> Case:
    """SGDClassifier: 1 - sigmoid beside sigmoid."""
    model = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0))
    found = converted(model.fit(matrix(NUMBERS), FRAME.low), matrix(NUMBERS))
    return Case(found, "low ~ age + lwt + dose", single=True)


def hidden() -> Case:
    model = MLPClassifier(hidden_layer_sizes=(3,), activation="tanh", max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(matrix(NUMBERS) / 50, FRAME.low)
    initial = [("x", FloatTensorType([None, 3]))]
    return Case(to_onnx(model, initial_types=initial), "low ~ age + lwt + dose", single=True)


# --- torch ---------------------------------------------------------------------------------------


class Stack(nn.Module):
    """Batch normalisation, two linear layers and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.drop = nn.BatchNorm1d(3), nn.Dropout(0.2)
        self.hidden, self.out = nn.Linear(3, 2), nn.Linear(5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.bn(x)
        return torch.sigmoid(self.out(self.drop(torch.cat([z, self.hidden(z)], 1)))).squeeze(1)


class Embedded(nn.Module):
    """Numbers and the codes of a factor."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(3, 2), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.out(torch.cat([x, self.table(g).squeeze(1)], 1)))


class Sliced(nn.Module):
    """One table of numbers, the last column of which is codes."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(3, 2), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = torch.cat([(x[:, :2] - 40.0) / 12.0, self.table(x[:, 2].long())], 1)
        return torch.softmax(self.out(z), 1)


def plant(model: nn.Module) -> nn.Module:
    """Weights of moderate size, in double precision."""
    draw = np.random.default_rng(5)
    model = model.double()
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if value.is_floating_point():
                numbers = torch.tensor(draw.normal(0.0, 0.05, tuple(value.shape)))
                value.copy_(numbers.abs() + 1.0 if name.endswith("var") else numbers)
    return model


def stack() -> Case:
    found = exported(plant(Stack()), (torch.randn(4, 3).double(),), ["x"])
    return Case(found, "low ~ age + lwt + dose", single=False)


def embedded() -> Case:
    args = (torch.randn(4, 2).double(), torch.zeros(4, 1, dtype=torch.long))
    found = exported(plant(Embedded()), args, ["numbers", "arm"])
    inputs = {"numbers": ["age", "lwt"], "arm": ["arm"]}
    return Case(found, "low ~ age + lwt + arm", inputs=inputs, relations={"arm[T.low]": "combined"})


def sliced() -> Case:
    """Exported for one number of rows, as torch does unless told otherwise; a softmax over two units."""
    found = exported(plant(Sliced()), (torch.ones(4, 3).double(),), ["x"], batch=False)
    return Case(found, "low ~ age + lwt + arm", inputs=["age", "lwt", "arm"])


def exponential() -> Case:
    model = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    whole = nn.Sequential(plant(model), _Exp())
    found = exported(whole, (torch.ones(4, 2).double(),), ["x"])
    return Case(found, "visits ~ smoke + dose", arguments={"family": "poisson"}, relations={"dose": "same"})


class _Exp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


# --- by hand ------------------------------------------------------------------------------------------


def graph(
    nodes: list[Any], inputs: dict[str, Any], constants: dict[str, Any], output: str = "p", kind: int = 11
) -> onnx.ModelProto:
    """A model of these nodes, all numbers doubles; inputs by name, (kind, width)."""
    made = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, each, ["n", width]) for name, (each, width) in inputs.items()],
        [helper.make_tensor_value_info(output, kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    sets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=sets, ir_version=10)


def transposed() -> Case:
    """Gemm with alpha, beta and a transposed kernel."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["z"], name="sum", alpha=0.5, beta=2.0, transB=1),
        helper.make_node("Sigmoid", ["z"], ["p"], name="end"),
    ]
    constants = {"w": np.array([[0.01, -0.02, 0.3]]), "b": np.array([0.2])}
    found = graph(nodes, {"x": (11, 3)}, constants)
    return Case(found, "low ~ age + lwt + dose", relations={"age": "scaled", "Intercept": "scaled"})


def skipped() -> Case:
    """Two sums added, one of them minus the other."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="first"),
        helper.make_node("MatMul", ["x", "v"], ["c"], name="second"),
        helper.make_node("Sub", ["a", "c"], ["z"], name="difference"),
        helper.make_node("Add", ["z", "b"], ["e"], name="level"),
        helper.make_node("Sigmoid", ["e"], ["p"], name="end"),
    ]
    constants = {"w": np.array([[0.01], [0.02]]), "v": np.array([[0.03], [0.01]]), "b": np.array([0.5])}
    return Case(graph(nodes, {"x": (11, 2)}, constants), "low ~ age + dose", relations={"age": "combined"})


CASES = {
    "single precision": single,
    "double precision": double,
    "standard scaler": scaled,
    "minmax scaler": minmax,
    "columns": columns,
    "ordinal codes": ordinal,
    "polynomial": polynomial,
    "poisson": poisson,
    "linear regression": straight,
    "sgd": descent,
    "hidden": hidden,
    "torch stack": stack,
    "torch embedding": embedded,
    "torch slices": sliced,
    "torch exponential": exponential,
    "gemm": transposed,
    "skips": skipped,
}
