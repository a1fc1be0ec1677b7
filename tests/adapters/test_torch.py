"""PyTorch modules and bare weights: what is read, what is refused in which words, and that nothing is changed."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from adapters.kit import FRAME

torch = pytest.importorskip("torch")

from adapters import cases_torch  # noqa: E402
from adapters.cases_torch import COLUMNS, FORMULA, Tabular, numbers  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import glmnet_bridge as gb  # noqa: E402
from glmnet_bridge.adapters.tensors import files  # noqa: E402
from glmnet_bridge.adapters.tensors import readers as weights  # noqa: E402
from glmnet_bridge.adapters.torch import readers  # noqa: E402
from glmnet_bridge.errors import ArgumentError, DataError, ReadError  # noqa: E402


def net(forward, inputs: str = "x", **parts) -> nn.Module:
    """A module with these parts, whose forward() takes `inputs`."""
    space = {"body": forward}
    exec(f"def forward(self, {inputs}):\n    return body(self, {inputs})", space)
    module = type("Net", (nn.Module,), {"forward": space["forward"]})()
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def linear(wide: int = 3, out: int = 1) -> nn.Linear:
    return nn.Linear(wide, out)


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


def agreement(module: nn.Module, rows: int = 50, codes: tuple[int, ...] = ()) -> float:
    """Largest difference between a module in double precision and its reading, on random rows."""
    from glmnet_bridge.adapters.agreements import on_table

    foreign = readers.read(module.double())
    draw = np.random.default_rng(0)
    table = {name: draw.normal(size=rows) for name in foreign.intake.names}
    for place in codes:
        table[foreign.intake.names[place]] = draw.integers(0, 3, rows).astype(float)
    return on_table(foreign, pd.DataFrame(table))[0]


# --- what is read -----------------------------------------------------------------------------


READ = {
    "matmul from the right": (lambda self, x: x @ self.w, {"w": parameter(3, 2)}),
    "mv": (lambda self, x: torch.mv(x, self.w), {"w": parameter(3)}),
    "addmm": (lambda self, x: torch.addmm(self.b, x, self.w), {"w": parameter(3, 2), "b": parameter(2)}),
    "linear": (lambda self, x: functional.linear(x, self.w, self.b), {"w": parameter(1, 3), "b": parameter(1)}),
    "a transposed weight": (lambda self, x: x @ self.w.t(), {"w": parameter(2, 3)}),
    "some of a weight": (lambda self, x: x @ self.w[:3], {"w": parameter(5, 1)}),
    "gains and their sum": (lambda self, x: (x * self.w).sum(-1) + self.b, {"w": parameter(3), "b": parameter()}),
    "a weight less a value": (lambda self, x: self.b - self.a(x), {"a": linear(), "b": parameter(1)}),
    "a value less a weight": (lambda self, x: self.a(x) - self.b, {"a": linear(), "b": parameter(1)}),
    "constants": (lambda self, x: 3.0 - self.a((x / 2.0 - 1.0) * 0.3).neg(), {"a": linear()}),
    "rsub and alpha": (lambda self, x: torch.rsub(torch.sub(self.a(x), x[:, :1], alpha=2.0), 1.0), {"a": linear()}),
    "chunk": (lambda self, x: self.a(torch.cat(x.chunk(2, dim=1)[::-1], dim=1)), {"a": linear(4)}),
    "picked columns": (
        lambda self, x: self.a(x[:, [2, 0, 1]]) + self.b(x.narrow(1, 0, 2)),
        {"a": linear(), "b": linear(2)},
    ),
    "index_select": (lambda self, x: self.a(x.index_select(1, torch.tensor([1, 0]))), {"a": linear(2)}),
    "stack and mean": (
        lambda self, x: torch.stack([self.a(x), self.b(x)], dim=1).mean(dim=1),
        {"a": linear(), "b": linear()},
    ),
    "reshapes": (
        lambda self, x: self.a(x.view(x.size(0), -1).unsqueeze(1)).reshape(-1, 2)[..., 0],
        {"a": linear(3, 2)},
    ),
    "select": (lambda self, x: self.a(x.select(1, 0).unsqueeze(-1)), {"a": linear(1)}),
    "batch_norm": (
        lambda self, x: self.a(
            functional.batch_norm(x, self.n.running_mean, self.n.running_var, self.n.weight, self.n.bias)
        ),
        {"a": linear(), "n": nn.BatchNorm1d(3)},
    ),
    "in place": (lambda self, x: self.a(x).add_(1.0).mul_(2.0), {"a": linear()}),
    "a ReLU in place": (
        lambda self, x: self.b(self.r(self.a(x))),
        {"a": linear(3, 2), "r": nn.ReLU(inplace=True), "b": linear(2)},
    ),
    "tanh": (lambda self, x: self.b(torch.tanh(self.a(x))), {"a": linear(3, 2), "b": linear(2)}),
    "sigmoid": (lambda self, x: self.b(self.a(x).sigmoid()), {"a": linear(3, 2), "b": linear(2)}),
    "F.relu": (lambda self, x: self.b(functional.relu(self.a(x))), {"a": linear(3, 2), "b": linear(2)}),
    "logsigmoid": (lambda self, x: functional.logsigmoid(self.a(x)), {"a": linear()}),
    "probit": (lambda self, x: torch.special.ndtr(self.a(x)), {"a": linear()}),
    "softmax of many": (lambda self, x: functional.softmax(self.a(x), dim=-1), {"a": linear(3, 4)}),
    "a cast": (lambda self, x: self.a(x.to(torch.float64).double()), {"a": linear()}),
    "zeros to add to": (lambda self, x: torch.zeros_like(x)[:, :1] + self.a(x), {"a": linear()}),
}


@pytest.mark.parametrize("name", READ)
def test_operations_are_read_as_they_compute(name):
    forward, parts = READ[name]
    assert agreement(net(forward, **parts)) < 1e-13


def test_embeddings_by_function_padding_and_slices():
    table = parameter(3, 2)
    by_function = net(lambda self, x: functional.embedding(x[:, 0].int(), self.w).sum(1), w=table)
    assert agreement(by_function, codes=(0,)) < 1e-13
    padded = nn.Embedding(3, 2, padding_idx=1)
    with torch.no_grad():
        padded.weight[1] = 0.7
    model = net(lambda self, x: self.a(self.e(x[:, 0].long())), e=padded, a=linear(2))
    assert agreement(model, codes=(0,)) < 1e-13
    # the row that training leaves as it is has no place in theta
    assert not [name for name in readers.read(model).network.entries if name.startswith("e.weight[1")]


def test_export_reads_the_same_operations():
    def forward(self, x):
        rows, wide = x.shape
        x = x if wide > 1 else -x
        h = self.n(x)
        h = torch.cat([h[:, :2], self.e(x[:, 2].long())], dim=1)
        return torch.softmax(torch.matmul(functional.leaky_relu(self.a(h)), self.w) / 2.0, dim=1)

    model = net(forward, n=nn.BatchNorm1d(3), e=nn.Embedding(3, 2), a=linear(4, 2), w=parameter(2, 3))
    assert agreement(model, codes=(2,)) < 1e-13
    entries = readers.read(model).network.entries
    assert entries[:2] == ("n.weight[0]", "n.weight[1]") and "e.weight[2, 1]" in entries and "w[1, 2]" in entries


def test_names_are_paths_of_the_module():
    model = nn.Sequential(nn.Sequential(linear(2, 2)), nn.Tanh(), linear(2))
    foreign = readers.read(model)
    assert foreign.kind == "PyTorch Sequential"
    assert foreign.intake.names == ("input 1", "input 2")
    assert foreign.network.entries[:6] == (
        "0.0.weight[0, 0]", "0.0.weight[1, 0]", "0.0.weight[0, 1]", "0.0.weight[1, 1]", "0.0.bias[0]", "0.0.bias[1]",
    )  # fmt: skip
    np.testing.assert_array_equal(foreign.theta[1], np.float64(model[0][0].weight[1, 0].item()))
    assert foreign.precision == torch.finfo(torch.float32).eps


def test_what_is_folded_is_said():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.3), linear(3, 2), linear(2))
    model[2].weight.requires_grad_(False)
    folded = readers.read(model).folded
    assert folded[0].startswith("Layer '0' (BatchNorm1d) in inference mode: its running moments are taken as fixed")
    assert folded[1] == (
        "Layer '1' (Dropout) is the identity at inference; in training it is a penalty without GLM counterpart."
    )
    assert folded[2] == "2.weight is frozen (requires_grad=False) and taken as fixed numbers."
    assert "2.bias[1]" in readers.read(model).network.entries
    assert not [name for name in readers.read(model).network.entries if name.startswith("2.weight")]


def test_a_module_with_nothing_trainable_is_read_all_the_same():
    model = linear().requires_grad_(False)
    assert readers.read(model).folded == (
        "No parameter is trainable (requires_grad=False everywhere); all are read as weights all the same.",
    )
    assert len(readers.read(model).theta) == 4


def test_the_module_is_left_as_it_was():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), linear(), nn.Sigmoid()).train()
    model[1].eval()
    model[2].weight.grad = torch.ones(1, 3)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    state = torch.get_rng_state()
    gb.bridge(FORMULA, FRAME, network=model.double(), inputs=COLUMNS)
    assert [each.training for each in model.modules()] == [True, True, False, True, True]
    assert torch.equal(model[2].weight.grad, torch.ones(1, 3, dtype=torch.float64))
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()
    assert all(torch.equal(each, before[name].to(each.dtype)) for name, each in model.state_dict().items())


def test_half_precision_is_read_within_its_own_rounding():
    for dtype in (torch.bfloat16, torch.float16):
        model = nn.Sequential(linear(2), nn.Sigmoid()).to(dtype)
        br = gb.bridge("low ~ dose + smoke", FRAME, network=model, inputs=["dose", "smoke"])
        assert br.agreement.precision == torch.finfo(dtype).eps
        assert br.agreement.rows <= 0.05


# --- widths and inputs ------------------------------------------------------------------------


def test_widths_are_found_from_what_is_applied():
    slices = net(lambda self, x: self.a(x[:, :3]) + self.b(x[:, 3:]), a=linear(3), b=linear(2))
    assert len(readers.read(slices).intake.names) == 5
    unread = net(lambda self, x: self.a(x[:, 1:3]), a=linear(2))
    assert len(readers.read(unread).intake.names) == 3
    joined = net(
        lambda self, x, c: self.a(torch.cat([x, self.e(c).squeeze(1)], 1)), "x, c", a=linear(6), e=nn.Embedding(9, 2)
    )
    assert readers.read(joined).intake.groups == (("x", 4), ("c", 1))
    gains = net(lambda self, x: (x * self.w).sum(1), w=parameter(4))
    assert len(readers.read(gains).intake.names) == 4


def test_a_width_that_nothing_says_is_asked_for():
    last = net(lambda self, x: self.a(x[:, :3]) + self.e(x[:, -1].long()), a=linear(3), e=nn.Embedding(3, 1))
    with pytest.raises(ReadError, match=r"The input has no width that the module says: 3, 4 would all do.*inputs="):
        readers.read(last)
    assert len(readers.read(last, 4).intake.names) == len(readers.read(last, {"x": 4}).intake.names) == 4
    br = gb.bridge(
        "low ~ age + dose + smoke + arm", FRAME, network=last.double(), inputs=["age", "dose", "smoke", "arm"]
    )
    assert br.foreign.intake.groups == (("x", 4),)
    both = net(lambda self, a, b: self.f(torch.cat([a, b], 1)), "a, b", f=linear(5))
    with pytest.raises(ReadError, match=r"Inputs a, b have no width.*inputs=\{'a': \[...\], 'b': \[...\]\}"):
        readers.read(both)
    assert readers.read(both, {"a": 2, "b": 3}).intake.groups == (("a", 2), ("b", 3))


def test_several_inputs_are_given_by_name():
    model = Tabular().double()
    right = {"x_num": ["age", "dose"], "x_cat": ["arm"]}
    br = gb.bridge("low ~ age + dose + arm", FRAME, network=model, inputs=right)
    turned = gb.bridge("low ~ age + dose + arm", FRAME, network=model, inputs=dict(reversed(right.items())))
    pd.testing.assert_frame_equal(br.table, turned.table)
    codes = FRAME[["arm"]].apply(lambda column: column.cat.codes)
    by_numbers = gb.bridge(
        "low ~ age + dose + arm", FRAME, network=model, inputs={"x_num": FRAME[["age", "dose"]], "x_cat": codes}
    )
    assert by_numbers.agreement.rows < 1e-12
    with pytest.raises(ArgumentError, match="names x_num, cat; the inputs of the network are x_num, x_cat"):
        gb.bridge("low ~ age", FRAME, network=model, inputs={"x_num": ["age", "dose"], "cat": ["arm"]})
    with pytest.raises(ArgumentError, match="inputs= for 'x_num': give 2 names or a table of 2 columns, not 1"):
        gb.bridge("low ~ age", FRAME, network=model, inputs={"x_num": ["age"], "x_cat": ["arm"]})


def test_inputs_that_do_not_belong_are_named():
    model = nn.Sequential(linear(), nn.Sigmoid()).double()
    with pytest.raises(ArgumentError, match=r"takes 3 inputs \(input 1, input 2, input 3\), but it would be fed 2"):
        gb.bridge(FORMULA, FRAME, network=model, inputs=["age", "lwt"])
    with pytest.raises(ArgumentError, match=r"takes 3 inputs .* but it would be fed 1 \(age\)"):
        gb.bridge("low ~ age", FRAME, network=model)
    with pytest.raises(DataError, match="'agee'"):
        gb.bridge(FORMULA, FRAME, network=model, inputs=["agee", "lwt", "smoke"])
    shifted = FRAME[COLUMNS].set_axis(FRAME.index + 5)
    with pytest.raises((ArgumentError, DataError), match="inputs="):
        gb.bridge(FORMULA, FRAME, network=model, inputs=shifted)


def test_codes_that_an_embedding_has_no_row_for_are_named():
    model = Tabular().double()
    model.emb = nn.Embedding(2, 2).double()
    with pytest.raises(
        DataError, match=r"Raw input 'x_cat' holds 2, but layer 'emb' \(Embedding\) has 2 rows.*0 to 1.*inputs="
    ):
        gb.bridge("low ~ age", FRAME, network=model, inputs={"x_num": ["age", "dose"], "x_cat": ["arm"]})
    with pytest.raises(DataError, match="Raw input 'x_cat' holds"):  # the numbers of another column
        gb.bridge("low ~ age", FRAME, network=Tabular().double(), inputs={"x_num": ["age", "dose"], "x_cat": ["lwt"]})


# --- families ---------------------------------------------------------------------------------


def test_the_family_is_the_callers_to_say():
    ends = nn.Sequential(linear(2)).double()
    assert gb.bridge("low ~ age + dose", FRAME, network=ends).network.family.name == "binomial"
    assert gb.bridge("weight ~ age + dose", FRAME, "gaussian", network=ends).network.family.name == "gaussian"
    rates = cases_torch.rates().network
    with pytest.raises(ReadError, match='ends in an exponential.*family="poisson"'):
        gb.bridge("visits ~ age + dose", FRAME, network=rates)
    with pytest.raises(ReadError, match="ends in sigmoid, but the log link"):
        gb.bridge("visits ~ age + dose", FRAME, "poisson", network=nn.Sequential(linear(2), nn.Sigmoid()))
    assert readers.read(ends).schooling.loss == ""


def test_a_softmax_over_one_unit_is_refused():
    with pytest.raises(ReadError, match="softmax over one unit"):
        gb.bridge("low ~ age + dose", FRAME, network=nn.Sequential(linear(2), nn.Softmax(dim=1)).double())


# --- what is refused --------------------------------------------------------------------------


def _nan() -> nn.Module:
    layer = linear()
    with torch.no_grad():
        layer.weight[0, 1] = float("nan")
    return nn.Sequential(layer)


def _pruned() -> nn.Module:
    from torch.nn.utils import prune

    layer = linear()
    prune.l1_unstructured(layer, "weight", amount=1)
    return nn.Sequential(layer)


REFUSED = {
    "unknown layer": (
        nn.Sequential(linear(3, 4), nn.LayerNorm(4), linear(4)),
        r"Layer '1' \(LayerNorm\) is not read. Layers that are",
    ),
    "unknown activation": (nn.Sequential(linear(3, 4), nn.GELU(), linear(4)), r"Layer '1' \(GELU\) is not read"),
    "unknown function": (
        net(lambda self, x: self.a(functional.gelu(x)), a=linear()),
        "Operation 'gelu' .*line .* is not read",
    ),
    "slope": (
        nn.Sequential(linear(3, 2), nn.LeakyReLU(0.2), linear(2)),
        r"'1' \(LeakyReLU\) has slope 0.2, which is not read",
    ),
    "softplus": (nn.Sequential(linear(), nn.Softplus()), r"'1' \(Softplus\) .* inverse of no link.*exp \(the log link"),
    "no moments": (
        nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), linear()),
        "'0' .*no running moments.*track_running",
    ),
    "shapes": (nn.Sequential(linear(3, 4), linear(5)), r"Layer '1' \(Linear\) takes 5 inputs but is given 4"),
    "not finite": (_nan(), r"Weight 0.weight\[0, 1\] is nan.*smaller learning rate"),
    "a layer twice": (
        net(lambda self, x: self.b(self.a(self.a(x))), a=linear(3, 3), b=linear()),
        r"Weight a.weight\[0, 0\] is used more than once.*layer 'a' \(Linear\).*weights of its own",
    ),
    "one table for two": (
        net(lambda self, x: self.a(self.e(x.long()).flatten(1)), e=nn.Embedding(4, 2), a=linear(4)),
        r"Layer 'e' \(Embedding\) looks up 2 columns of codes in one table",
    ),
    "product": (
        net(lambda self, x: self.a(x) * self.b(x), a=linear(), b=linear()),
        "Operation 'mul' .* multiplies two values that both depend on the inputs. Give the product as an input",
    ),
    "goes on after the sigmoid": (
        net(lambda self, x: 1.0 - torch.sigmoid(self.a(x)), a=linear()),
        "After operation 'sigmoid' .*goes on without any weight.*Return the activation itself",
    ),
    "two sigmoids": (nn.Sequential(linear(3, 2), nn.Sigmoid()), r"Layer '1' \(Sigmoid\) ends the network in 2 units"),
    "a softmax inside": (
        nn.Sequential(linear(3, 2), nn.Softmax(dim=1), linear(2)),
        r"'2' \(Linear\) computes with the output of layer '1'",
    ),
    "softmax over rows": (
        net(lambda self, x: torch.softmax(self.a(x), 0), a=linear(3, 2)),
        "does not go over the units",
    ),
    "computed weights": (
        nn.Sequential(nn.utils.parametrizations.weight_norm(linear())),
        "'0' .*computes its weights.*remove_parametrizations",
    ),
    "pruned weights": (_pruned(), r"'0' \(Linear\) computes its weight before each run.*prune.remove"),
    "a function of a weight": (
        net(lambda self, x: functional.linear(x, self.w.exp()), w=parameter(1, 3)),
        "'exp' .*computes something from a weight",
    ),
    "several outputs": (
        net(lambda self, x: (self.a(x), self.b(x)), a=linear(), b=linear()),
        r"forward\(\) returns 2 values.*one tensor",
    ),
    "any number of inputs": (
        net(lambda self, *x: self.a(x[0]), "*x", a=linear()),
        r"forward\(\*x\).*any number of inputs",
    ),
    "a dict of inputs": (
        net(lambda self, x: self.a(x["age"]), a=linear(1)),
        "takes 'age' out of a dict.*names its inputs",
    ),
    "the batch": (net(lambda self, x: self.a(x - x.mean(0)), a=linear()), "'mean' .*goes over the rows of a batch"),
    "rows against rows": (
        net(lambda self, x: self.a(x) + self.b(x).squeeze(1), a=linear(), b=linear()),
        "'add' .*mixes the rows of a batch",
    ),
    "random": (net(lambda self, x: self.a(x + torch.randn_like(x)), a=linear()), "'randn_like' .*is not read"),
    "dropout that stays": (
        net(lambda self, x: functional.dropout(self.a(x)), a=linear()),
        "drops units in inference too",
    ),
    "whole numbers": (net(lambda self, x: self.a(x.long().double()), a=linear()), "were cast to whole numbers"),
    "levels of a computed value": (
        net(lambda self, x: self.e(self.a(x)[:, 0].long()), a=linear(), e=nn.Embedding(3, 1)),
        "codes that the network comp",
    ),
    "never run": (nn.Sequential(nn.LazyLinear(1)), "0.weight has no values yet: run the module once"),
    "no values": (
        nn.Sequential(nn.Linear(3, 1, device="meta")),
        r"0.weight is on the meta device.*\(module, state_dict\)",
    ),
    "no module": (torch.zeros(3), "is a torch Tensor.*Give the nn.Module"),
    "no graph": (
        net(lambda self, x: self.a(torch.from_numpy(np.exp(x.numpy()))), a=linear()),
        "cannot be followed: line .*torch",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(name):
    module, words = REFUSED[name]
    with pytest.raises(ReadError, match=words):
        readers.read(module)


class Decides(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.mean() > 0:
            x = -x
        return self.fc(x)


class Assigns(Decides):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, 0] = 0.0
        return self.fc(x)


def test_a_forward_that_decides_by_its_inputs_is_refused_with_its_line(capfd):
    with pytest.raises(ReadError, match=r"another way for other inputs.*line \d+ of test_torch.py: if x.mean\(\) > 0:"):
        readers.read(Decides())
    assert capfd.readouterr().err == ""


def test_an_assignment_to_some_columns_is_refused():
    with pytest.raises(ReadError, match="fill_|copy_|setitem"):
        readers.read(Assigns())


def test_a_forward_that_changes_its_inputs_in_place_changes_a_copy():
    def forward(self, x):
        x.mul_(2.0)
        return torch.sigmoid(self.a(x))

    br = gb.bridge(FORMULA, FRAME, network=net(forward, a=linear()).double(), inputs=COLUMNS)
    assert br.agreement.rows < 1e-12
    assert br.table.set_index("glm_term").relation["age"] == "scaled"


def test_a_scripted_module_says_what_to_give():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Sequential(linear()))
    with pytest.raises(ReadError, match=r"TorchScript module.*network=\(module, scripted.state_dict\(\)\)"):
        readers.read(scripted)
    plain = nn.Sequential(linear())
    assert readers.read_with(plain, scripted.state_dict()).network.parameters == 4


def test_an_affine_module_without_graph_is_read_as_a_whole():
    def forward(self, x):
        return torch.sigmoid(self.a(torch.from_numpy(2.0 * x.numpy())))

    model = net(forward, a=linear()).double()
    br = gb.bridge(FORMULA, FRAME, network=model, inputs=COLUMNS)
    assert br.table.network_term.tolist()[:2] == ["module.bias[0]", "module.jacobian[0, 0]"]
    np.testing.assert_allclose(br.table.as_glm[1:], 2.0 * model.a.weight.detach().numpy()[0], rtol=1e-9)
    assert "not weights that it holds" in " ".join(br.notes)


# --- weights ----------------------------------------------------------------------------------


@pytest.fixture
def trained() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(3), linear(3, 2), nn.ReLU(), linear(2), nn.Sigmoid()).double()
    model[0].running_mean, model[0].running_var = numbers(*COLUMNS).mean(0), numbers(*COLUMNS).var(0)
    return model


WORDS = ["0", "1", "relu", "3", "sigmoid"]


def test_weights_are_read_alike_in_every_form(trained, tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file

    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    empty = nn.Sequential(nn.BatchNorm1d(3), linear(3, 2), nn.ReLU(), linear(2), nn.Sigmoid())
    table = gb.bridge(FORMULA, FRAME, network=trained, inputs=COLUMNS).table
    before = {name: each.clone() for name, each in empty.state_dict().items()}
    for network in (
        (empty.double(), trained.state_dict()),
        (empty, tmp_path / "model.safetensors"),
        (empty, str(tmp_path / "model.pt")),
        (WORDS, trained.state_dict()),
        (WORDS, tmp_path / "model.safetensors"),
        (" ".join(WORDS), tmp_path / "model.pt"),
    ):
        pd.testing.assert_frame_equal(gb.bridge(FORMULA, FRAME, network=network, inputs=COLUMNS).table, table)
    assert all(torch.equal(each, before[name].to(each.dtype)) for name, each in empty.state_dict().items())


def test_files_hold_what_was_written(trained, tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file

    tensors = {
        "double": torch.randn(2, 3, dtype=torch.float64), "single": torch.randn(4), "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(), "count": torch.tensor([3]), "number": torch.tensor(2.5),
    }  # fmt: skip
    save_file(tensors, tmp_path / "all.safetensors", metadata={"format": "pt"})
    found = files.load(tmp_path / "all.safetensors")
    assert list(found) == sorted(found, key=list(found).index) and set(found) == set(tensors)
    for name, each in tensors.items():
        np.testing.assert_array_equal(found[name], each.double().numpy())


def test_weights_without_architecture_are_one_layer_or_refused(trained):
    alone = weights.read({"weight": np.ones((1, 3)), "bias": np.zeros(1)})
    assert alone.network.entries == ("weight[0, 0]", "weight[0, 1]", "weight[0, 2]", "bias[0]")
    assert weights.read({"fc.weight": np.ones((1, 3))}).network.entries[0] == "fc.weight[0, 0]"
    with pytest.raises(ReadError, match=r'do not say how they go together.*\(\["0", "1", "3", "sigmoid"\], w'):
        weights.read(trained.state_dict())


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["0", "1", "relu"], r"leaves out 3.weight, 3.bias. Name every layer of the weights: 0, 1, 3"),
        (["0", "1", "rleu", "3"], "'rleu' is neither a layer of the weights .* Did you mean 'relu'"),
        (["0", "1", "softmax", "3"], "'softmax' is an activation of the output; it stands at the end"),
        (["0", "1", "1", "3"], "names '1' twice"),
        (["0", "3", "relu", "1"], r"Layer '3' takes 2 inputs .* feeds it 3"),
    ],
)
def test_words_that_do_not_fit_the_weights_are_named(trained, words, error):
    with pytest.raises(ReadError, match=error):
        weights.read((words, trained.state_dict()))


def test_weights_of_another_architecture_are_named(trained):
    with pytest.raises(ReadError, match='are not those of the Sequential.*Missing key.*"weight"|Unexpected key'):
        weights.read((nn.Sequential(linear()), trained.state_dict()))
    with pytest.raises(ReadError, match="Entry 'lstm.weight_ih_l0' belongs to a layer that is not read"):
        weights.read((["lstm"], nn.ModuleDict({"lstm": nn.LSTM(3, 1)}).state_dict()))
    with pytest.raises(ReadError, match=r"Layer 'c' is no linear layer \(c.weight \(1, 1, 3\)"):
        weights.read((["c"], {"c.weight": np.ones((1, 1, 3))}))
    with pytest.raises(ReadError, match="The architecture is a int"):
        weights.read((3, trained.state_dict()))
    with pytest.raises(ReadError, match="a tuple of 3; give two"):
        weights.read((WORDS, trained.state_dict(), 1))
    with pytest.raises(ReadError, match="'sigmoid' ends the network in 2 units"):
        weights.read((["fc", "sigmoid"], {"fc.weight": np.ones((2, 3))}))
    with pytest.raises(ReadError, match="begins with 'relu'"):
        weights.read((["relu", "fc"], {"fc.weight": np.ones((2, 3))}))


def test_files_that_are_no_tensors_are_refused(tmp_path):
    import pickle

    with pytest.raises(DataError, match="There is no file"):
        files.load(tmp_path / "none.safetensors")
    for content, words in (
        (b"", "header does not lie within"),
        ((10**12).to_bytes(8, "little") + b"{}", "header does not lie within"),
        ((4).to_bytes(8, "little") + b"nope", "no JSON object"),
        (_file({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 80]}}), "'a' does not lie within the file"),
        (_file({"a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}}), "'a' does not lie within the file"),
        (_file({"a": {"dtype": "F64", "shape": [1], "data_offsets": [-8, 0]}}), "'a' does not lie within the file"),
        (_file({"a": {"dtype": "F8", "shape": [1], "data_offsets": [0, 8]}}), "'a' has type F8"),
        (_file({"a": {"dtype": "F64"}}), "lacks its type, shape or place"),
    ):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(ReadError, match=words):
            files.load(tmp_path / "bad.safetensors")
    (tmp_path / "code.pt").write_bytes(pickle.dumps(print))
    with pytest.raises(ReadError, match="holds more than tensors.*that could run code"):
        files.load(tmp_path / "code.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ReadError, match="holds no state_dict"):
        files.load(tmp_path / "list.pt")


def _file(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(8)


def test_words_need_no_torch(trained, tmp_path):
    """A .safetensors file is read with numpy alone."""
    import subprocess
    import sys

    save_file = pytest.importorskip("safetensors.torch").save_file

    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    code = f"""
import sys, pandas as pd, glmnet_bridge as gb
sys.modules["torch"] = None
frame = pd.DataFrame({{"y": [0, 1, 0, 1, 1, 0], "a": [40.0, 50, 60, 30, 45, 52], "b": [60.0, 50, 70, 65, 80, 55],
                       "c": [0, 1, 1, 0, 1, 0]}})
network = ({WORDS!r}, {str(tmp_path / "model.safetensors")!r})
print(gb.network("y ~ a", frame, network=network, inputs=["a", "b", "c"], train=None).weights())
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
