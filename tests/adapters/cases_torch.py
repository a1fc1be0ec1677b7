"""Cases of PyTorch: live modules, and weights with their architecture; trained to the end, or planted."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from adapters.kit import FRAME, Case
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)
DOUBLE = torch.float64
COLUMNS = ["age", "lwt", "smoke"]
FORMULA = "low ~ age + lwt + smoke"
SAME = {"Intercept": "same", "age": "same", "lwt": "same", "smoke": "same"}


def numbers(*names: str) -> torch.Tensor:
    """Columns of the frame `(n, d)`; a category as its codes."""
    return torch.tensor(
        np.column_stack([FRAME[name].cat.codes if name == "arm" else FRAME[name] for name in names])
    ).to(DOUBLE)


LIKELIHOODS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "binomial": lambda y, mean: torch.xlogy(y, mean) + torch.xlogy(1 - y, 1 - mean),
    "poisson": lambda y, mean: torch.xlogy(y, mean) - mean,
    "gaussian": lambda y, mean: -((y - mean) ** 2) / 2,
}
VARIANCES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "binomial": lambda mean: mean * (1 - mean),
    "poisson": lambda mean: mean,
    "gaussian": torch.ones_like,
}


def fit(
    model: nn.Module,
    *given: torch.Tensor,
    y: str = "low",
    family: str = "binomial",
    mean: Callable[[torch.Tensor], torch.Tensor] = lambda out: out,
) -> nn.Module:
    """Train to the maximum of the likelihood by Fisher scoring on all trainable weights, whatever they are."""
    response = torch.tensor(FRAME[y].to_numpy(dtype=float))
    model = model.double().eval()
    free = {name: each for name, each in model.named_parameters() if each.requires_grad}

    def run(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        return mean(torch.func.functional_call(model, weights, given)).reshape(len(response), -1)[:, -1]

    for _ in range(60):
        weights = {name: each.detach() for name, each in free.items()}
        jacobian = torch.func.jacrev(run)(weights)
        flat = torch.cat([jacobian[name].reshape(len(response), -1) for name in weights], dim=1)
        mu = run(weights)
        root = VARIANCES[family](mu).sqrt()
        step = torch.linalg.lstsq(flat / root[:, None], (response - mu) / root, driver="gelsd", rcond=1e-10).solution
        before = LIKELIHOODS[family](response, mu).sum()
        for _ in range(30):
            parts = step.split([each.numel() for each in weights.values()])
            moved = {
                name: each + part.reshape(each.shape) for (name, each), part in zip(weights.items(), parts, strict=True)
            }
            after = LIKELIHOODS[family](response, run(moved)).sum()
            if after > before - 1e-9:
                break
            step = step / 2
        with torch.no_grad():
            for name, each in free.items():
                each.copy_(moved[name])
        if float((flat @ step / root).abs().max()) < 1e-11:
            break
    return model.train()


def seeded(build: Callable[[], Case]) -> Callable[[], Case]:
    """The random start of a case does not depend on the cases before it."""

    @functools.wraps(build)
    def wrapper() -> Case:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return build()

    return wrapper


def small(model: nn.Module) -> nn.Module:
    """The first layer's weights near enough to zero that raw columns do not saturate the output."""
    with torch.no_grad():
        next(each for each in model.parameters() if each.ndim == 2).mul_(0.02)
    return model


class Scaled(nn.Module):
    """Scaler in buffers, and a weight vector of one's own."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("std", x.std(0))
        self.beta = nn.Parameter(torch.zeros(x.shape[1]))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(((x - self.mean) / self.std) @ self.beta + self.bias)


class Skip(nn.Module):
    def __init__(self, wide: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(wide)
        self.layers = nn.ModuleList([nn.Linear(wide, 2), nn.Linear(2, 1)])
        self.skip = nn.Linear(wide, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        h = x
        for layer in self.layers:
            h = layer(h)
        h += self.skip(x)
        return h


class Tabular(nn.Module):
    """Numbers and codes as two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2, affine=False)
        self.emb = nn.Embedding(3, 2)
        self.head = nn.Linear(4, 1)

    def forward(self, x_num: torch.Tensor, x_cat: torch.Tensor, scale: float | None = None) -> torch.Tensor:
        h = torch.cat([self.norm(x_num), self.emb(x_cat).squeeze(1)], dim=1)
        if scale is not None:
            h = h * scale
        return torch.sigmoid(self.head(h)).squeeze(-1)


class OneTable(nn.Module):
    """Columns of one table: numbers first, then codes."""

    def __init__(self) -> None:
        super().__init__()
        self.arm = nn.Embedding(3, 1)
        self.fc = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.fc(x[:, :2] / 50.0) + self.arm(x[:, 2].long()))


class OneHot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        coded = functional.one_hot(x[:, 2].long(), 3).to(x.dtype)
        return functional.log_softmax(self.fc(torch.cat((x[:, :2] / 50.0, coded), 1)), dim=1)


class Ones(nn.Module):
    """The intercept as a column of ones; the columns split and put together again."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, rest = x.split([1, 2], dim=1)
        table = torch.cat([x.new_ones(x.shape[0], 1), first * 0.02, rest.flip(1)], dim=1)
        return (table @ self.weight).sigmoid().view(-1)


class ByShape(nn.Module):
    """Python looks at shapes: only torch.export follows."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, wide = x.shape
        out = torch.zeros(rows, 1, dtype=x.dtype)
        for column in range(wide):
            if column < len(x):
                out = out + 0.0
        return torch.sigmoid(out + self.fc(self.drop(self.norm(x))))


class Hidden(nn.Module):
    """A hidden layer beside a linear path, and a sum of its units."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3, 4)
        self.gain = nn.Parameter(torch.randn(4))
        self.linear = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.scale(x)
        hidden = functional.leaky_relu(self.fc(x))
        return torch.sigmoid(self.linear(x) + (hidden * self.gain).sum(dim=1, keepdim=True))


def moments(norm: nn.BatchNorm1d, x: torch.Tensor) -> None:
    """The running moments of a trained BatchNorm: some, near those of the data."""
    norm.running_mean = x.mean(0) + 0.1
    norm.running_var = x.var(0) * 1.1


def plain() -> Case:
    """Raw columns, one linear layer: each weight is a term."""
    model = fit(small(nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())), numbers(*COLUMNS))
    return Case(model, FORMULA, COLUMNS, optimal=True, relations=SAME)


def stacked() -> Case:
    """Linear layers one after the other, without an output activation; the formula's columns are fed."""
    model = small(nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 2, bias=False), nn.Linear(2, 1)))
    return Case(fit(model, numbers(*COLUMNS), mean=torch.sigmoid), FORMULA, optimal=True)


def softmax() -> Case:
    """Two units: each coefficient is the difference of two weights."""
    model = fit(small(nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1))), numbers(*COLUMNS))
    return Case(model, FORMULA, COLUMNS, optimal=True, relations=dict.fromkeys(SAME, "combined"))


def normed() -> Case:
    """BatchNorm and dropout, in training mode."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.3), nn.Linear(3, 1), nn.Sigmoid())
    moments(model[0], numbers(*COLUMNS))
    return Case(fit(model, numbers(*COLUMNS)), FORMULA, COLUMNS, optimal=True, relations={"age": "same"})


def two_inputs() -> Case:
    """Numbers, and codes for an embedding that leaves room for every level."""
    model, x = Tabular(), numbers("age", "dose")
    moments(model.norm, x)
    inputs = {"x_num": ["age", "dose"], "x_cat": ["arm"]}
    return Case(fit(model, x, numbers("arm").long()), "low ~ age + dose + arm", inputs, optimal=True)


def one_table() -> Case:
    """Slices, and an embedding of a column that is cast to whole numbers."""
    model = fit(small(OneTable()), numbers("age", "lwt", "arm"))
    return Case(model, "low ~ age + lwt + C(arm, Sum)", ["age", "lwt", "arm"], optimal=True)


def one_hot_inside() -> Case:
    """One-hot coding in forward(), log-probabilities of two classes."""
    model = small(OneHot())
    model = fit(model, numbers("age", "lwt", "arm"), mean=torch.exp)
    return Case(model, "low ~ age + lwt + arm", ["age", "lwt", "arm"], optimal=True)


def single_levels() -> Case:
    """All levels of a factor as columns of 0 and 1, and a bias: one direction is redundant."""
    levels = ["east", "north", "south", "west"]
    coded = torch.tensor(np.column_stack([FRAME.site == level for level in levels]).astype(float))
    model = fit(small(nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())), torch.cat([numbers("dose"), coded], 1))
    inputs = ["dose", *(f"site[{level}]" for level in levels)]
    return Case(
        model, "low ~ dose + site", inputs, optimal=True, relations={"dose": "same", "site[T.north]": "combined"}
    )


def skip() -> Case:
    model = small(Skip())
    moments(model.norm, numbers(*COLUMNS))
    nn.init.ones_(model.norm.weight)
    return Case(fit(model, numbers(*COLUMNS), mean=torch.sigmoid), FORMULA, COLUMNS, optimal=True)


def scaled() -> Case:
    x = numbers(*COLUMNS)
    return Case(fit(Scaled(x), x), FORMULA, COLUMNS, optimal=True, relations={"age": "scaled", "Intercept": "combined"})


def column_of_ones() -> Case:
    return Case(fit(Ones(), numbers(*COLUMNS)), FORMULA, COLUMNS, optimal=True, relations={"Intercept": "same"})


def by_export() -> Case:
    model = ByShape()
    moments(model.norm, numbers(*COLUMNS))
    return Case(fit(model, numbers(*COLUMNS)), FORMULA, COLUMNS, optimal=True)


class Exponential(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(self.fc(x))


def rates() -> Case:
    model = fit(small(Exponential()), numbers("age", "dose"), y="visits", family="poisson")
    return Case(model, "visits ~ age + dose", arguments={"family": "poisson"}, optimal=True, relations={"dose": "same"})


def regression() -> Case:
    model = fit(
        small(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))), numbers("age", "dose"), y="weight", family="gaussian"
    )
    return Case(model, "weight ~ age + dose", arguments={"family": "gaussian"}, optimal=True)


def compiled() -> Case:
    found = plain()
    return Case(
        torch.compile(found.network, backend="eager"), found.formula, found.inputs, optimal=True, relations=SAME
    )


def single_precision() -> Case:
    found = normed()
    return Case(found.network.float(), found.formula, found.inputs, optimal=True, single=True)


def on_meta() -> Case:
    """A module without values, and its weights."""
    state = fit(small(nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())), numbers(*COLUMNS)).state_dict()
    with torch.device("meta"):
        empty = nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())
    return Case((empty, dict(state)), FORMULA, COLUMNS, optimal=True, relations=SAME)


def by_words() -> Case:
    """Weights, and the names of their layers."""
    state = fit(
        small(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))), numbers(*COLUMNS), mean=torch.sigmoid
    ).state_dict()
    return Case((["0", "1", "sigmoid"], dict(state)), FORMULA, COLUMNS, optimal=True)


def one_layer() -> Case:
    state = fit(small(nn.Linear(3, 1)), numbers(*COLUMNS), mean=torch.sigmoid).state_dict()
    return Case(dict(state), FORMULA, COLUMNS, optimal=True, relations=SAME)


def hidden() -> Case:
    """Random weights, no GLM."""
    model = Hidden().double()
    moments(model.scale, numbers(*COLUMNS))
    return Case(model, FORMULA, COLUMNS)


def frozen() -> Case:
    """Random weights; the first layer was not trained, and ties three terms to two."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2), nn.Linear(2, 1), nn.Sigmoid()).double()
    moments(model[0], numbers(*COLUMNS))
    for each in (*model[0].parameters(), *model[1].parameters()):
        each.requires_grad_(False)
    return Case(model, FORMULA, COLUMNS)


def of_tanh() -> Case:
    """Random weights, for responses of -1 and +1."""
    model = nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 1), nn.Tanh()).double()
    moments(model[0], numbers(*COLUMNS))
    return Case(model, FORMULA, COLUMNS)


CASES = {
    build.__name__: seeded(build)
    for build in (
        plain, stacked, softmax, normed, two_inputs, one_table, one_hot_inside, single_levels, skip, scaled,
        column_of_ones, by_export, rates, regression, compiled, single_precision, on_meta, by_words, one_layer,
        hidden, frozen, of_tanh,
    )
}  # fmt: skip
"""Name -> the function that builds the case."""
