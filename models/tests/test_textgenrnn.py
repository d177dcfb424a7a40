# SPDX-License-Identifier: MIT
"""textgenrnn in float: against Keras' equations, and on English text.

The package's own network needs TensorFlow, so that it stands here once more, in NumPy, from the
definition of Keras' layers and of the package's attention.
"""

from math import log2

import numpy as np
import pytest
import torch

from models.networks import load, textgenrnn
from models.networks.network import in_calibration
from models.networks.textgenrnn import DOCUMENTS, WINDOW_STEPS, package_weights, windows


@pytest.fixture(scope="module")
def network():
    return load("textgenrnn")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def keras_lstm(x, kernel, recurrent, bias):
    """LSTM of weights that were saved by CuDNN, in Keras: x [batch, steps, inputs]."""
    units = recurrent.shape[0]
    kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, 4)])
    recurrent = np.hstack([k.T for k in np.hsplit(recurrent, 4)])
    bias = bias.reshape(2, -1).sum(0)
    h, c, hidden = np.zeros((len(x), units)), np.zeros((len(x), units)), []
    for step in range(x.shape[1]):
        i, f, g, o = np.hsplit(x[:, step] @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        hidden.append(h)
    return np.stack(hidden, axis=1)


def keras_network(text):
    """Probability of each class [batch, 465] after texts of equal length."""
    weights, classes = package_weights()
    weights = {name: values.double().numpy() for name, values in weights.items()}
    embedded = weights["embedding/embeddings"][[[classes[c] for c in line] for line in text]]
    states = [embedded]
    for layer in ("rnn_1", "rnn_2"):
        parts = (weights[f"{layer}/{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
        states.append(keras_lstm(states[-1], *parts))
    states = np.concatenate(states, axis=2)
    attention = softmax(states @ weights["attention/attention_W"], axis=1)
    mean = (attention * states).sum(1)
    return softmax(mean @ weights["output/kernel"] + weights["output/bias"], axis=1)


def test_agrees_with_keras_equations(network):
    text = list(windows("computers", network._classes))[:64]
    samples = list(network._samples("computers"))[:64]
    expected = torch.from_numpy(keras_network([window[:-1] for window in text])).log()
    assert expected.max(1).values.std() > 0.5
    actual = torch.stack(network.float_outputs(samples))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4)


def test_predicts_unseen_text(network):
    samples = network.test(800 * WINDOW_STEPS)
    outputs = network.float_outputs(samples)
    assert 2.4 < network.metric(samples, outputs) < 2.7
    assert 0.47 < network.accuracy(samples, outputs) < 0.55


def test_metric_is_the_information_of_the_next_character(network):
    samples = network.test(2 * WINDOW_STEPS)
    outputs = [torch.full((465,), 0.5 / 464).log() for _ in samples]
    outputs[0][samples[0].labels[-1]] = np.log(0.5)
    assert network.metric(samples, outputs) == pytest.approx((1 + log2(464 / 0.5)) / 2)
    assert network.accuracy(samples[:1], outputs[:1]) == 1
    assert network.accuracy(samples[1:], outputs[:1]) == 0


def test_windows_are_text_that_follows_each_other(network):
    text = list(windows("computers", network._classes))
    assert len(text) > 1000
    assert {len(window) for window in text} == {WINDOW_STEPS + 1}
    whole = " ".join((textgenrnn.TEXT / "computers").read_text(encoding="utf-8").split())
    assert all(window in whole for window in text)


def test_windows_leave_out_characters_unknown_to_the_network(network, monkeypatch, tmp_path):
    text = "a" * 41 + "b" * 20 + "\a" + "b" * 20 + "c" * 41
    (tmp_path / "art").write_text(f"{text}\n%\nshort\n%\n")
    monkeypatch.setattr(textgenrnn, "TEXT", tmp_path)
    assert list(windows("art", network._classes)) == ["a" * 41, "c" * 41]


def test_documents_are_on_one_side_and_take_turns(network):
    calibration = {sample.group for sample in network.calibration(25 * WINDOW_STEPS)}
    test = [sample.group for sample in network.test(38 * WINDOW_STEPS)]
    assert calibration == set(filter(in_calibration, DOCUMENTS))
    assert set(test) == set(DOCUMENTS) - calibration
    assert test[:19] == test[19:]


def test_few_steps_are_the_first_of_many(network):
    few, many = network.test(50), network.test(120)
    assert [len(sample.inputs) for sample in few] == [40, 10]
    assert torch.equal(few[0].inputs, many[0].inputs)
    assert torch.equal(few[1].inputs, many[1].inputs[:10])
    assert torch.equal(few[1].labels, many[1].labels[:10])
    assert network.test(0) == []


def test_data_are_the_same_on_every_call(network):
    for one, other in zip(network.test(1000), load("textgenrnn").test(1000), strict=True):
        assert one.group == other.group
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)


def test_more_steps_than_recorded_are_refused(network, monkeypatch):
    monkeypatch.setattr(textgenrnn, "DOCUMENTS", ("computers",))
    steps = sum(len(sample.inputs) for sample in network.test())
    assert steps == len(list(windows("computers", network._classes))) * WINDOW_STEPS
    with pytest.raises(ValueError, match=f"textgenrnn has {steps} steps of recordings, not 999999"):
        network.test(999999)


def test_a_missing_package_is_named(network, monkeypatch, tmp_path):
    monkeypatch.setattr(textgenrnn, "TEXT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"make setup.*apt-get install fortunes"):
        network.test(1)
