"""The command line: `glmnet-bridge demo | fit | bridge | read | predict`.

    glmnet-bridge fit data.csv "low ~ age + C(race)" --format html --out report.html
    glmnet-bridge read model.onnx data.csv "low ~ age + C(race)" --inputs age,lwt

Reads csv, tsv and parquet (`-` is csv from standard input), writes text, JSON or HTML.
Exit codes: 0 fitted; 1 an error in the data or the model, said in one line; 2 wrong usage;
3 fitted, but not converged or separated.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glmnet_bridge import bridges
from glmnet_bridge.data.files import table
from glmnet_bridge.errors import ArgumentError, BridgeError, BridgeWarning, DataError, missing_extra
from glmnet_bridge.fits import Fit

OK, FAILED, NOT_CONVERGED = 0, 1, 3
_EXTRAS = {name: name for name in ("keras", "onnx", "sklearn", "torch")}
"""Packages whose models a pickle may hold, with the extra that brings each."""

_DEMOS = (
    (
        "fair",
        "I(affairs > 0) ~ rate_marriage + age + yrs_married + religious + educ + C(occupation)",
        "Who has an affair? 6,366 women (Fair 1978)",
    ),
    (
        "star98",
        "NABOVE + NBELOW ~ LOWINC + PERASIAN + PERBLACK + PERHISP + PCTCHRT + PCTYRRND",
        "Pupils above the national median in maths, by school district (grouped counts)",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", BridgeWarning)
            warnings.showwarning = _one_line
            return int(options.run(options))
    except BrokenPipeError:
        # the reader has seen enough (`| head`); the interpreter must not complain of it at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (BridgeError, OSError) as error:
        if options.debug:
            raise
        print(f"glmnet-bridge: {_said(error)}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glmnet-bridge",
        description="A GLM from a formula and a table, and the neural network that it is.",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--version", action="version", version=f"glmnet-bridge {_version()}")
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo = verbs.add_parser("demo", help="two real data sets, with an HTML report each")
    demo.add_argument("--out", default="demo", help="folder for the reports (default: demo)")
    demo.set_defaults(run=_demo)
    for verb, text, run in (
        ("fit", "fit a GLM and print its table", _fit),
        ("bridge", "the GLM, the network and the map between them", _bridge),
        ("predict", "fit on one table, predict for the rows of another", _predict),
    ):
        _model_arguments(verbs.add_parser(verb, help=text), run)
    network = verbs.choices["bridge"]
    network.add_argument("--train", help="train the network by sgd, momentum, adam, lbfgs or gd instead")
    network.add_argument("--epochs", type=int, help="with --train (default 50)")
    network.add_argument("--seed", type=int, help="with --train (default 0)")
    _read_arguments(verbs.add_parser("read", help="a trained network as a GLM, term by term"))
    predict = verbs.choices["predict"]
    predict.add_argument("new", help="table with the rows to predict")
    predict.add_argument("--kind", default="mean", help="mean, link or class")
    for each in verbs.choices.values():
        each.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _version() -> str:
    return str(sys.modules["glmnet_bridge"].__version__)


def _read_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a .keras, .onnx, .safetensors, .pt or, with --trust, .joblib file")
    _model_arguments(parser, _read)
    parser.set_defaults(family=None)  # the network says it, where it can
    parser.add_argument(
        "--inputs", help="what the network is fed: names with commas between, or a formula like 'x + g'"
    )
    parser.add_argument("--architecture", help="layers of bare weights by name, such as 'fc1 relu fc2 sigmoid'")
    parser.add_argument(
        "--loss", help="what it was trained for: 'BCEWithLogitsLoss(pos_weight=3)', where it does not say"
    )
    parser.add_argument("--optimizer", help="what it was trained by, such as 'SGD(weight_decay=0.01)'")
    parser.add_argument("--trust", action="store_true", help="load a .joblib or .pkl file, which can run any code")


def _model_arguments(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("data", help="csv, tsv or parquet file; - for csv from standard input")
    parser.add_argument("formula", help='such as "y ~ x + C(g)"')
    parser.add_argument(
        "--family", default="binomial", help="binomial, multinomial, gaussian, poisson, gamma, inverse_gaussian"
    )
    parser.add_argument("--link", help="a link of the family")
    for name in ("trials", "prior-weights", "freq-weights", "offset", "exposure"):
        parser.add_argument(f"--{name}", help="a column, or an expression of columns")
    parser.add_argument("--event", help="the level whose probability is modelled")
    parser.add_argument("--base", help="of the multinomial family: the class that the others are compared with")
    parser.add_argument("--format", choices=("text", "json", "html"), default="text")
    parser.add_argument("--out", help="file to write to (default: standard output)")
    parser.set_defaults(run=run)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    names = ("family", "link", "trials", "prior_weights", "freq_weights", "offset", "exposure", "event", "base")
    return {name: getattr(options, name) for name in names}


def _fit(options: argparse.Namespace) -> int:
    fit = bridges.glm(options.formula, table(options.data), **_given(options))
    _write(options, fit, fit)
    return _code(fit)


def _bridge(options: argparse.Namespace) -> int:
    asked = {"epochs": options.epochs, "random_state": options.seed}
    if options.train:
        defaults = {"train": options.train, "epochs": 50, "random_state": 0}
        training = defaults | {name: value for name, value in asked.items() if value is not None}
    elif any(value is not None for value in asked.values()):
        raise ArgumentError("--epochs and --seed are for a network that is trained: add --train, such as --train sgd.")
    else:
        training = {}
    bridge = bridges.bridge(options.formula, table(options.data), **_given(options), **training)
    _write(options, bridge, bridge.glm)
    return max(_code(bridge.glm), _code(bridge.network))


def _read(options: argparse.Namespace) -> int:
    network: Any = _model(options.model, options.trust)
    if options.architecture:
        network = (options.architecture.replace(",", " "), network)
    inputs = options.inputs
    if inputs is not None and ("," in inputs or not any(mark in inputs for mark in "+*:(")):
        inputs = [name.strip() for name in inputs.split(",") if name.strip()]
    told = {"network": network, "inputs": inputs, "loss": options.loss, "optimizer": options.optimizer}
    bridge = bridges.bridge(options.formula, table(options.data), **told, **_given(options))
    _write(options, bridge, bridge.glm)
    return _code(bridge.glm)


def _model(path: str, trust: bool) -> Any:
    """The model in a file: its path, which a reader opens without running anything; or what is unpickled on request."""
    if not Path(path).exists():
        raise DataError(f"{path}: there is no such file.")
    if not path.endswith((".joblib", ".pkl", ".pickle")):
        return path
    if not trust:
        raise ArgumentError(
            f"{path} is a pickle, and loading one runs whatever code it holds. If you made it yourself or trust who "
            "did, add --trust; else ask for an .onnx file."
        )
    try:
        import joblib
    except ImportError as error:
        raise missing_extra("joblib", "sklearn") from error
    try:
        return joblib.load(path)
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in _EXTRAS:
            raise missing_extra(package, _EXTRAS[package]) from error
        raise DataError(f"{path} was made with the package {package!r}, which is not installed here.") from error
    except Exception as error:  # what a pickle runs can fail in any way
        raise DataError(f"{path}: cannot be loaded ({type(error).__name__}: {_said(error)}).") from error


def _predict(options: argparse.Namespace) -> int:
    if options.kind not in ("mean", "link", "class"):
        raise ArgumentError(f"--kind {options.kind} is unknown; it is mean, link or class.")
    fit = bridges.glm(options.formula, table(options.data), **_given(options))
    new = table(options.new)
    values = fit.predict(new, kind=options.kind)
    columns = {"": values} if values.ndim == 1 else {f"_{name}": column for name, column in values.items()}
    answer = new.assign(**{f"_{options.kind}{end}": column.to_numpy() for end, column in columns.items()})
    if options.format == "json":
        _put(options.out, json.dumps(_plain(answer.to_dict("records")), indent=1, default=str))
    elif options.format == "html":
        _put(options.out, answer.to_html(index=False))
    else:
        _put(options.out, answer.to_csv(index=False))
    return _code(fit)


def _demo(options: argparse.Namespace) -> int:
    from statsmodels import datasets

    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, formula, title in _DEMOS:
        data = getattr(datasets, name).load_pandas().data
        bridge = bridges.bridge(formula, data)
        path = folder / f"{name}.html"
        bridge.report(path)
        paths.append(path)
        print(f"{title}\n\n{bridge}\n")
    for path in paths:
        print(f"Report: {path.resolve()}")
    return OK


def _write(options: argparse.Namespace, shown: Any, fit: Fit) -> None:
    if options.format == "json":
        _put(options.out, json.dumps(_plain(_facts(shown, fit)), indent=1))
    elif options.format == "html" and options.out:
        shown.report(options.out)
    elif options.format == "html":
        _put(None, shown._repr_html_())
    else:
        _put(options.out, str(shown.summary()))


def _facts(shown: Any, fit: Fit) -> dict[str, Any]:
    facts = {
        "modelled": fit.modelled,
        "formula": fit.formula,
        "coefficients": fit.tidy().to_dict("records"),
        "model": fit.glance().to_dict("records")[0],
        "rows_dropped": fit.rows_dropped,
        "aliased": fit.aliased,
        "separation": fit.separation.to_dict(),
    }
    if shown is not fit:
        facts |= {"map": shown.table.to_dict("records"), "verdict": shown.verdict}
    return facts


def _plain(value: Any) -> Any:
    """Values that JSON has: nan becomes null, infinities their names."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _put(out: str | None, text: str) -> None:
    if out:
        Path(out).write_text(text + "\n", encoding="utf-8")
        print(f"Written: {out}")
    else:
        print(text)


def _code(fit: Fit) -> int:
    return OK if fit.converged else NOT_CONVERGED


def _said(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(str(error).split())


def _one_line(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """A warning as one line on standard error."""
    print(f"glmnet-bridge: warning: {_said(message)}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
