# SPDX-License-Identifier: MIT
"""INPUTS=: what a file holds is what is played; a recorder sees what an LSTM sees; what is wrong is said in one line with the file's name."""

import io
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from models.importers import ImportFailure
from models.own.data import LEAST_OF_USE, Use, first_steps, read_sequences, sequences_of, split
from models.own.metric import SIGNAL_TO_ERROR, as_metric, load_metric
from models.own.recorder import Recorder
from models.own.task import OwnTask, run
from models.policies import Policy

SIZE = 3
RNG = np.random.default_rng(1)
PARTS = [RNG.standard_normal((length, SIZE)).astype(np.float32) for length in (5, 2, 7)]


def read(tmp_path, **arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return read_sequences(tmp_path / "x.npz", SIZE)


def refused(tmp_path, **arrays):
    with pytest.raises(ImportFailure) as caught:
        read(tmp_path, **arrays)
    message = str(caught.value)
    assert message.startswith("x.npz: ") and "\n" not in message
    return message


def same(sequences, parts=PARTS):
    return len(sequences) == len(parts) and all(np.array_equal(found.inputs, part) for found, part in zip(sequences, parts))


def padded():
    result = np.full((len(PARTS), 7, SIZE), 99, dtype=np.float32)
    for row, part in zip(result, PARTS):
        row[:len(part)] = part
    return result


def test_sequences_of_different_lengths_are_the_same_in_every_form(tmp_path):
    np.savez(tmp_path / "unnamed.npz", *PARTS)
    assert same(read_sequences(tmp_path / "unnamed.npz", SIZE))
    assert same(read(tmp_path, **{f"inputs_{number}": part for number, part in enumerate(PARTS)}))
    assert same(read(tmp_path, inputs=padded(), lengths=np.array([5, 2, 7])))
    assert same(sequences_of(PARTS))


def test_labels_states_and_groups_stay_with_their_sequence(tmp_path):
    h, c = RNG.standard_normal((2, 2, 3, 4)).astype(np.float32)
    per_step = np.arange(21).reshape(3, 7)
    found = read(tmp_path, inputs=padded(), lengths=np.array([5, 2, 7]), labels=per_step, h0=h, c0=c, groups=np.array(["a", "b", "a"]))
    assert [list(sequence.labels) for sequence in found] == [list(row[:length]) for row, length in zip(per_step, (5, 2, 7))]  # padding counts nowhere
    assert [sequence.group for sequence in found] == ["a", "b", "a"]
    assert np.array_equal(found[1].state[0], h[:, 1]) and np.array_equal(found[2].state[1], c[:, 2])
    assert [sequence.labels for sequence in read(tmp_path, inputs=padded(), labels=np.array([4, 5, 6]))] == [4, 5, 6]
    numbered = {f"inputs_{number}": part for number, part in enumerate(PARTS)} | {f"labels_{number}": np.array(number) for number in range(3)}
    assert [int(sequence.labels) for sequence in read(tmp_path, **numbered)] == [0, 1, 2]


def test_the_only_sequence_is_cut_in_time_with_its_labels(tmp_path):
    x = RNG.standard_normal((100, SIZE)).astype(np.float32)
    found = read(tmp_path, inputs=x, labels=np.arange(100))
    assert len(found) == 6 and np.array_equal(torch.cat([sequence.inputs for sequence in found]), x)
    assert [label for sequence in found for label in sequence.labels] == list(range(100))
    assert "a label a step" in refused(tmp_path, inputs=x, labels=np.arange(3))


def test_wrong_files(tmp_path):
    x = padded()
    assert "shape [3, 7, 3, 1]; the LSTM takes [steps, 3]" in refused(tmp_path, inputs=x[..., None])
    assert "array arr_1 has shape [7, 2]; the LSTM takes [steps, 3]" in refused(tmp_path, arr_0=x[0], arr_1=x[0, :, :2])
    assert "but no number 1" in refused(tmp_path, arr_0=x[0], arr_2=x[0])
    assert "an array extra" in refused(tmp_path, inputs=x, extra=x)
    assert "no inputs" in refused(tmp_path, labels=x)
    assert "whole numbers from 1 to 7" in refused(tmp_path, inputs=x, lengths=np.array([5, 2, 8]))
    assert "give both" in refused(tmp_path, inputs=x, h0=x)
    assert "2 groups for 3 sequences" in refused(tmp_path, inputs=x, groups=np.array(["a", "b"]))
    assert "labels have shape [2]" in refused(tmp_path, inputs=x, labels=np.array([1, 2]))
    assert "beyond float32" in refused(tmp_path, inputs=np.full((3, 2, SIZE), 1e300))
    assert "real numbers" in refused(tmp_path, inputs=x.astype(complex))
    assert "not a whole file" in refused(tmp_path, inputs=np.array([{}], dtype=object))
    with pytest.raises(FileNotFoundError, match="no file"):
        read_sequences(tmp_path / "absent.npy", SIZE)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_header_that_claims_more_than_there_is(tmp_path, suffix):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 33, SIZE)})
    path = tmp_path / f"x.{suffix}"
    if suffix == "npy":
        path.write_bytes(header.getvalue() + bytes(64))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inputs.npy", header.getvalue() + bytes(64))
    with pytest.raises(ImportFailure, match=rf"x.{suffix}: it is not a whole file"):
        read_sequences(path, SIZE)


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("models.importers.archive.FREE", 100)
    path = tmp_path / "x.npz"
    np.savez_compressed(path, inputs=np.zeros((3, 100_000, SIZE)))
    with pytest.raises(ImportFailure, match=r"x\.npz: it unpacks to"):
        read_sequences(path, SIZE)


def test_uses_have_groups_of_their_own_and_not_the_order_of_the_file():
    sequences = sequences_of([np.zeros((4, 1))] * 40, groups=[number // 2 for number in range(40)])
    parts = split(sequences)
    groups = {use: {sequence.group for sequence in part} for use, part in parts.items()}
    assert [len(groups[use]) for use in Use] == [10, 5, 5] and len(set.union(*groups.values())) == 20
    assert groups[Use.CHECK] != {str(number) for number in range(15, 20)}  # a file that is sorted by label has all labels in each use
    assert split(sequences) == parts
    assert len(split(sequences[:4])[Use.CHECK]) == 2 and len(split(sequences[:24])[Use.CHECK]) == 2 * LEAST_OF_USE
    with pytest.raises(ImportFailure, match="at least two"):
        split(sequences[:2])


def test_long_sequences_are_cut_only_where_they_may_be():
    sequences = sequences_of([np.zeros((1000, 1))] * 8)
    assert sum(len(sequence.inputs) for sequence in first_steps(sequences, 400, cut=True)) == 400
    assert [len(sequence.inputs) for sequence in first_steps(sequences, 400, cut=False)] == [1000] * LEAST_OF_USE


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_recorder_sees_what_the_lstm_sees(tmp_path, batch_first):
    """Several calls, packed sequences that are not sorted, a state, one sequence without a batch: the LSTM gives the same h for what was recorded."""
    torch.manual_seed(1)
    lstm = nn.LSTM(SIZE, 4, 2, batch_first=batch_first, bidirectional=True)
    given = [torch.randn(length, SIZE) for length in (3, 6, 5)]
    state = torch.randn(4, 3, 4), torch.randn(4, 3, 4)
    padded_batch = torch.randn(2, 4, SIZE)
    with torch.no_grad(), Recorder(lstm) as seen:
        packed, _ = lstm(nn.utils.rnn.pack_sequence(given, enforce_sorted=False), hx=state)
        batch, _ = lstm(padded_batch if batch_first else padded_batch.transpose(0, 1))
        single, _ = lstm(given[0])
        lstm(given[0])
    with torch.no_grad():
        lstm(given[0])  # not recorded any more
    assert len(seen.sequences) == 7
    unpacked, lengths = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    wanted = [*(h[:length] for h, length in zip(unpacked, lengths)), *(batch if batch_first else batch.transpose(0, 1)), single, single]
    seen.save(tmp_path / "x.npz", labels=range(7), groups="abcdefg")
    torch.save(lstm.state_dict(), tmp_path / "lstm.pt")
    task = OwnTask(tmp_path / "lstm.pt", tmp_path / "x.npz")
    for sample, h in zip(task.samples_of(task.sequences), wanted):
        torch.testing.assert_close(sample.labels.float(), h, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="2 labels for 7"):
        seen.save(tmp_path / "y.npz", labels=[1, 2])


def test_sequences_with_states_are_run_from_them(tmp_path):
    torch.manual_seed(2)
    lstm = nn.LSTM(SIZE, 6, 2)
    states = RNG.uniform(-0.5, 0.5, (2, 2, 8, 6)).astype(np.float32)
    np.savez(tmp_path / "x.npz", inputs=RNG.standard_normal((8, 12, SIZE)), h0=states[0], c0=states[1])
    np.savez(tmp_path / "zero.npz", inputs=np.load(tmp_path / "x.npz")["inputs"])
    task, zero = (OwnTask(lstm, tmp_path / name) for name in ("x.npz", "zero.npz"))
    q = task.quantize()
    samples, others = (own.samples_of(own.sequences) for own in (task, zero))
    ours, wrong = run(q, samples, Policy.STATIC_HIGH), run(q, others, Policy.STATIC_HIGH)

    def error(found):
        return max(float((layers[-1] - sample.labels).abs().max()) for layers, sample in zip(found.hidden, samples))

    assert error(ours) < 0.05 < error(wrong)
    assert [layer.sum() for direction in ours.rows for layer in direction] == [layer.sum() for direction in wrong.rows for layer in direction]
    np.savez(tmp_path / "x.npz", inputs=np.zeros((8, 12, SIZE)), h0=states[0, :1], c0=states[1, :1])
    with pytest.raises(ImportFailure, match=r"x.npz: h0 and c0 have \[1, 6\] a sequence; the LSTM has .* \[2, 6\]"):
        OwnTask(lstm, tmp_path / "x.npz").samples_of(OwnTask(lstm, tmp_path / "x.npz").sequences)


def test_a_metric_is_a_function_of_a_file(tmp_path):
    path = tmp_path / "task.py"
    path.write_text("higher_is_better = False\nmargin = 0.5\nname = 'errors'\ndef metric(h, labels):\n    return sum(len(x) != y for x, y in zip(h, labels))\n")
    metric = load_metric(path)
    assert (metric.name, metric.higher_is_better, metric.margin) == ("errors", False, 0.5) and metric([[1], [1, 2]], [1, 1]) == 1
    assert as_metric(None) is SIGNAL_TO_ERROR and as_metric(path).key == metric.key
    for text, message in (("def metric(", "cannot be imported: SyntaxError"), ("x = 1", "no function metric"), ("margin = -1\ndef metric(a, b): ...", "margin = -1")):
        path.write_text(text)
        with pytest.raises(ImportFailure, match=rf"task.py: .*{message}"):
            load_metric(path)
    path.write_text("def metric(outputs, labels):\n    return 1 / 0\n")
    with pytest.raises(ImportFailure, match=r"task\.py, line 2: .* ZeroDivisionError"):
        load_metric(path)([], [])
    with pytest.raises(FileNotFoundError):
        load_metric(tmp_path / "absent.py")
