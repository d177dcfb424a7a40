# SPDX-License-Identifier: MIT
"""ONNX's own tests of the operator LSTM through the importer, against their reference outputs; the table of docs/models.md."""

import importlib
import re
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test.case.node
import pytest
import torch
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from models.importers import ImportFailure, load_lstm
from models.policies import BUILD_POLICIES, Policy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
UNIT = 1 / 128  # a little less than that of h, 1/120
LARGEST_ERROR = {policy: UNIT if policy == Policy.STATIC_HIGH else 2 * UNIT for policy in BUILD_POLICIES}
TABLE = dict(re.findall(r"^\| (test_lstm\w+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def cases():
    """The package's cases by name, without those of all other operators, which take long to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx.backend.test.case.node, "import_recursive", lambda package: importlib.import_module(f"{package.__name__}.lstm"))
        return {case.name: case for case in collect_testcases("LSTM")}


def saved(case, folder):
    """(file of the case's model with all inputs but X as constants, X, outputs by name)."""
    (inputs, outputs), = case.data_sets
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    values = dict(zip([value.name for value in model.graph.input], inputs, strict=True))
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items() if name != "X")
    data = [value for value in model.graph.input if value.name == "X"]
    del model.graph.input[:]
    model.graph.input.extend(data)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx", values["X"], dict(zip([value.name for value in model.graph.output], outputs, strict=True))


def test_the_table_has_all_tests_of_the_package(cases):
    assert TABLE.keys() == cases.keys()


@pytest.mark.parametrize("name", TABLE)
def test_node(name, cases, tmp_path):
    path, x, outputs = saved(cases[name], tmp_path)
    if TABLE[name] != "runs":
        with pytest.raises(ImportFailure, match=re.escape(TABLE[name].removeprefix("refused: "))):
            load_lstm(path)
        return
    batch_first = any(attribute.name == "layout" and attribute.i for attribute in cases[name].model.graph.node[0].attribute)
    imported, x = load_lstm(path), torch.from_numpy(np.swapaxes(x, 0, 1) if batch_first else x)
    sequences = list(x.unbind(1))
    directions = 1 + imported.lstms[0].bidirectional
    expected = {name: torch.tensor(np.swapaxes(value, 0, 1) if batch_first and name != "Y" else value) for name, value in outputs.items()}
    if batch_first and "Y" in expected:
        expected["Y"] = expected["Y"].permute(1, 2, 0, 3)

    def compare(outputs, largest_error):
        """outputs: [steps, units of both directions] by sequence."""
        y = torch.stack(outputs, dim=1).unflatten(2, (directions, -1)).transpose(1, 2)
        forward, backward = (0, -1) if imported.reverse else (-1, 0)
        got = {"Y": y, "Y_h": torch.stack([y[(forward, backward)[direction], direction] for direction in range(directions)])}
        assert expected.keys() & got.keys()
        for name in expected.keys() & got.keys():
            torch.testing.assert_close(got[name], expected[name].to(got[name]), rtol=0, atol=largest_error)

    compare([imported(sequence) for sequence in sequences], 1e-5)
    q = imported.quantize(sequences)
    for policy, largest_error in LARGEST_ERROR.items():
        run = q.for_policy(policy).run([imported.directed(sequence) for sequence in sequences], policy)
        compare([imported.directed(hidden[-1]) for hidden in run.hidden], largest_error)
