"""The command line: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from references import cases

import glmnet_bridge
from glmnet_bridge.cli import main

BIRTHS = str(cases.HERE / "data" / "birthwt.csv")
FORMULA = "low ~ age + lwt + C(race)"


def test_fit_prints_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", BIRTHS, FORMULA]) == 0
    out = capsys.readouterr()
    assert "modelling P(low = 1)" in out.out and "C(race)[T.other]" in out.out
    assert out.err == ""


def test_bridge_prints_the_map_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bridge", BIRTHS, FORMULA]) == 0
    assert "kernel[age]" in capsys.readouterr().out
    assert main(["bridge", BIRTHS, FORMULA, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [row["glm_term"] for row in facts["map"]] == [row["term"] for row in facts["coefficients"]]
    assert facts["model"]["converged"] is True and facts["modelled"].endswith("P(low = 1)")


def test_bridge_trains_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bridge", BIRTHS, "low ~ smoke", "--train", "sgd", "--epochs", "2"]) == 3
    out = capsys.readouterr()
    assert "not converged" in out.out
    assert out.err.startswith("glmnet-bridge: warning: ") and out.err.count("\n") == 1


def test_html_report_is_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.html"
    assert main(["bridge", BIRTHS, FORMULA, "--format", "html", "--out", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!") and "<script" not in text and "kernel[age]" in text


def test_predict_adds_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.tsv"
    pd.DataFrame({"age": [20, None], "lwt": [110, 120], "race": ["white", "black"]}).to_csv(new, sep="\t", index=False)
    assert main(["predict", BIRTHS, FORMULA, str(new)]) == 0
    answer = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert answer["_mean"].notna().tolist() == [True, False]


def test_several_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [BIRTHS, "ftvg ~ age + smoke", "--family", "multinomial", "--base", "1"]
    assert main(["bridge", *asked, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["modelled"].endswith("P(ftvg = 0), P(ftvg = 2+) against 1")
    labels = [f"{row['response_level']}: {row['term']}" for row in facts["coefficients"]]
    assert [row["glm_term"] for row in facts["map"]] == labels
    new = tmp_path / "new.csv"
    pd.DataFrame({"age": [20, 30], "smoke": [0, 1]}).to_csv(new, index=False)
    assert main(["predict", asked[0], asked[1], str(new), *asked[2:]]) == 0
    answer = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert answer[["_mean_0", "_mean_1", "_mean_2+"]].sum(axis=1).tolist() == pytest.approx([1.0, 1.0])


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path(BIRTHS).read_text()))
    assert main(["fit", "-", "low ~ age"]) == 0
    assert "189" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "nowhere.csv", "y ~ x"], "nowhere.csv: there is no such file"),
        (["fit", BIRTHS, "low ~ aeg"], "Did you mean 'age'?"),
        (["fit", BIRTHS, "low ~ age", "--family", "binomal"], "there are binomial, gaussian"),
        (["fit", BIRTHS, "low ~ age", "--link", "lgit"], "Did you mean 'logit'?"),
        (["fit", BIRTHS, "bwt ~ age"], "bwt"),
        (["fit", BIRTHS, "low ~ age", "--format", "html", "--out", "no/such/folder/x.html"], "no/such/folder"),
    ],
)
def test_errors_are_one_line_without_traceback(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    out = capsys.readouterr()
    assert out.out == "" and said in out.err
    assert out.err.count("\n") == 1 and "Traceback" not in out.err


def test_wrong_usage_ends_with_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit"])
    assert ended.value.code == 2


def test_separated_data_end_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "separated.csv"
    pd.DataFrame({"y": [0, 0, 0, 1, 1, 1], "x": [1, 2, 3, 4, 5, 6]}).to_csv(path, index=False)
    assert main(["fit", str(path), "y ~ x"]) == 3
    assert "x" in capsys.readouterr().err


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    verb = f"{sys.executable} -m glmnet_bridge.cli predict"
    command = f"{verb} {BIRTHS} 'low ~ age' {BIRTHS} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


def test_options_of_training_need_a_learner(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bridge", BIRTHS, "low ~ age", "--epochs", "5"]) == 1
    assert "--train" in capsys.readouterr().err
    assert main(["predict", BIRTHS, "low ~ age", BIRTHS, "--kind", "terms"]) == 1
    assert "mean, link or class" in capsys.readouterr().err


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no such file"):
        main(["--debug", "fit", "nowhere.csv", "y ~ x"])
    with pytest.raises(ValueError, match="no such file"):
        main(["fit", "nowhere.csv", "y ~ x", "--debug"])


def test_the_installed_command_runs_the_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "glmnet_bridge.cli", "demo", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "rate_marriage" in done.stdout and "Report: " in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"fair.html", "star98.html"}


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"glmnet-bridge {glmnet_bridge.__version__}\n"


class Unpickled:
    """Fails where it is loaded, as a model whose package is missing does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _fail, (type(self.error), self.error.args, getattr(self.error, "name", None))


def _fail(kind: Any, said: tuple[Any, ...], name: str | None) -> None:
    raise kind(*said) if name is None else kind(*said, name=name)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("no", name="sklearn.linear_model"), 'pip install "glmnet_bridge[sklearn]"'),
        (ModuleNotFoundError("no", name="xgboost"), "made with the package 'xgboost', which is not installed"),
        (KeyError("coef"), "cannot be loaded (KeyError: 'coef')"),
    ],
)
def test_pickles_that_cannot_be_loaded(
    error: Exception, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joblib = pytest.importorskip("joblib")
    path = str(tmp_path / "model.joblib")
    joblib.dump(Unpickled(error), path)
    assert main(["read", path, BIRTHS, "low ~ age", "--trust"]) == 1
    out = capsys.readouterr()
    assert out.out == "" and said in out.err and out.err.count("\n") == 1


@pytest.mark.parametrize(("ending", "extra"), [("pt", "torch"), ("onnx", "onnx")])
def test_read_names_the_extra(
    ending: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, extra, None)
    assert main(["read", str(path), BIRTHS, "low ~ age"]) == 1
    err = capsys.readouterr().err
    assert f'pip install "glmnet_bridge[{extra}]"' in err and err.count("\n") == 1
