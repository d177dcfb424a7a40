# SPDX-License-Identifier: MIT
"""The LSTM among named tensors: nn.LSTM or nn.LSTMCell by the names that they give to their parameters, with weight_norm or without."""

import re
from collections.abc import Iterable
from dataclasses import replace

from .imported import ImportedLSTM, ImportFailure, check_sizes, listed, lstm_of
from .tensors import KINDS, StoredTensor

KIND = "weight_ih|weight_hh|weight_hr|bias_ih|bias_hh"
NAME = re.compile(rf"(?P<prefix>(?:.*\.)?)(?P<kind>{KIND})(?:_l(?P<layer>[0-9]{{1,9}})(?P<reverse>_reverse)?)?")
PARAMETRIZED = re.compile(rf"(?P<prefix>(?:.*\.)?)parametrizations\.(?P<name>(?:{KIND})\w*)\.original(?P<part>[01]?)")
# A weight that is computed from others before it is used: what has its name may be out of date.
CHANGED = re.compile(rf"(?P<prefix>(?:.*\.)?)(?:(?:{KIND})\w*_(?:orig|raw)|parametrizations\.(?:{KIND})\w*\.original\w*)")
# What else stands where the weights of an LSTM should be, by a name in the file.
OTHERS = [
    (rf"parametrizations\.(?:{KIND})\w*\.original", "a parametrization other than weight_norm: take it off with torch.nn.utils.parametrize.remove_parametrizations"),
    (rf"(?:{KIND})\w*_orig$", "spectral_norm or pruning of the weights: take it off with torch.nn.utils.remove_spectral_norm or torch.nn.utils.prune.remove"),
    (rf"(?:{KIND})\w*_raw$", "dropout of the weights (WeightDrop): save the LSTM within it"),
    (r"_all_weight_values|_packed_params", "layers quantized by PyTorch: save the model before it is quantized"),
    (r"(?:^|\.)(?:weight_i|w_i|W_i|U_i|W_f|x2h|h2h|i2h)(?:\.|$)", "cells written out by hand: copy their weights to a torch.nn.LSTM and save that"),
]


def lstm_among(tensors: dict[str, StoredTensor], node: str = "") -> ImportedLSTM:
    """The only LSTM among tensors by name, w_ih [4 * units, inputs] and so on as nn.LSTM has them, or that whose names begin with node.

    Raises ImportFailure that says what is there instead.
    """
    tensors = _without_weight_norm(tensors)
    modules: dict[str, dict] = {}
    for name, tensor in tensors.items():
        if match := NAME.fullmatch(name):
            modules.setdefault(match["prefix"], {})[match["kind"], match["layer"], match["reverse"] or ""] = tensor
    others = {prefix: what for prefix, module in modules.items() if (what := _other_than_lstm(module))}
    if node.strip("."):
        prefix = f"{node.rstrip('.')}."
        if prefix not in modules:
            raise ImportFailure(f"NODE={node}: no such LSTM; choose one of {_names(modules.keys() - others.keys())}")
    else:
        prefixes = sorted(modules.keys() - others.keys()) or sorted(others)
        if not prefixes:
            raise ImportFailure(_nothing(tensors))
        if len(prefixes) > 1 and prefixes[0] not in others:
            raise ImportFailure(f"{len(prefixes)} LSTMs: {_names(prefixes)}; choose one with NODE=name")
        prefix = prefixes[0]
    if prefix in others:
        raise ImportFailure(f"{prefix.rstrip('.') or 'it'} is {others[prefix]}: only LSTMs run on the accelerator; train one in its place")
    for name in sorted(tensors):
        if (match := CHANGED.fullmatch(name)) and (prefix.startswith(match["prefix"]) or match["prefix"].startswith(prefix)):
            raise ImportFailure(_instead([name]))
    try:
        return _lstm(modules[prefix])
    except ImportFailure as error:
        raise ImportFailure(f"{prefix.rstrip('.')}: {error}") if prefix else error from error


def _without_weight_norm(tensors):
    """Tensors with each magnitude and direction of weight_norm as the weight that they give."""
    result, norms = dict(tensors), {}
    for name in tensors:
        if name.endswith("_g") and f"{name[:-2]}_v" in tensors and NAME.fullmatch(name[:-2]):
            norms[name[:-2]] = name, f"{name[:-2]}_v"
        elif (match := PARAMETRIZED.fullmatch(name)) and match["part"] == "0" and f"{name[:-1]}1" in tensors:
            norms[match["prefix"] + match["name"]] = name, f"{name[:-1]}1"
    for weight, (g, v) in norms.items():
        magnitude, direction = result.pop(g), result.pop(v)

        def get(magnitude=magnitude, direction=direction):
            g, v = magnitude.get().float(), direction.get().float()
            # The norm is over all axes but the one along which there are several magnitudes.
            axes = [axis for axis in range(v.dim()) if g.dim() != v.dim() or g.shape[axis] != v.shape[axis]] or [v.dim() - 1]
            return v * (g / v.norm(dim=axes, keepdim=True))

        kind = direction.kind if magnitude.kind in KINDS else magnitude.kind
        fits = len(magnitude.shape) in (0, len(direction.shape)) and all(one in (1, size) for one, size in zip(magnitude.shape, direction.shape))
        result[weight] = replace(direction, kind=kind, get=get) if fits else StoredTensor((), f"of sizes {list(magnitude.shape)} and {list(direction.shape)}", get)
    return result


def _other_than_lstm(module) -> str:
    """What a module with weight_hh is, where its sizes say that it is no LSTM."""
    shape = next((tensor.shape for (kind, *_), tensor in module.items() if kind == "weight_hh"), ())
    if len(shape) == 2 and shape[1] and ("weight_hr", "0", "") not in module:
        if shape[0] == 3 * shape[1]:
            return f"a GRU (three gates: weight_hh {list(shape)})"
        if shape[0] == shape[1]:
            return f"a plain RNN (no gates: weight_hh {list(shape)})"
    return ""


def _nothing(tensors) -> str:
    if what := _instead(sorted(tensors)):
        return what
    names = f"its tensors are {listed(sorted(tensors))}" if tensors else "it holds no tensors with names"
    return f"no LSTM, as no name ends in weight_ih_l0 (torch.nn.LSTM) or weight_ih (LSTMCell); {names}"


def _instead(names) -> str:
    """The first of OTHERS that is among names, in words, or none."""
    return next((f"{name}: {what}" for pattern, what in OTHERS for name in names if re.search(pattern, name)), "")


def _names(prefixes: Iterable[str]) -> str:
    return listed(prefix.rstrip(".") or "(no prefix)" for prefix in sorted(prefixes))


def _lstm(found) -> ImportedLSTM:
    """found: tensors by (kind, layer, "_reverse" or ""); layer: None in a cell."""
    if any(kind == "weight_hr" for kind, *_ in found):
        raise ImportFailure("proj_size is not supported: projections of h are not in the accelerator; train without it")
    numbers = [None] if ("weight_ih", None, "") in found else [str(number) for number in range(len({layer for _, layer, _ in found}))]
    directions = ("", "_reverse") if any(reverse for *_, reverse in found) else ("",)
    kinds = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if ("bias_ih", numbers[0], "") in found else ()))
    expected = {(kind, layer, direction) for kind in kinds for layer in numbers for direction in directions}
    if wrong := sorted(expected ^ found.keys(), key=_name):
        missing = next((key for key in wrong if key in expected), None)
        raise ImportFailure(f"{_name(missing)} is missing: save all of the LSTM" if missing else f"{_name(wrong[0])} is no part of an LSTM: save the LSTM alone")
    for key in sorted(expected, key=_name):
        if found[key].kind not in KINDS:
            raise ImportFailure(f"{_name(key)} is {found[key].kind}: weights of {', '.join(KINDS)} are taken; save the model in float32")
    shape = found["weight_hh", numbers[0], ""].shape
    units = shape[-1] if shape else 0
    inputs = found["weight_ih", numbers[0], ""].shape[-1:]
    for key in sorted(expected, key=_name):
        _check(key, found[key], units, inputs if key[1] in (None, "0") else (units * len(directions),))
    check_sizes(inputs[0], units, len(numbers), len(directions))
    weights = [[(*(found[kind, layer, direction].get().float() for kind in kinds), *[None] * (4 - len(kinds))) for direction in directions]
               for layer in numbers]
    return ImportedLSTM([lstm_of(weights, len(directions) == 2)])


def _check(key, tensor, units, columns):
    wanted = (4 * units, *columns) if key[0] == "weight_ih" else (4 * units, units) if key[0] == "weight_hh" else (4 * units,)
    if tensor.shape != wanted or 0 in wanted:
        raise ImportFailure(f"{_name(key)} has shape {list(tensor.shape)}, an LSTM of {units} units has {list(wanted)}: save the LSTM again")


def _name(key) -> str:
    kind, layer, direction = key
    return kind + (f"_l{layer}" if layer is not None else "") + direction
