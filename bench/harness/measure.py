"""One measured run, and interleaved rounds of them."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
from dataclasses import dataclass, replace

from .shell import HarnessError
from .tools import Pull


@dataclass(frozen=True)
class Cost:
    """What a run cost: seconds, KiB of the largest process, bytes that came over the link."""

    wall: float
    cpu: float
    peak_kib: int
    received_bytes: int
    registry_cpu: float


class Runner:
    """Runs tools against a registry behind `network`."""

    def __init__(self, network, registry, measure, run_directory, authority, timeout):
        self.network, self.registry, self.measure = network, registry, measure
        self.run_directory, self.authority, self.timeout = run_directory, authority, timeout

    def cold_pull(self, tool, image, scenario, before):
        """Pulls from nothing, or where `before` is given, after that image, or for the cached scenario a second time;
        returns the Cost or raises HarnessError."""
        directory = self.run_directory / tool.name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        pull = Pull(image, f"{self.network.address}:{self.registry.port}", self.authority, directory,
                    scenario.uncompressed)
        try:
            if before:
                self._run(tool, replace(pull, image=before))
                tool.forget_result(pull)
            cost = self._run(tool, pull)
            if scenario.cached:
                tool.forget_result(pull)
                cost = self._run(tool, pull)
            return cost
        finally:
            tool.remove(pull)
            shutil.rmtree(directory, ignore_errors=True)

    def _run(self, tool, pull):
        os.sync()  # what the last run wrote is not this run's burden
        command = [str(word) for word in tool.command(pull)]
        before, registry_before = self.network.received_bytes(), self.registry.cpu_seconds()
        reader, writer = os.pipe()
        with os.fdopen(reader) as pipe:
            try:
                output = self._run_to_end(tool, pull, command, writer)
            finally:
                os.close(writer)
            report = pipe.read()
        if not report or json.loads(report)["exit"] != 0:
            raise HarnessError(f"{tool.name} failed: {' | '.join(output.strip().splitlines()[-3:])}")
        tool.check(pull)
        seen = json.loads(report)
        return Cost(seen["wall"], seen["user"] + seen["system"], seen["peak_kib"],
                    self.network.received_bytes() - before, self.registry.cpu_seconds() - registry_before)

    def _run_to_end(self, tool, pull, command, report):
        """Runs `command` under measure, which writes to descriptor `report`; returns what the command printed.

        The session of its own lets nothing of it outlive a timeout or an interruption.
        """
        process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3>&{report}', "sh", self.measure, self.network.path(self.network.client),
             *command],
            env={**os.environ, **tool.environment(pull)}, pass_fds=(report,), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        try:
            return process.communicate(timeout=self.timeout)[0]
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise HarnessError(f"{tool.name}: not done after {self.timeout:g} s") from error
            raise


def interleave(tools, rounds):
    """The order of runs: each round has every tool once and starts with another one."""
    for number in range(rounds):
        start = number % len(tools) if tools else 0
        for tool in tools[start:] + tools[:start]:
            yield number, tool


def run_rounds(runner, tools, image, scenario, rounds, before=None):
    """Measures pulls of `image`, each after one of `before`; returns {tool name: [Cost or error text]}."""
    results = {tool.name: [] for tool in tools}
    for number, tool in interleave(tools, rounds):
        try:
            outcome = runner.cold_pull(tool, image, scenario, before)
            shown = f"{outcome.wall:.2f} s"
        except HarnessError as error:
            outcome = str(error)
            shown = outcome
        results[tool.name].append(outcome)
        print(f"{scenario.name}: round {number + 1} of {rounds}: {tool.name}: {shown}", file=sys.stderr, flush=True)
    return results


def median_cost(outcomes):
    """Medians of the runs that ended well, or None where none did."""
    costs = [outcome for outcome in outcomes if isinstance(outcome, Cost)]
    if not costs:
        return None
    middle = {name: statistics.median(getattr(cost, name) for cost in costs) for name in Cost.__annotations__}
    return replace(costs[0], **middle)
