"""The command line on files and arguments that are not what they should be: one line, no traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from reliability.hostile import frame, put

from glmnet_bridge.cli import main

DATA = frame()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    DATA.to_csv(tmp_path / "data.csv", index=False)
    DATA.drop(columns="x1").to_csv(tmp_path / "less.csv", index=False)
    put(y=(DATA["x1"] > 0) * 1).to_csv(tmp_path / "separated.csv", index=False)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "header.csv").write_text("y,x1\n")
    (tmp_path / "ragged.csv").write_text("y,x1\n1,2\n1,2,3,4\n0,1\n")
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "latin.csv").write_bytes("y,gr\u00f6\u00dfe\n1,2\n0,3\n".encode("latin-1"))
    (tmp_path / "cut.parquet").write_bytes(b"PAR1xx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


FAILED = {
    "c_missing_file": (["fit", "no.csv", "y ~ x1"], ["no.csv", "no such file"]),
    "c_folder": (["fit", ".", "y ~ x1"], ["is a folder"]),
    "c_empty_file": (["fit", "empty.csv", "y ~ x1"], ["empty.csv", "cannot be read"]),
    "c_header_only": (["fit", "header.csv", "y ~ x1"], ["no rows"]),
    "c_ragged": (["fit", "ragged.csv", "y ~ x1"], ["ragged.csv", "line 3"]),
    "c_bytes": (["fit", "bytes.csv", "y ~ x1"], ["bytes.csv"]),
    "c_latin": (["fit", "latin.csv", "y ~ x1"], ["latin.csv", "utf-8"]),
    "c_cut_parquet": (["fit", "cut.parquet", "y ~ x1"], ["cut.parquet"]),
    "c_unknown_family": (["fit", "data.csv", "y ~ x1", "--family", "poison"], ["binomial, gaussian, poisson, gamma"]),
    "c_unknown_link": (["fit", "data.csv", "y ~ x1", "--link", "logitt"], ["'logit'"]),
    "c_unknown_column": (["fit", "data.csv", "y ~ zz"], ["'zz'", "x1, x2"]),
    "c_unknown_weights": (["fit", "data.csv", "y ~ x1", "--prior-weights", "w"], ["'w'", "prior_weights"]),
    "c_no_right_side": (["fit", "data.csv", "y ~"], ["right of the tilde"]),
    "c_event": (["fit", "data.csv", "y ~ x1", "--event", "7"], ["event='7'", "0 and 1"]),
    "c_learner": (["bridge", "data.csv", "y ~ x1", "--train", "foo"], ["foo", "sgd"]),
    "c_epochs": (["bridge", "data.csv", "y ~ x1", "--train", "sgd", "--epochs", "-3"], ["epochs=-3"]),
    "c_predict_less": (["predict", "data.csv", "y ~ x1", "less.csv"], ["'x1'"]),
    "c_predict_kind": (["predict", "data.csv", "y ~ x1", "data.csv", "--kind", "foo"], ["foo", "mean, link"]),
    "c_out_folder": (["fit", "data.csv", "y ~ x1", "--out", "."], ["."]),
    "c_out_nowhere": (["fit", "data.csv", "y ~ x1", "--format", "html", "--out", "no/such/x.html"], ["no/such"]),
    "c_code": (["fit", "data.csv", "y ~ __import__('os').system('touch hacked')"], ["__import__"]),
}


@pytest.mark.parametrize("name", FAILED)
def test_one_line_and_exit_code_1(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, parts = FAILED[name]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("glmnet-bridge: ") and err.count("\n") == 1 and "Traceback" not in err
    for part in parts:
        assert part in err, err
    assert not (folder / "hacked").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["frobnicate"], ["fit"], ["fit", "data.csv"], ["fit", "data.csv", "y ~ x1", "--no"]]
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage" in capsys.readouterr().err


def test_fits_that_are_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "separated.csv", "y ~ x1"]) == 3
    out, err = capsys.readouterr()
    assert "x1 -> +inf" in err and err.count("\n") == 1 and "separated" in out
    assert main(["bridge", "data.csv", "y ~ x1", "--train", "sgd", "--epochs", "2"]) == 3


def test_the_event_of_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "data.csv", "y ~ x1", "--event", "0"]) == 0
    assert "P(y = 0)" in capsys.readouterr().out


def test_predictions_with_missing_values(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DATA.assign(x1=DATA["x1"].where(DATA.index != 1)).to_csv("gaps.csv", index=False)
    assert main(["predict", "data.csv", "y ~ x1", "gaps.csv"]) == 0
    assert pd.read_csv(io.StringIO(capsys.readouterr().out))["_mean"].isna().sum() == 1


def test_as_a_process(folder: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "glmnet_bridge.cli", "fit", "no.csv", "y ~ x1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
