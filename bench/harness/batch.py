"""A list of images, some of them broken, pulled by one hawser and by loops: how long, how often a layer comes, and what
is said of what failed."""

import os
import shutil
import subprocess
import time

from . import images, registry
from .link import SERVER_ADDRESS
from .scenarios import Link, Shape
from .shell import HarnessError

LINK = Link(rtt_ms=100, down_mbit=200, up_mbit=50)
COUNT = 30
BASE = (4_000_000, 1_500_000, 300_000)  # layers that all images have
SHAPE = Shape("batch", f"{COUNT} images of three layers that all have and one of its own",
              BASE + (350_000,) * COUNT)
ABSENT, UNKNOWN, DAMAGED = 6, 15, 24  # the images whose tag, repository and layer are not there


def make_images(directory):
    """The images of the list; the two that are never pushed are made, too."""
    whole = images.make_image(SHAPE, directory)
    diff_ids = images.diff_ids_of(whole)
    made = []
    for number in range(COUNT):
        chosen = [*range(len(BASE)), len(BASE) + number]
        shape = Shape(f"batch-{number:02}", "", tuple(SHAPE.layers[i] for i in chosen))
        made.append(images.describe_image(shape, [whole.layers[i] for i in chosen], [diff_ids[i] for i in chosen]))
    return made


def fill_registry(made, paths):
    """Pushes what is to be there, and takes the layer of one image away again."""
    port = registry.free_port()
    with registry.Registry(paths.storage, paths.certificates, registry.LOOPBACK, port):
        for number, image in enumerate(made):
            if number not in (ABSENT, UNKNOWN):
                registry.push(image, port, paths.authority)
    hexadecimal = made[DAMAGED].layers[-1].digest.removeprefix("sha256:")
    shutil.rmtree(paths.storage / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal, ignore_errors=True)


def references(made):
    """The list: of the absent one the repository is there (another image's), of the unknown one it is not."""
    return [f"{SERVER_ADDRESS}:{registry.PORT}/{made[0].repository if number == ABSENT else image.repository}:"
            f"{'none' if number == ABSENT else image.tag}" for number, image in enumerate(made)]


def one_list(hawser, authority, directory):
    """one hawser, --from-file"""
    return [[hawser, "--from-file", "list", "--ca-cert", str(authority), "-o", "out/", "--failed-file", "failed"]]


def list_again(hawser, authority, directory):
    """the same list again"""
    return one_list(hawser, authority, directory)


def failed_again(hawser, authority, directory):
    """the list of what failed"""
    return [[hawser, "--from-file", "failed", "--ca-cert", str(authority), "-o", "out/"]]


def loop_of_hawser(hawser, authority, directory):
    """a loop of hawser with one cache"""
    return [[hawser, "--ca-cert", str(authority), "--quiet", "-o", "out/", name] for name in listed(directory)]


def loop_of_skopeo(_, authority, directory):
    """a loop of skopeo copy"""
    return [["skopeo", "--insecure-policy", "copy", "--quiet", "--src-cert-dir", str(authority.parent), f"docker://{name}",
             f"docker-archive:out/{number}.tar:{name}"] for number, name in enumerate(listed(directory))]


def listed(directory):
    return (directory / "list").read_text().splitlines()


WAYS = (one_list, list_again, failed_again, loop_of_hawser, loop_of_skopeo)
AFTER_ANOTHER = (list_again, failed_again)  # where that has left its files


def measure(way, network, made, paths):
    """Runs one way, from nothing if it can be; returns seconds, bytes, the exit codes, and the last output."""
    directory = paths.run
    if way not in AFTER_ANOTHER:
        shutil.rmtree(directory, ignore_errors=True)
    (directory / "out").mkdir(parents=True, exist_ok=True)
    (directory / "list").write_text("".join(name + "\n" for name in references(made)))
    environment = {"HOME": str(directory), "PATH": os.environ["PATH"], "HAWSER_NO_REGISTRY_CONFIG": "1",
                   "TMPDIR": str(directory)}
    before, began, codes = network.received_bytes(), time.monotonic(), []
    for command in way(os.environ["HAWSER_BIN"], paths.authority, directory):
        done = subprocess.run(["ip", "netns", "exec", network.client, *command], cwd=directory, env=environment,
                              capture_output=True, text=True, check=False)
        codes.append(done.returncode)
    elapsed, received = time.monotonic() - began, network.received_bytes() - before
    written = len(list((directory / "out").iterdir()))
    if written != COUNT - 3:
        raise HarnessError(f"{way.__name__}: {written} archives, not {COUNT - 3}\n{done.stderr}")
    return elapsed, received, codes, done.stdout + done.stderr


def run_batch(paths, work, rounds, make_network):
    """The list `rounds` times, the loops once, since they take long. Prints a table of the ways, what hawser says of the list, and the list of what failed."""
    made = make_images(work / "images")
    fill_registry(made, paths)
    layers = {layer.digest: layer.size for number, image in enumerate(made) for layer in image.layers
              if number not in (ABSENT, UNKNOWN, DAMAGED)}
    print(f"{COUNT} images, three of them broken; {len(layers)} layers, {sum(layers.values()) / 1e6:.1f} MB; "
          f"{LINK.describe()}\n\n| way | s | MB over the link | ÷ layers | exit codes |\n| --- | ---: | ---: | ---: | --- |")
    said = failed = ""
    with make_network(LINK) as network, \
            registry.Registry(paths.storage, paths.certificates, network.address,
                              namespace=network.path(network.server)):
        for way in WAYS:
            runs = sorted((measure(way, network, made, paths) for _ in range(rounds if way is one_list else 1)),
                          key=lambda run: run[0])
            elapsed, received, codes, output = runs[len(runs) // 2]
            counted = ", ".join(f"{codes.count(code)} × {code}" for code in sorted(set(codes)))
            print(f"| {way.__doc__} | {elapsed:.1f} | {received / 1e6:.1f} | {received / sum(layers.values()):.2f} "
                  f"| {counted} |", flush=True)
            if way is one_list:
                said, failed = output, (paths.run / "failed").read_text()
    print(f"\n{said}\n{failed}")
