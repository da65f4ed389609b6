#!/usr/bin/python3
"""A 233 MB image is pulled, and hawser is killed ten times at random moments: in all hardly more may be received than
the image has.

    killed_ten_times.py [--seed N] [--kills 10] [--limit 1.05]

Counted is what the registry put into its sockets. It sends at a rate that hawser keeps up with, so that what waits
unread in the kernel's buffers is little; it counts as received all the same. HAWSER_BIN and SCRIPTED_REGISTRY name
the programs.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from harness import Registry, digest_of, environment, program

BIG, SMALL, SMALL_LAYERS = 213_000_000, 5_000_000, 4  # bytes, bytes, layers: 233 MB
CONNECTIONS, RATE = 8, 2_000_000  # bytes a second and connection: 15 s for a pull
MOMENTS = 0.3, 1.5  # seconds: ten of them end within those 15


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--limit", type=float, default=1.05)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    hawser = program("HAWSER_BIN", "hawser")
    server = program("SCRIPTED_REGISTRY", "test/support/scripted_registry")
    with tempfile.TemporaryDirectory(prefix="hawser-killed-") as name, Registry(
            server, "--seed", 7, "--big", BIG, "--layers", SMALL_LAYERS, "--size", SMALL, "--rate", RATE) as registry:
        directory = pathlib.Path(name)
        cache, tar = directory / "cache", directory / "image.tar"

        def start():
            command = [hawser, "pull", *registry.options, "--cache-dir", str(cache), "-o", str(tar), "--json",
                       "--max-connections", str(CONNECTIONS), registry.image]
            return subprocess.Popen(command, cwd=directory, env=environment(directory), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        def sent() -> int:
            return sum(bytes_sent for bytes_sent, _, _ in registry.figures()["sent"].values())

        moments = []
        for _ in range(arguments.kills):
            process = start()
            moments.append(rng.uniform(*MOMENTS))
            time.sleep(moments[-1])
            if process.poll() is not None:
                raise SystemExit(f"the pull was over before kill {len(moments)}: {process.stdout.read()}")
            process.kill()
            process.communicate()
        before_last = sent()
        output, _ = start().communicate(timeout=300)
        statistics = json.loads(output)
        total = BIG + SMALL * SMALL_LAYERS
        received = sent()
        clean = directory / "clean.tar"
        subprocess.run([hawser, "pull", "--quiet", *registry.options, "--no-cache", "-o", str(clean), registry.image],
                       env=environment(directory), check=True, timeout=300)
        same = digest_of(tar) == digest_of(clean)
        print("killed after", ", ".join(f"{moment:.2f} s" for moment in moments))
        print(f"the last run counts {statistics['received_bytes'] / 1e6:.1f} MB received, "
              f"{statistics['resumed_bytes'] / 1e6:.1f} MB resumed")
        print(f"seed {arguments.seed}: {arguments.kills} kills, {received / 1e6:.1f} MB sent in all, "
              f"{before_last / 1e6:.1f} MB of them before the last run, image {total / 1e6:.1f} MB: "
              f"{received / total:.4f} of the image; tar {'identical' if same else 'DIFFERENT'}")
        sys.exit(0 if same and received <= arguments.limit * total else 1)


if __name__ == "__main__":
    main()
