"""A terminal to look at: tmux with a server of its own."""

import contextlib
import pathlib
import subprocess

from .process import HarnessError, clean_environment


class Tmux:
    """A terminal of `columns` × `rows` in which `command` (words for a shell) runs, and then nothing."""

    def __init__(self, directory: pathlib.Path, columns: int, rows: int, command: str, **environment: str):
        self._tmux = ["tmux", "-u", "-f", "/dev/null", "-S", str(directory / "tmux.socket")]
        self._environment = clean_environment(**{"HOME": str(directory), "TERM": "xterm-256color", **environment})
        self._run("new-session", "-d", "-x", columns, "-y", rows, "-c", directory, f"{command}; exec sleep infinity")
        self._run("set-option", "-g", "status", "off")
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int):
        self._run("resize-window", "-x", columns, "-y", rows)

    def type(self, *keys: str):
        """Keys as tmux calls them: "C-c", "Enter", or text."""
        self._run("send-keys", *keys)

    def rows(self, history: bool = False) -> list:
        """What is shown, from the top, a text for each row; with `history` what has scrolled off the top, too. A line
        that the terminal has wrapped is one text, longer than the columns."""
        text = self._run("capture-pane", "-p", "-J", *(["-S", "-"] if history else []))
        return [row.rstrip() for row in text.rstrip("\n").split("\n")]

    def cursor(self) -> int:
        """The row that the cursor is in, from 0."""
        return int(self._run("display-message", "-p", "#{cursor_y}"))

    def stop(self):
        with contextlib.suppress(HarnessError):
            self._run("kill-server")

    def _run(self, *words) -> str:
        try:
            done = subprocess.run([*self._tmux, *map(str, words)], env=self._environment, capture_output=True, timeout=60)
        except FileNotFoundError as error:
            raise HarnessError(f"tmux is not installed ({error}); run scripts/install-dependencies.sh test") from error
        if done.returncode != 0:
            raise HarnessError(f"tmux {words[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()
