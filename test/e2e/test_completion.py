"""What bash offers on the command line."""

import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "completions" / "hawser.bash"


def offered(*words):
    """What is offered for the last of `words`."""
    done = subprocess.run(
        ["bash", "-c", 'compopt() { :; }; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
         '_hawser; echo "${COMPREPLY[@]}"', "bash", SCRIPT, "hawser", *words],
        capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_commands_and_actions():
    assert "inspect" in offered("")
    assert offered("cache", "") == ["ls", "du", "verify", "prune"]


@pytest.mark.parametrize("before", [["--platform", "linux/arm64"], ["-u", "tags"], ["--retries", "3", "--insecure"]])
def test_a_value_is_no_command(before):
    assert "--raw" in offered(*before, "inspect", "--r")
    assert "--raw" not in offered(*before, "--r")


def test_a_value_before_the_cache_command():
    assert offered("--cache-dir", "import", "cache", "p") == ["prune"]
