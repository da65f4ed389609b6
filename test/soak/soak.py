#!/usr/bin/python3
"""Pulls hundreds of times from registries with random faults, kills hawser at random moments, and looks whether any
finished tar differs from a clean one.

    soak.py [--seconds 80] [--seed N] [--faults 0.2] [--workers 4]

The last line has the figures. Exit code 1 where a tar differs, an exit code is not what the faults explain, a normal
exit leaves a temporary behind, or a cache is corrupt. HAWSER_BIN and SCRIPTED_REGISTRY name the programs.
"""

import argparse
import collections
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from harness import Registry, digest_of, environment, program

# Network, integrity (bits were flipped twice) and rate limit: what the faults may well end in. See cli/exit_code.hpp.
EXPLAINED = {5, 6, 7}
OF_A_DELETED_CACHE = ("was deleted while it was in use", "No such file or directory")
EXPLAINED_WITH_TOKENS = {3}  # two tokens in a row expired at once
KINDS = [  # of registries: layers, bytes of a layer, more options
    (3, 60_000, []),
    (6, 400_000, ["--auth"]),
    (2, 1_500_000, ["--redirect"]),
    (4, 200_000, ["--tls", "--auth", "--redirect"]),
]
LONGEST_PULL = 60  # seconds for a pull; the longest that its faults explain is some ten
FORMATS = ["docker-archive", "oci-archive"]


class Soak:
    def __init__(self, arguments, directory: pathlib.Path):
        self.hawser, server = program("HAWSER_BIN", "hawser"), program(
            "SCRIPTED_REGISTRY", "test/support/scripted_registry")
        self.arguments, self.directory = arguments, directory
        self.environment = environment(directory)
        self.caches = [directory / f"cache-{i}" for i in range(3)]
        self.registries = [
            Registry(server, "--seed", arguments.seed + i, "--layers", layers, "--size", size, *options)
            for i, (layers, size, options) in enumerate(KINDS)]
        self.clean = {}
        self.counts = collections.Counter()
        self.problems = []
        self.lock = threading.Lock()

    def run(self):
        for registry in self.registries:
            for form in FORMATS:
                self.clean[registry, form] = self.pull_cleanly(registry, form)
            registry.set_faults(self.arguments.faults)
        until = time.monotonic() + self.arguments.seconds
        workers = [threading.Thread(target=self.work, args=(number, until)) for number in range(self.arguments.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for registry in self.registries:
            registry.set_faults(0)
        self.check_caches()

    def work(self, number: int, until: float):
        rng = random.Random(f"{self.arguments.seed} {number}")
        while time.monotonic() < until and len(self.problems) < 10:
            try:
                self.pull_until_done(rng, self.directory / f"out-{number}")
            except Exception as error:  # a thread's exception would be lost otherwise
                self.problem(f"worker {number}: {error!r}")

    def pull_until_done(self, rng: random.Random, output: pathlib.Path):
        """Pulls an image, killed now and then, with the same options until it ends by itself."""
        registry, form = rng.choice(self.registries), rng.choice(FORMATS)
        options = self.random_options(rng)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        tar = output / "image.tar"
        command = self.command(registry, form, tar, *options)
        kills = rng.choice([0, 0, 1, 1, 2, 4])
        killed = False
        while True:
            process = subprocess.Popen(command, cwd=output, env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                _, said = process.communicate(timeout=rng.expovariate(4) if kills > 0 else LONGEST_PULL)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                _, said = process.communicate()
                if kills == 0:
                    self.problem(f"no end after {LONGEST_PULL} s: {' '.join(command)}\n{last_lines(said)}")
                    return
                kills -= 1
                killed = True
                self.count("kills")
        self.judge(registry, form, tar, command, process.returncode, said, killed)

    def judge(self, registry, form, tar, command, code, said, killed):
        """`killed`: an earlier run of the same command was, and may have left its temporaries."""
        self.count("pulls")
        if code == 0:
            if digest_of(tar) != self.clean[registry, form]:
                self.count("differing")
                kept = self.directory.parent / f"{self.directory.name}-differing.tar"
                shutil.copy(tar, kept)
                self.problem(f"{kept} differs from the clean tar: {' '.join(command)}")
        else:
            self.count(f"exit {code}")
            if not said:
                self.problem(f"exit code {code} without a word: {' '.join(command)}")
            else:
                print(f"exit code {code}: {last_lines(said, 3)}", flush=True)
            explained = EXPLAINED | (EXPLAINED_WITH_TOKENS if registry.asks_for_tokens else set())
            if any(words in said for words in OF_A_DELETED_CACHE):
                explained = explained | {8}
            if code not in explained:
                self.problem(f"exit code {code}: {' '.join(command)}\n{last_lines(said)}")
            if tar.exists() and not killed:
                self.problem(f"failed, but there is a tar: {' '.join(command)}\n{last_lines(said)}")
        left = [path.name for path in tar.parent.iterdir() if path != tar]
        if left and not killed:
            self.problem(f"left behind: {left}: {' '.join(command)}\n{last_lines(said)}")

    def random_options(self, rng: random.Random) -> list:
        options = ["--no-cache"] if rng.random() < 0.2 else ["--cache-dir", str(rng.choice(self.caches))]
        options.append(rng.choice(["--quiet", "--verbose"]))
        if rng.random() < 0.5:
            options += ["--max-connections", str(rng.choice([1, 2, 4, 16]))]
        if rng.random() < 0.5:
            options += ["--chunk-size", rng.choice(["64k", "256k", "1m"])]
        if rng.random() < 0.3:
            options += ["--max-concurrent-downloads", str(rng.choice([1, 2, 8]))]
        if "--cache-dir" in options and rng.random() < 0.2:
            options += ["--verify-cache"]
        if "--cache-dir" in options and rng.random() < 0.4:
            shutil.rmtree(options[1], ignore_errors=True)  # else all would soon be there; deleted underneath others, too
            self.count("caches deleted")
        return options

    def command(self, registry, form, tar, *options) -> list:
        return [self.hawser, "pull", *registry.options, "--retries", "30", "--stall-timeout", "1s",
                "--format", form, "-o", str(tar), *options, registry.image]

    def pull_cleanly(self, registry, form, *options) -> str:
        tar = self.directory / "clean.tar"
        command = self.command(registry, form, tar, *(options or ["--no-cache"]))
        done = subprocess.run(command, cwd=self.directory, env=self.environment, capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"a clean pull failed: {' '.join(command)}\n{done.stderr}")
        return digest_of(tar)

    def check_caches(self):
        """That what the killed and the failed have left is of use, and what is complete is right."""
        for cache in self.caches:
            for registry in self.registries:
                if self.pull_cleanly(registry, FORMATS[0], "--cache-dir", str(cache)) != self.clean[
                        registry, FORMATS[0]]:
                    self.count("differing")
                    self.problem(f"differs after the faults: {registry.image} from {cache}")
            done = subprocess.run([self.hawser, "cache", "verify", "--cache-dir", str(cache)], env=self.environment,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                self.problem(f"cache verify: {done.returncode}\n{done.stdout}{done.stderr}")

    def count(self, name: str):
        with self.lock:
            self.counts[name] += 1

    def problem(self, text: str):
        with self.lock:
            self.problems.append(text)
        print(f"PROBLEM: {text}", flush=True)

    def report(self):
        faults, requests = collections.Counter(), 0
        for registry in self.registries:
            figures = registry.figures()
            faults.update(figures["faults"])
            requests += figures["requests"]
        print("faults:", ", ".join(f"{count} {name}" for name, count in faults.most_common()))
        print("ends:", ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items())))
        print(f"seed {self.arguments.seed}: {self.counts['pulls']} pulls, {self.counts['kills']} kills, "
              f"{faults.total()} faults in {requests} requests, {self.counts['differing']} differing tars, "
              f"{len(self.problems)} problems")


def last_lines(text: str, count: int = 30) -> str:
    return "\n".join(line[:300] for line in text.strip().splitlines()[-count:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=80)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--faults", type=float, default=0.2, help="share of spoiled replies")
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="hawser-soak-") as directory:
        soak = Soak(arguments, pathlib.Path(directory))
        try:
            soak.run()
            soak.report()
        finally:
            for registry in soak.registries:
                registry.__exit__()
    sys.exit(1 if soak.problems or soak.counts["pulls"] == 0 else 0)


if __name__ == "__main__":
    main()
