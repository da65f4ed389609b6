"""What is seen of a pull on a terminal: whole rows at any size, and only the summary at the end."""

import re
import shlex

import pytest

from support import images
from support.process import HarnessError, wait_until
from support.throttle import Throttle
from support.tmux import Tmux

LAYERS, SIZE = 60, 20_000
# The whole of a row, cut at no other place than behind a column.
ROW = re.compile(r"(total       |[0-9a-f]{12})( \[[#> ]*\])? +\d+%(  +\S+ \S?B / \S+ \S?B(  .*)?)?")
REST = re.compile(r"and \d+ more: [a-z0-9, ]*")


@pytest.fixture(scope="module")
def image(registries):
    """Sixty layers in the registry that the tests share."""
    registry = registries()
    registry.push("terminal/image", images.Image([images.random_layer(n, SIZE) for n in range(LAYERS)]), "v1")
    return registry


@pytest.fixture
def pull(hawser, image):
    """A function (columns, rows) → the terminal that a pull of sixty layers has begun in, and the throttle that holds
    it up half-way."""
    registry, running = image, []

    def start(columns, rows):
        throttle = Throttle(registry.port, 1e6, LAYERS // 2 * SIZE)
        running.append(throttle)
        command = [hawser.binary, *hawser.pull_arguments(registry, "--stall-timeout", "1h", "--max-connections", "4",
                                                         f"{throttle.host}/terminal/image:v1")]
        shell = "echo before; " + shlex.join(map(str, command)) + "; echo exit $?"
        running.append(Tmux(hawser.directory / "home", columns, rows, shell, HAWSER_NO_REGISTRY_CONFIG="1"))
        return running[-1], throttle

    yield start
    for each in running:
        each.stop()


def picture(terminal, columns, rows):
    """The rows on the terminal where they are a whole picture, with the cursor below it and nothing else but what was
    there before; else None."""
    shown = terminal.rows()
    cursor = terminal.cursor()
    before = 1 if shown[0] == "before" else 0
    drawn = shown[before:]
    if len(drawn) < 2 or cursor != len(shown) or len(drawn) >= rows or max(map(len, drawn)) >= columns:
        return None
    whole = REST.fullmatch(drawn[-2]) and drawn[-1].startswith("total ")
    return drawn if whole and all(ROW.fullmatch(row) for row in [*drawn[:-2], drawn[-1]]) else None


def wait_for_picture(terminal, columns, rows):
    """A picture; what is seen while it is being drawn does not count."""
    try:
        return wait_until(lambda: picture(terminal, columns, rows), 60, "a whole picture")
    except HarnessError as error:
        raise AssertionError("\n".join([str(error), *terminal.rows()])) from None


def wait_for_end(terminal, throttle):
    """What is shown when hawser has ended, and what has scrolled away by then."""
    throttle.go_on()
    wait_until(lambda: any(row.startswith("exit ") for row in terminal.rows()), 60, "the end")
    return terminal.rows()


def is_summary(rows):
    # Long lines of the summary are left to the terminal to wrap: they are to be copied.
    return (re.fullmatch(r"127\S*/terminal/image:v1 \(\S+\): 60 layers, .*", rows[0])
            and rows[-1] == "exit 0" and not any(ROW.fullmatch(row) or REST.fullmatch(row) for row in rows))


@pytest.mark.parametrize("columns,rows", [(80, 24), (40, 24), (20, 5), (200, 50), (80, 100)])
def test_sixty_layers(pull, columns, rows):
    terminal, throttle = pull(columns, rows)
    if rows < LAYERS:
        wait_for_picture(terminal, columns, rows)
    end = wait_for_end(terminal, throttle)
    everything = terminal.rows(history=True)
    assert everything[0] == "before" and is_summary(everything[1:]), everything
    assert end == everything[-len(end):]


@pytest.mark.parametrize("sizes", [[(40, 24), (80, 24)], [(80, 12), (80, 24)], [(120, 50)], [(30, 10), (100, 40)]])
def test_resized_in_mid_pull(pull, sizes):
    terminal, throttle = pull(80, 24)
    wait_for_picture(terminal, 80, 24)
    for columns, rows in sizes:
        terminal.resize(columns, rows)
        wait_for_picture(terminal, columns, rows)
    end = wait_for_end(terminal, throttle)
    assert is_summary(end[1:] if end[0] == "before" else end), end
