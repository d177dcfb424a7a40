# SPDX-License-Identifier: MIT
"""ddddocr in float: against ONNX Runtime on the package's graph, and on captchas."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from models.networks import ddddocr, load
from models.networks.ddddocr import ALPHABET, GROUPS, classes, draw, package_path
from models.networks.network import Sample, in_calibration

STEPS = 27  # an image


@pytest.fixture(scope="module")
def network():
    return load("ddddocr")


def session(model):
    """What ONNX Runtime computes of a graph of one input and one output."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # the package's graph declares fewer axes than it has
    run = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run
    name = model.graph.input[0].name
    return lambda values: run(None, {name: values})[0]


def test_agrees_with_the_graph_of_its_package(network):
    """In its two parts, as float32 errs by as much in each."""
    model = onnx.load(package_path() / "common.onnx")
    columns, = (node.input[0] for node in model.graph.node if node.op_type == "LSTM")
    convolutions = session(onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model)).extract_model(["input1"], [columns]))
    graph = session(model)
    for sample in network.test(8 * STEPS):
        pixels, _ = draw(sample.group)
        features = torch.from_numpy(convolutions(pixels[None, None])[:, 0])
        torch.testing.assert_close(sample.inputs, features, rtol=0, atol=3e-5)
        expected = torch.from_numpy(graph(pixels[None, None])[:, 0, classes()]).double()
        assert expected.std() > 1
        actual, = network.float_outputs([Sample(features, sample.labels, sample.group)])
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4)


def test_reads_most_captchas_but_not_all(network):
    samples = network.test(100 * STEPS)
    assert 0.7 < network.metric(samples, network.float_outputs(samples)) < 0.9


def test_one_direction_fills_two_mebibytes_of_weights(network):
    assert (network.lstm.num_layers, network.lstm.bidirectional) == (1, True)
    forward = network.lstm.weight_ih_l0.numel() + network.lstm.weight_hh_l0.numel()
    assert forward == 2 * 2**20


def test_few_steps_are_whole_images_and_the_first_of_many(network):
    few, many = network.calibration(STEPS + 1), network.calibration(3 * STEPS)
    assert [len(sample.inputs) for sample in few] == [STEPS] * 2
    assert [len(sample.inputs) for sample in many] == [STEPS] * 3
    for one, other in zip(few, many):
        assert one.group == other.group
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.labels, other.labels)
    assert network.test(0) == []


def test_calibration_and_test_share_no_image(network):
    calibration = {sample.group for sample in network.calibration(10 * STEPS)}
    test = {sample.group for sample in network.test(10 * STEPS)}
    assert calibration == set(list(filter(in_calibration, GROUPS))[:10])
    assert len(test) == 10 and not any(map(in_calibration, test))


def test_more_steps_than_drawn_are_refused(network, monkeypatch):
    monkeypatch.setattr(ddddocr, "GROUPS", tuple(filter(in_calibration, GROUPS))[:2])
    assert len(network.calibration()) == 2
    with pytest.raises(ValueError, match="ddddocr has 54 steps of captchas, not 55"):
        network.calibration(55)


def test_an_image_is_the_same_on_every_call_and_leaves_the_captchas_of_others_random():
    (pixels, labels), (again, _), (other, _) = map(draw, (GROUPS[0], GROUPS[0], GROUPS[1]))
    assert pixels.shape == (64, 213) and 0 <= pixels.min() < pixels.max() <= 1
    assert np.array_equal(pixels, again) and not np.array_equal(pixels, other)
    assert "".join(ALPHABET[label - 1] for label in labels) == "8hed"
    assert ddddocr.captcha.image.secrets.__name__ == "secrets"


def test_metric_asks_for_every_character_and_merges_repeated_ones(network):
    path = torch.tensor([0, 3, 3, 0, 3, 5, 0])
    output = nn.functional.one_hot(path, 1 + len(ALPHABET)).float()
    for labels, expected in (([3, 3, 5], 1), ([3, 5], 0), ([3, 3, 4], 0), ([3, 3, 5, 5], 0)):
        sample = Sample(torch.zeros(7, 512), torch.tensor(labels), "captcha")
        assert network.metric([sample], [output]) == expected


def test_a_missing_package_is_named(monkeypatch):
    def missing(name):
        raise ddddocr.PackageNotFoundError(name)

    monkeypatch.setattr(ddddocr, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="ddddocr: run `make setup`"):
        load("ddddocr")
