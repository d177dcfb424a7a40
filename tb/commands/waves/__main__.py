# SPDX-License-Identifier: MIT
"""`make waves`: opens GTKWave on a few steps of a network, with the layout of this folder; without a screen it writes pictures instead.

The view begins shortly before the end of a step: refinements of its last units, the commits, the early pass of the next step running ahead.
`--png=1` draws the pictures of docs/images/: that view under STATIC_HIGH and SENSITIVITY, what every tile does in a whole step, and which units of Silero VAD take
which level while somebody speaks (speech.py).
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

import torch

from models.build import Build
from models.compiler import CompileError
from models.policies import Policy
from tb.bench import leash
from tb.bench.directions import plan
from tb.bench.runner import BUILD, LAYOUTS, PERIOD, ROOT, WAVES, SimulationError, waves_command
from tb.commands import sim
from tb.commands.waves import speech
from tb.commands.waves.picture import Step, steps_of, timeline

IMAGES = ROOT / "docs" / "images"
STEPS = 3
SCREEN = "1920x1400x24"
VIEW = (-44, 20)  # cycles around the end of a step


def simulate(options: argparse.Namespace, policies: list[Policy], folder: Path) -> dict[str, Path]:
    """Plays the network under each policy; returns the waves in the folder by the policy's name. Raises SimulationError."""
    network, samples = sim.load_data(options)
    sim.choose_policies(options, network)  # raises UserError
    q, waves = sim.prepare(network), {}
    for policy in policies:
        played = plan(q, [sample.inputs for sample in samples], policy)
        job = sim.Job(policy.name, policy, Build(), played, folder / policy.name)
        sim.simulate(job, sim.repeat_command(job, options), options.sim, options.seed, waves=True)
        waves[policy.name] = job.folder / WAVES
    return waves


def open_gtkwave(waves: Path, step: Step, picture: Path | None = None) -> None:
    """Opens GTKWave at the end of a step; with a picture, on a screen that nobody sees, and writes it there."""
    begin, end = (step.end + cycles * PERIOD for cycles in VIEW)
    script = waves.with_suffix(".tcl")
    commands = ["gtkwave::/Time/Zoom/Zoom_Full", f"gtkwave::setZoomRangeTimes {begin}ns {end}ns"]
    if picture:
        commands += [f"gtkwave::/File/Grab_To_File {picture}", "gtkwave::/File/Quit"]
    script.write_text("\n".join(commands) + "\n")
    # The title of the window tells the path.
    command = ["gtkwave", "-S", *(os.path.relpath(path, ROOT) for path in (script, waves, LAYOUTS / "harness.gtkw"))]
    if picture:
        picture.unlink(missing_ok=True)
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {SCREEN}", *command]
    print(waves_command(waves.parent, "harness"))
    ended = leash.run(command, cwd=ROOT, capture_output=True, text=True)
    if ended.returncode or (picture and not picture.exists()):
        raise SimulationError(f"{command[0]} ended with {ended.returncode}: {' '.join(ended.stderr.split()[-20:])}")


def need(*tools) -> None:
    """Raises UserError unless these programs are on the PATH."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        raise sim.UserError(f"{', '.join(missing)} not found on the PATH; on Debian: apt-get install gtkwave xvfb xauth")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.waves", description=__doc__.splitlines()[0],
                                     epilog="Further options: those of tb.commands.sim.")
    parser.add_argument("--policy", default="all", help="default: SENSITIVITY")
    parser.add_argument("--png", default="0", help="1: write the pictures of docs/images/")
    own, rest = parser.parse_known_args(arguments)
    sim.one_of("PNG", own.png, ("0", "1"))
    docs, screen = own.png == "1", bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    default = "static_high,sensitivity" if docs else "sensitivity"
    options = sim.parse([f"--steps={STEPS}", *rest, f"--policy={default if own.policy.lower() == 'all' else own.policy}", "--waves=1"])
    need("gtkwave", *["xvfb-run", "xauth"] * (docs or not screen))
    with sim.only_run(BUILD / "waves" / options.key) as folder:
        waves = simulate(options, options.policy, folder)
    # Not the last step, after which nothing comes.
    steps = {name: steps_of(path)[-2:][0] for name, path in waves.items()}
    folder = IMAGES if docs else folder
    pictures = []
    for name, path in waves.items():
        picture = folder / f"waves-{name}.png" if docs or not screen else None
        open_gtkwave(path, steps[name], picture)
        pictures += [picture] if picture else []
    if pictures:
        pictures.append(timeline(steps, folder / "step.png"))
    if docs:
        speech.draw(*speech.recorded(), speech.PICTURE)
        pictures.append(speech.PICTURE)
    print("\n".join(map(str, pictures)))
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        sys.exit(main())
    except (sim.UserError, CompileError, FileNotFoundError) as error:
        print(f"waves: {error}", file=sys.stderr)
        sys.exit(2)
    except SimulationError as error:
        print(f"waves: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("waves: interrupted")
