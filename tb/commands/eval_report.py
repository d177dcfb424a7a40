# SPDX-License-Identifier: MIT
"""What `make eval` shows of its records: a table for the terminal, the tables of docs/results.md and of the README, a plot, and build/eval.json."""

import json
from pathlib import Path

import matplotlib
from rich import box
from rich.table import Table

from models.build import Build
from models.calibration import read
from models.policies import Policy
from tb.bench.runner import BUILD, ROOT
from tb.commands.evaluation.records import FIXED, HIGH, LOW, SENSITIVITY, geometric_mean
from tb.commands.evaluation.task import CYCLES_STEPS, FLOAT, RIVALS, SEEDS
from tb.commands.pages import with_tables

matplotlib.use("Agg")
from matplotlib import pyplot

PAPER_SPEEDUP, PAPER_LOW_SHARE = 1.56, 0.66
SATURATED = 0.95  # share of the lowest level under SENSITIVITY, from which on there is next to nothing to choose
WIDTH = 190  # of the table
COLUMNS = 4  # of the plot
SHOWN = (SENSITIVITY, Policy.CELL_HISTORY.name, *RIVALS, LOW)  # in the tables of means and of rivals
HEADINGS = ("policy", "metric [95 %]", "loss against 8 bits, margins [95 %]", "no loss", "loss against float [95 %]", "no loss", "HH / 3/4 / all, %", "quarters",
            "ideal speed [95 %]", "in cycles", "over STATIC_HIGH", "RTL steps")
COLOURS = {HIGH: "black", LOW: "tab:red", "RANDOM": "tab:gray", "CELL_HISTORY": "tab:orange", SENSITIVITY: "tab:blue", "STATIC_ROWS": "tab:green",
           "static widths": "tab:purple"}
README, RESULTS = ROOT / "README.md", ROOT / "docs" / "results.md"
TITLES = {"textgenrnn": "textgenrnn, next character", "ddddocr": "ddddocr, captchas", "dtln": "DTLN, speech without its noise", "silero": "Silero VAD, speech or not",
          "nanoocr": "nanoocr, words", "resemblyzer": "Resemblyzer, who speaks", "diacritizer": "diacritizer, vowels of Arabic"}


def write(records: list[dict], published: bool) -> list:
    """Writes JSON, tables and plot, where docs/ and the README have them if published, else in build/; returns their paths."""
    BUILD.mkdir(exist_ok=True)
    paths = [BUILD / "eval.json", RESULTS if published else BUILD / "results.md", (ROOT / "docs" / "images" if published else BUILD) / "frontier.png"]
    paths[0].write_text(json.dumps(records, indent=1) + "\n")
    paths[1].write_text(results(RESULTS.read_text(), records) if published else unpublished(records, paths[2].name))
    plot(records, paths[2])
    if published:
        README.write_text(readme(README.read_text(), records))
        paths.append(README)
    return [path.relative_to(ROOT) for path in paths]


def row(record: dict) -> tuple:
    """The cells of a record, as HEADINGS name them."""
    reference, against = record["policy"] == HIGH, record["vs_float"]
    return (
        record["policy"], f"{record['value']:.4f} {_interval(record['ci95'], '.4f')}",
        "" if reference else _loss(record), "" if reference else _verdict(record), _loss(against) if against else "", _verdict(against) if against else "",
        " / ".join(f"{100 * share:.0f}" for share in record["levels"]) if len(record.get("levels", ())) > 1 else "",
        f"{record['mean_quarters']:.2f}" if record.get("mean_quarters") else "",
        f"{record['ideal_speed']:.2f}x {_interval(record['ideal_speed_ci95'], '.2f')}" if "ideal_speed" in record else "",
        f"{record['speedup_baseline']:.3f}x" if "cycles" in record else "", f"{record['speedup']:.3f}x" if "cycles" in record else "",
        f"{record['rtl_steps_checked']:,}" if record.get("rtl_steps_checked") else "",
    )


def _interval(ends, form) -> str:
    return "[" + ", ".join(format(end, form) for end in ends) + "]"


def _loss(found) -> str:
    return f"{found['loss']:+.2f} {_interval(found['loss_ci95'], '+.2f')}"


def _verdict(found) -> str:
    return "yes" if found["no_loss"] else "not shown"


def by_network(records: list[dict]) -> dict[str, dict[str, dict]]:
    """Records by network and policy."""
    result: dict = {}
    for record in records:
        result.setdefault(record["network"], {})[record["policy"]] = record
    return result


def table(records: list[dict]) -> Table:
    """All records, network by network."""
    result = Table(box=box.SIMPLE_HEAD)
    for heading in HEADINGS:
        result.add_column(heading, justify="left" if heading == "policy" else "right")
    for net, found in by_network(records).items():
        result.add_section()
        result.add_row(f"[bold]{net}[/]", f"[bold]{found[HIGH]['metric']}[/]")
        for record in found.values():
            result.add_row(*row(record))
    result.add_section()
    for policy, networks, no_loss, no_loss_float, low, ideal, cycles, over_high in means(records):
        result.add_row(f"{policy}, {networks}", "", "", no_loss, "", no_loss_float, low, "", ideal, cycles, over_high)
    return result


def saturated(records: list[dict]) -> set[str]:
    """Networks that SENSITIVITY leaves at the lowest level so nearly always that there is next to nothing to choose."""
    return {net for net, found in by_network(records).items() if found[SENSITIVITY]["low_share"] >= SATURATED}


MEANS = ("policy", "networks", "no loss against 8 bits", "against float", "share of HH", "ideal speed", "in cycles", "over STATIC_HIGH")


def means(records: list[dict]) -> list[tuple]:
    """Rows of the table of means, as MEANS names its columns: of all networks, of those that are not saturated, and of those where SENSITIVITY shows no loss
    against 8 bits; geometric means of speeds, and the worst network."""
    networks, lines = by_network(records), []
    groups = {"all": list(networks), "not saturated": [net for net in networks if net not in saturated(records)],
              "no loss shown for SENSITIVITY": [net for net, found in networks.items() if found[SENSITIVITY]["no_loss"]]}
    for policy in SHOWN:
        for name, all_members in groups.items():
            members = [net for net in all_members if policy in networks[net]]
            if members:
                lines.append((policy, f"{name} ({len(members)})", *_mean([networks[net][policy] for net in members])))
        worst = min((found[policy] for found in networks.values() if policy in found), key=lambda record: record["ideal_speed"], default=None)
        if worst:
            lines.append((policy, f"worst: {worst['network']}", "", "", *_mean([worst])[2:]))
    return lines


def _mean(found) -> tuple:
    count = len(found)

    def speed(key):
        return f"{geometric_mean(record[key] for record in found):.2f}x" if all(key in record for record in found) else ""

    no_loss, no_loss_float = (f"{sum(one['no_loss'] for one in these)} of {count}" for these in (found, [record["vs_float"] for record in found]))
    low = "" if found[0]["policy"] == "static widths" else f"{sum(record['low_share'] for record in found) / count:.1%}"
    return no_loss, no_loss_float, low, speed("ideal_speed"), speed("speedup_baseline"), speed("speedup")


RIVAL = ("network", "rival", "its speed, ideal", "its loss against 8 bits [95 %]", "speed of SENSITIVITY over it, ideal [95 %]", "SENSITIVITY's loss against it [95 %]")


def rivals(records: list[dict]) -> list[tuple]:
    """Rows of the table of rivals, as RIVAL names its columns."""
    return [(net, rival, f"{found[rival]['ideal_speed']:.2f}x", _loss(found[rival]), f"{one['speed_ratio']:.2f}x {_interval(one['speed_ratio_ci95'], '.2f')}", _loss(one))
            for net, found in by_network(records).items() for rival, one in found[SENSITIVITY]["vs_rival"].items()]


def fixed_as_good(records: list[dict]) -> list[str]:
    """Networks on which SENSITIVITY is not faster than the best fixed choice outside the interval."""
    found = by_network(records)
    return [net for net, own in found.items() if not all(own[SENSITIVITY]["vs_rival"][rival]["faster"] for rival in FIXED if rival in own)]


def verdict(records: list[dict]) -> str:
    """Whether a fixed choice is as good, in words: those of calibration, and HH alone, which the test shows to be without loss or not."""
    as_good, low = fixed_as_good(records), [net for net, found in by_network(records).items() if found[LOW]["no_loss"]]
    words = "SENSITIVITY is faster than STATIC_ROWS and static widths on every network, with the whole interval of the ratio above 1." if not as_good else \
        (f"On {', '.join(as_good)} a fixed choice is as fast as SENSITIVITY, or faster; on the others SENSITIVITY is faster than both, with the whole interval of the "
         "ratio above 1.")
    if low:
        words += (f" **In hindsight, HH alone shows no loss against 8 bits on {', '.join(low)}**, and is faster than all policies: calibration data had not "
                  "shown it, so neither SENSITIVITY nor a rival was set to it.")
    worse = [f"{net} ({', '.join(found_worse)})" for net, found in by_network(records).items()
             if (found_worse := [rival for rival, one in found[SENSITIVITY]["vs_rival"].items() if one["faster"] and one["loss_ci95"][0] > 0])]
    if worse:
        words += f" **It loses more than a slower rival, with the whole interval of the paired loss above 0, on {', '.join(worse)}.**"
    return words


def _rows(lines) -> str:
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _heading(names) -> str:
    return _rows([names, ["---", *["---:"] * (len(names) - 1)]])


def results(text: str, records: list[dict]) -> str:
    """docs/results.md, whose text is written by hand, with its tables of these records. Raises ValueError where one has no place in it."""
    return with_tables(text, _blocks(records), "make eval")


def unpublished(records: list[dict], image: str) -> str:
    """A page of its own for a run that docs/results.md is not of: the same tables."""
    blocks = _blocks(records)
    return (f"# Results of a run that is not published\n\ndocs/results.md says what the words mean.\n\n## By network\n\n{blocks['networks']}\n"
            f"## Is a fixed choice as good?\n{blocks['rivals']}\n## Means\n{blocks['means']}\n![frontiers]({image})\n{blocks['policies']}")


def _blocks(records) -> dict[str, str]:
    """What `make eval` writes into docs/results.md, by name."""
    return {"networks": _networks(records), "rivals": f"\n{verdict(records)}\n\n{_heading(RIVAL)}{_rows(rivals(records))}", "means": _means(records),
            "policies": "".join(f"\n## {net}: {found[HIGH]['metric']}\n\n{_policies(found)}" for net, found in by_network(records).items()) + "\n"}


def _means(records) -> str:
    """The table of means, with what its words mean in this run."""
    build = Build()
    return (f"\n{_heading(MEANS)}{_rows(means(records))}| paper | its networks | | | > {PAPER_LOW_SHARE:.0%} | | {PAPER_SPEEDUP:.2f}x | |\n\n"
            f"Speeds are geometric means over the baseline build, for {build.tiles} tiles of {build.lanes} products of 4x4 bits a cycle; cycles are of whole samples, "
            f"{CYCLES_STEPS:,} steps of the accelerator or more a network. "
            f"Saturated: SENSITIVITY leaves at least {SATURATED:.0%} of the weights at the lowest level. Here: "
            f"{', '.join(sorted(saturated(records))) or 'none'}. Share of HH: weights whose row stayed at 4x4 bits. Counted as in the paper (weights that were "
            f"multiplied with 4 bits) it is the same for SENSITIVITY: {_low_weights(records)}.\n\n")


def _policies(found) -> str:
    """All records of a network."""
    text = _heading(HEADINGS) + _rows(map(row, found.values()))
    if "RANDOM" in found:
        seeds = ", ".join(f"{one['loss']:+.2f} at {one['ideal_speed']:.2f}x" for one in found["RANDOM"]["seeds"])
        text += f"\nRANDOM under seeds {', '.join(map(str, SEEDS))}: {seeds}.\n"
    return text


def readme(text: str, records: list[dict]) -> str:
    """A README with its table of these records. Raises ValueError where it has no place in it."""
    return with_tables(text, {"means": _summary(records)}, "make eval")


def _best_fixed(found) -> dict:
    return max((found[rival] for rival in FIXED if rival in found), key=lambda record: record["ideal_speed"])


def _summary(records) -> str:
    """Means of all networks by policy; the paper's figures beside them."""
    networks = by_network(records)
    columns = [[found[policy] for found in networks.values()] for policy in (SENSITIVITY, Policy.CELL_HISTORY.name)]
    columns.append([_best_fixed(found) for found in networks.values()])
    free = [net not in saturated(records) for net in networks]

    def means_of(chosen):
        for number, column in enumerate(columns):
            key = "ideal_speed" if number == 2 else "speedup_baseline"
            mean = f"{geometric_mean(record[key] for record, take in zip(column, chosen) if take):.2f}x"
            yield mean if number else f"**{mean}**"

    counts = ["; ".join(f"{sum(one['no_loss'] for one in ones)} of {len(ones)}" for ones in (column, [record["vs_float"] for record in column])) for column in columns]
    lows = [f"{sum(record['low_share'] for record in column) / len(column):.0%}" for column in columns[:2]]
    return _rows([
        ("on test data, over the same accelerator with 8-bit products", "**SENSITIVITY**", "CELL_HISTORY, the paper's idea", "best fixed choice (ideal)", "paper"),
        ["---"] * 5,
        (f"speed in cycles, geometric mean of {len(networks)} networks", *means_of([True] * len(networks)), f"{PAPER_SPEEDUP:.2f}x"),
        (f"of the {sum(free)} that are not saturated", *means_of(free), ""),
        ("no loss shown against 8 bits; against float", *counts, "all"),
        ("row-weights at 4x4 bits, the lowest precision", *lows, "", f"> {PAPER_LOW_SHARE:.0%} of the time"),
    ])


def _networks(records) -> str:
    """A row a network, by growing speed of SENSITIVITY."""
    lines = [("network", "loss against 8 bits", "against float", "rows at HH / 3/4 / all, %", "speed in cycles", "best fixed choice, ideal",
              "SENSITIVITY over it, ideal"), ["---"] * 7]
    for net, found in sorted(by_network(records).items(), key=lambda item: item[1][SENSITIVITY]["ideal_speed"]):
        own, best = found[SENSITIVITY], _best_fixed(found)
        against, losses = own["vs_rival"][best["policy"]], [_loss(one) + ("" if one["no_loss"] else ", **not shown**") for one in (own, own["vs_float"])]
        lines.append((TITLES.get(net, net), *losses, " / ".join(f"{100 * share:.0f}" for share in own["levels"]), f"**{own['speedup_baseline']:.2f}x**",
                      f"{best['ideal_speed']:.2f}x ({best['policy']})", f"{against['speed_ratio']:.2f}x {_interval(against['speed_ratio_ci95'], '.2f')}"))
    return _rows(lines)


def _low_weights(records) -> str:
    return ", ".join(f"{net} {found[SENSITIVITY]['low_weights']:.1%}" for net, found in by_network(records).items())


def plot(records: list[dict], path: Path) -> None:
    """Loss against ideal speed, a panel a network: lines of the sweeps on calibration data, marks with intervals of the test."""
    networks = by_network(records)
    rows = -(-len(networks) // COLUMNS)
    columns = min(COLUMNS, len(networks))
    figure, axes = pyplot.subplots(rows, columns, figsize=(5 * columns, 4.6 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(networks):]:
        axis.axis("off")
    for axis, (net, found) in zip(axes.flat, networks.items()):
        axis.axhspan(-1, 1, color="tab:green", alpha=0.12)
        for policy, points in sweeps(net).items():
            axis.plot([1.0, *(speed for speed, _ in points)], [0.0, *(loss for _, loss in points)], linewidth=0.9, marker=".", color=COLOURS[policy], alpha=0.6)
        for policy, colour in COLOURS.items():
            if policy not in found:
                continue
            record = found[policy]
            (left, right), (low, high) = record["ideal_speed_ci95"], record["loss_ci95"]
            speed, lost = record["ideal_speed"], record["loss"]
            axis.errorbar(speed, lost, [[max(lost - low, 0)], [max(high - lost, 0)]], [[max(speed - left, 0)], [max(right - speed, 0)]], fmt="o", capsize=3, color=colour,
                          label=policy)
        axis.plot(PAPER_SPEEDUP, 0, marker="*", markersize=14, color="tab:red", linestyle="", label="paper: 1.56x, no loss")
        top = max(3.0, *(record["loss_ci95"][1] for policy, record in found.items() if policy not in (LOW, FLOAT)))
        axis.set(title=net, xlabel="ideal speed over the baseline build", ylabel="loss against 8 bits, margins", xlim=(0.9, 4.1), ylim=(top + 0.5, -3))
    axes[0][0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def sweeps(net: str) -> dict[str, list[tuple[float, float]]]:
    """(ideal speed, loss in margins) by policy, of the points that calibration measured."""
    found, result = read(net), {}
    for point in found["sweep"]:
        result.setdefault(point["policy"], []).append((point["speed"], point["loss"]))
    for label, own in found.get("rivals", {}).items():
        result[label] = [(point["speed"], point["loss"]) for point in own["sweep"]]
    return {policy: sorted(points) for policy, points in result.items()}
