#!/usr/bin/python3
"""Twenty processes pull the same image into one cache at once: each blob must be served once.

    shared_cache.py [--processes 20]

With one connection a process, that is to the byte. With as many as hawser likes, the last ranges are split among idle
connections, and what is on the way of the part that was taken over may come twice: 5 % are allowed for it. HAWSER_BIN and SCRIPTED_REGISTRY name the programs.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from harness import Registry, digest_of, environment, program


def pull_at_once(processes: int, allowed: float, *options) -> bool:
    """Whether all went well, and no blob took more than `allowed` times its bytes."""
    hawser = program("HAWSER_BIN", "hawser")
    server = program("SCRIPTED_REGISTRY", "test/support/scripted_registry")
    with tempfile.TemporaryDirectory(prefix="hawser-shared-") as name, Registry(
            server, "--seed", 11, "--layers", 8, "--size", 2_000_000, "--rate", 4_000_000) as registry:
        directory = pathlib.Path(name)
        tars = [directory / f"{number}.tar" for number in range(processes)]
        pulls = [
            subprocess.Popen([hawser, "pull", "--quiet", *registry.options, "--cache-dir", str(directory / "cache"), "-o",
                              str(tar), *options, registry.image], cwd=directory, env=environment(directory))
            for tar in tars]
        codes = {pull.wait(120) for pull in pulls}
        different = len({digest_of(tar) for tar in tars if tar.exists()})
        sent = registry.figures()["sent"]
    print(f"{processes} processes {' '.join(options)}: exit codes {codes}, {different} different tar, {len(sent)} blobs, "
          f"{sum(figures[0] for figures in sent.values())} bytes served of {sum(figures[1] for figures in sent.values())}")
    wrong = {blob: figures for blob, figures in sent.items() if not figures[1] <= figures[0] <= allowed * figures[1]}
    for blob, (bytes_sent, size, requests) in wrong.items():
        print(f"{blob}: {bytes_sent} of {size} bytes sent in {requests} requests")
    return codes == {0} and different == 1 and not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=20)
    processes = parser.parse_args().processes
    exact = pull_at_once(processes, 1.0, "--max-connections", "1")
    split = pull_at_once(processes, 1.05)
    sys.exit(0 if exact and split else 1)


if __name__ == "__main__":
    main()
