"""bench/compare.sh behind its shell: see docs/benchmarks.md."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from . import batch, fleet, images, link_check, pairs, registry, report
from .link import SERVER_ADDRESS, Network, remove_stale_namespaces
from .measure import Runner, run_rounds
from .scenarios import ANOTHER, SCENARIOS
from .shell import HarnessError
from .tools import choose_tools

BENCH = Path(__file__).resolve().parent.parent
DEFAULT_WORK = BENCH.parent / "build" / "bench"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/compare.sh",
                                     description="Compare hawser with its peers over a slow link.")
    parser.add_argument("--scenario", default="far", help="one or more of: " + ", ".join(SCENARIOS) + "; or all")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each tool (default 5)")
    parser.add_argument("--tools", default="", help="comma-separated; default: all that are installed")
    parser.add_argument("--congestion", default="cubic", help="TCP congestion control at both ends (default cubic)")
    parser.add_argument("--link", default="auto", choices=("auto", "netem", "emulator"), help="how the link is made")
    parser.add_argument("--seed", type=int, default=1, help="seed of random loss")
    parser.add_argument("--timeout", type=float, default=300, help="seconds that one run may take (default 300)")
    parser.add_argument("--work-dir", type=Path, default=DEFAULT_WORK, help="images and registry (default build/bench)")
    parser.add_argument("--run-dir", type=Path,
                        help="where the tools write, such as /dev/shm/bench (default: WORK_DIR)")
    parser.add_argument("--results", type=Path, default=BENCH / "results",
                        help="where the JSON goes (default bench/results)")
    parser.add_argument("--check-link", type=int, metavar="N",
                        help="measure only the scenarios' links themselves, with N TCP connections")
    parser.add_argument("--fleet", metavar="CACHE:WAY[,...]", type=fleet.parse_fleets,
                        help="measure only how often a list crosses the far link to eight machines; caches: "
                        f"{', '.join(fleet.CACHES)}; ways: {', '.join(fleet.WAYS)}")
    parser.add_argument("--batch", action="store_true",
                        help="measure only a list of 30 images, three of them broken, against loops")
    parser.add_argument("--pairs", action="store_true",
                        help="measure only deltas between five pairs of images of Debian packages, without a slow link")
    parser.add_argument("--at-most", type=float, default=float("inf"), metavar="RATIO",
                        help="with --fleet: fail where the list crosses the far link more often")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--from", dest="records", nargs="+", type=Path,
                        help="print the tables of these JSON files, run nothing")
    return parser.parse_args()


def choose_scenarios(text):
    names = list(SCENARIOS) if text == "all" else text.split(",")
    for name in names:
        if name not in SCENARIOS:
            raise HarnessError(f"no scenario '{name}'; there are {', '.join(SCENARIOS)}, and all")
    return [SCENARIOS[name] for name in names]


def shapes_of(scenarios):
    """The images that scenarios need."""
    return [scenario.shape for scenario in scenarios] + [ANOTHER for scenario in scenarios if scenario.known]


def fill_registry(shapes, work, certificates, authority):
    """Makes the images of these shapes and pushes them; returns them by shape."""
    made = {}
    port = registry.free_port()
    with registry.Registry(work / "registry", certificates, registry.LOOPBACK, port):
        for shape in dict.fromkeys(shapes):
            print(f"image {shape.name}: {shape.title}", file=sys.stderr, flush=True)
            made[shape.name] = images.make_image(shape, work / "images")
            registry.push(made[shape.name], port, authority)
    return made


def run_scenario(scenario, made, tools, arguments, paths):
    """Measures one scenario with the images that are `made`; returns its record."""
    image, before = made[scenario.shape.name], made[ANOTHER.name] if scenario.known else None
    if scenario.tools:
        tools = [tool for tool in tools if tool.name in scenario.tools]
    if not tools:
        raise HarnessError(f"{scenario.name}: none of the chosen tools can do this ({', '.join(scenario.tools)})")
    network = make_network(scenario.link, arguments)
    network.loads = [os.getloadavg()[0]]
    if network.loads[0] > os.cpu_count() / 2:
        print(f"warning: {scenario.name}: the machine is busy (load {network.loads[0]:.1f}); "
              "its figures will be worse than the tools", file=sys.stderr)
    with network:
        with registry.Registry(paths.storage, paths.certificates, network.address,
                               namespace=network.path(network.server)) as server, \
                front_of(server, scenario, paths) as server:
            runner = Runner(network, server, os.environ["MEASURE"], paths.run, paths.authority, arguments.timeout)
            results = run_rounds(runner, tools, image, scenario, arguments.rounds, before)
    network.loads.append(os.getloadavg()[0])
    return report.make_record(scenario, image, network, tools, results, arguments.rounds)


def front_of(server, scenario, paths):
    """What the tools talk to: the registry, or what stands before it."""
    if not scenario.per_connection and not scenario.three_origins:
        return contextlib.nullcontext(server)
    return registry.Front(server, scenario.per_connection, scenario.three_origins, paths.run)


def make_network(link, arguments):
    return Network(link, arguments.congestion, os.environ["LINK_EMULATOR"], arguments.link, arguments.seed)


def check_links(scenarios, arguments):
    for link in dict.fromkeys(scenario.link for scenario in scenarios if scenario.link):
        with make_network(link, arguments) as network:
            print(link_check.check(network, arguments.check_link), flush=True)


class Paths:
    def __init__(self, arguments):
        work = arguments.work_dir.resolve()
        self.storage = work / "registry"
        self.certificates = work / "certificates"
        self.run = (arguments.run_dir or work).resolve() / f"runs-{os.getpid()}"
        self.authority = registry.make_certificates(self.certificates, SERVER_ADDRESS)


def measure_fleets(arguments):
    paths = Paths(arguments)
    made = fill_registry(fleet.SHAPES, arguments.work_dir.resolve(), paths.certificates, paths.authority)
    try:
        ratio = fleet.run_fleets(arguments.fleet, list(made.values()), paths,
                                 lambda link: make_network(link, arguments))
    finally:
        shutil.rmtree(paths.run, ignore_errors=True)
    if ratio > arguments.at_most:
        raise HarnessError(f"the list crossed the far link {ratio:.2f} times, not {arguments.at_most} at most")


def measure_batch(arguments):
    paths = Paths(arguments)
    try:
        batch.run_batch(paths, arguments.work_dir.resolve(), arguments.rounds, lambda link: make_network(link, arguments))
    finally:
        shutil.rmtree(paths.run, ignore_errors=True)


def main():
    arguments = parse_arguments()
    show = report.as_markdown if arguments.markdown else report.as_text
    if arguments.records:
        for path in arguments.records:
            print(show(json.loads(path.read_text())))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    remove_stale_namespaces()
    scenarios = choose_scenarios(arguments.scenario)
    if arguments.check_link:
        check_links(scenarios, arguments)
        return
    if arguments.fleet:
        measure_fleets(arguments)
        return
    if arguments.batch:
        measure_batch(arguments)
        return
    if arguments.pairs:
        paths = Paths(arguments)
        pairs.measure(os.environ["HAWSER_BIN"], arguments.work_dir.resolve(), paths.certificates, paths.authority)
        return
    tools = choose_tools([name for name in arguments.tools.split(",") if name])
    paths = Paths(arguments)
    made = fill_registry(shapes_of(scenarios), arguments.work_dir.resolve(), paths.certificates, paths.authority)
    try:
        for scenario in scenarios:
            record = run_scenario(scenario, made, tools, arguments, paths)
            print(show(record), flush=True)
            print(f"written to {report.save(record, arguments.results)}", file=sys.stderr)
    finally:
        shutil.rmtree(paths.run, ignore_errors=True)


if __name__ == "__main__":
    try:
        main()
    except HarnessError as problem:
        sys.exit(f"compare.sh: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
