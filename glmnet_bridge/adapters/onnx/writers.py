"""ONNX, written: a fit as a graph that takes the raw columns and gives the mean, in double precision.

    one input per column of the data (text, whole numbers or numbers; yes and no as 1 and 0)
    -> the columns of the design -> kernel and bias -> linear_predictor -> mean

An offset is an input of its own. Of a level that the fit does not know the mean is nan. The graph is
run on the rows of the fit and on random ones before it is handed over, and must give the means of the
fit itself.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from glmnet_bridge.adapters.onnx import graphs
from glmnet_bridge.adapters.onnx.graphs import Model
from glmnet_bridge.adapters.onnx.readers import CLASSES, ETA, FAMILY, FORMAT, LINK, PENALTY, RESPONSE, TERMS, TRAINED
from glmnet_bridge.adapters.onnx.steps import Builder, write_link, write_step
from glmnet_bridge.adapters.writing.exports import Handed, compare, hand
from glmnet_bridge.adapters.writing.records import meaning_of

Array = np.ndarray

OPSET, ML_OPSET, IR = 17, 3, 8
KINDS = {"real": graphs.DOUBLE, "integer": 7, "truth": 7, "text": graphs.STRING}
SHIFT, SUM, PREDICTOR, MEAN = "offset", "weighted_sum", "linear_predictor", "mean"


def to_onnx(fit: Any, path: str | os.PathLike[str] | None = None) -> Any:
    """A ModelProto that takes the raw columns of the data and gives the mean; written to `path` too if given.

    Raises
    ------
    ArgumentError
        for a fit that is no GLM, for infinite coefficients, and for a function that ONNX lacks
    FitError
        where the graph does not give the fit's means
    """
    onnx = graphs.package()
    handed = hand(fit)
    builder = Builder(onnx, [raw.name for raw in handed.export.raws])
    for operation in handed.export.operations:
        write_step(builder, operation, handed.export)
    _predictor(builder, handed)
    write_link(builder, handed.family.link.name, PREDICTOR, MEAN)
    model = _model(onnx, builder, handed)
    rows, random = compare(handed, _runner(model, handed))
    _note(onnx, model, {f"{FORMAT}.difference": json.dumps({"rows": rows, "random": random})})
    onnx.checker.check_model(model)
    if path is not None:
        onnx.save(model, os.fspath(path))
    return model


def _predictor(builder: Builder, handed: Handed) -> None:
    """The columns beside each other, times the kernel, plus bias and offset."""
    order = [j for _, run in handed.export.blocks for j in range(run.start, run.stop)]
    parts = [builder.made[at] for at, _ in handed.export.blocks]
    columns = builder.add("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
    kernel = builder.constant(handed.beta[order][:, None], "kernel")
    bias = [j for j in range(len(handed.beta)) if j not in order]
    eta = builder.add("MatMul", [columns, kernel], None if bias else SUM)
    if bias:
        eta = builder.add("Add", [eta, builder.constant(handed.beta[bias], "bias")], SUM)
    if handed.offset:
        eta = builder.add("Add", [eta, builder.free(SHIFT)])
    for known in builder.known:
        eta = builder.add("Where", [known, eta, builder.number(np.nan)])
    builder.add("Identity", [eta], PREDICTOR)


def _model(onnx: Any, builder: Builder, handed: Handed) -> Any:
    def value(name: str, kind: int) -> Any:
        return onnx.helper.make_tensor_value_info(name, kind, ["n", 1])

    inputs = [value(raw.name, KINDS[raw.holds]) for raw in handed.export.raws]
    inputs += [value(builder.free(SHIFT), graphs.DOUBLE)] * handed.offset
    graph = onnx.helper.make_graph(
        builder.nodes, "glm", inputs, [value(builder.free(MEAN), graphs.DOUBLE)], list(builder.constants.values())
    )
    sets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = onnx.helper.make_model(graph, producer_name="glmnet_bridge", opset_imports=sets, ir_version=IR)
    trained = [name for name in map(builder.free, ("kernel", "bias")) if name in builder.constants]
    meaning = meaning_of(handed.fit)
    _note(
        onnx,
        model,
        {
            FORMAT: "1",
            TRAINED: "\n".join(trained),
            ETA: builder.free(SUM),
            FAMILY: handed.family.name,
            LINK: handed.family.link.name,
            f"{FORMAT}.formula": handed.formula,
            f"{FORMAT}.modelled": handed.modelled,
            TERMS: json.dumps(handed.terms),
            RESPONSE: meaning.response,
            CLASSES: json.dumps(meaning.classes),
            PENALTY: json.dumps({"strength": meaning.penalty.strength, "intercept": meaning.penalty.intercept}),
        },
    )
    return model


def _note(onnx: Any, model: Any, records: dict[str, str]) -> None:
    known = {each.key: each.value for each in model.metadata_props}
    onnx.helper.set_model_props(model, known | records)


def _runner(model: Any, handed: Handed) -> Any:
    """The graph as a function of the raw columns and the offset."""
    graph = graphs.load(model)
    run = Model(graphs.session(model), tuple((each, slice(j, j + 1)) for j, each in enumerate(graph.inputs)))

    def mean(table: Any, offset: Array | None) -> Array:
        given = table if offset is None else table.assign(**{graph.inputs[-1].name: offset})
        return run(given)[:, 0]

    return mean
