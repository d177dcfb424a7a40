# SPDX-License-Identifier: MIT
"""Tensors of torch.export.save (.pt2): a description in JSON beside the numbers of each. The program in the file is not loaded."""

import json
from pathlib import Path

from .archive import open_zip, read_member, read_part
from .imported import ImportFailure
from .tensors import StoredTensor, from_storage

CONFIG = "data/weights/model_weights_config.json"
KINDS = {6: "float16", 7: "float32", 8: "float64", 13: "bfloat16"}  # by the codes of torch.export's schema


def tensors(path: Path) -> dict[str, StoredTensor]:
    """All weights by the names that they have in the state dict, with their shapes; numbers are read when they are asked for. Raises ImportFailure."""
    with open_zip(path) as archive:
        config = next((name for name in archive.namelist() if name.endswith(f"/{CONFIG}")), None)
        if config is None:
            raise ImportFailure(f"{CONFIG} is not in it: load it with torch.export.load of the PyTorch that wrote it, and save its state_dict with torch.save")
        try:
            entries = json.loads(read_member(archive, config))["config"]
            return {name: _tensor(path, config.removesuffix(CONFIG), entry) for name, entry in entries.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ImportFailure(f"{CONFIG} within it is damaged: save or copy the file again") from error


def _tensor(path, root, entry) -> StoredTensor:
    meta = entry["tensor_meta"]
    if entry["use_pickle"]:
        return StoredTensor((), "pickled", lambda: None)

    def content(first, size):
        with open_zip(path) as archive:
            return read_part(path, archive, f"{root}data/weights/{entry['path_name']}", first, size)

    shape, stride = ([number["as_int"] for number in meta[name]] for name in ("sizes", "strides"))
    return from_storage(content, KINDS.get(meta["dtype"], f"type {meta['dtype']}"), shape, stride, meta["storage_offset"]["as_int"])
