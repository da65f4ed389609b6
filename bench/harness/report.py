"""Results as JSON, as a table for the terminal and as Markdown."""

import dataclasses
import json
import os
import platform
import time

from .measure import Cost, median_cost

HEADINGS = ("tool", "median s", "least–most", "÷ limit", "÷ hawser", "peak MiB", "CPU s", "CPU s/GB", "received MB")


def machine():
    """What the figures were made on."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory / 2**30), "kernel": platform.release()}


def make_record(scenario, image, network, tools, results, rounds):
    """Everything about one scenario's run, ready for JSON."""
    return {
        "scenario": scenario.name,
        "shape": scenario.shape.title,
        "link": scenario.describe_link(),
        "link_kind": network.kind,
        "link_counters": network.counters,
        "congestion": network.congestion,
        "image_bytes": image.transfer_bytes,
        "limit_seconds": scenario.limit_seconds(image.transfer_bytes),
        "target": scenario.target,
        "rounds": rounds,
        "made": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "load_before_and_after": network.loads,
        "machine": machine(),
        "tools": {tool.name: {"version": tool.version(), "note": tool.note,
                              "runs": [as_json(outcome) for outcome in results[tool.name]]} for tool in tools},
    }


def as_json(outcome):
    return dataclasses.asdict(outcome) if isinstance(outcome, Cost) else {"error": outcome}


def from_json(outcome):
    return outcome["error"] if "error" in outcome else Cost(**outcome)


def rows_of(record):
    """The table's rows, the fastest first; tools that never ended well come last."""
    medians = {name: median_cost([from_json(run) for run in tool["runs"]]) for name, tool in record["tools"].items()}
    hawser = medians.get("hawser")
    limit = record["limit_seconds"]
    rows = []
    for name, cost in sorted(medians.items(), key=lambda pair: pair[1].wall if pair[1] else float("inf")):
        runs = record["tools"][name]["runs"]
        if cost is None:
            rows.append((name, "failed") + ("",) * (len(HEADINGS) - 2))
            continue
        walls = [run["wall"] for run in runs if "wall" in run]
        failed = len(runs) - len(walls)
        rows.append((
            name + (f" ({failed} of {len(runs)} failed)" if failed else ""),
            f"{cost.wall:.2f}", f"{min(walls):.2f}–{max(walls):.2f}",
            f"{cost.wall / limit:.2f}" if limit else "—",
            f"{cost.wall / hawser.wall:.2f}" if hawser else "—",
            f"{cost.peak_kib / 1024:.0f}", f"{cost.cpu:.2f}", f"{cost.cpu / record['image_bytes'] * 1e9:.2f}",
            f"{cost.received_bytes / 1e6:.1f}" if cost.received_bytes else "—"))
    return rows


def title_of(record):
    limit = f"; limit {record['limit_seconds']:.2f} s" if record["limit_seconds"] else ""
    kind = f", {record['congestion']}, {record['link_kind']}" if record["link_kind"] != "loopback" else ""
    return (f"{record['scenario']}: {record['shape']} over {record['link']}{kind}{limit}; "
            f"hawser at most {record['target']}")


def as_text(record):
    rows = [HEADINGS, *rows_of(record)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))) for row in rows]
    return "\n".join([title_of(record), *lines, ""])


def as_markdown(record):
    lines = [f"**{title_of(record)}** (medians of {record['rounds']}, {record['made']} UTC)", "",
             "| " + " | ".join(HEADINGS) + " |", "| --- |" + " ---: |" * (len(HEADINGS) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows_of(record)]
    return "\n".join([*lines, ""])


def save(record, directory):
    """Writes the record; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{record['scenario']}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
