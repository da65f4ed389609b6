"""Windows as far as wine is it: a prefix of its own, and a hawser.exe that runs there."""

import pathlib
import shlex
import subprocess

from .hawser import Hawser
from .process import HarnessError, clean_environment
from .tmux import Tmux

_WINE = pathlib.Path("/usr/lib/wine/wine64")


def windows_path(path) -> str:
    """What a file of this machine is called there."""
    return "Z:" + str(path).replace("/", "\\")


class Wine:
    """A Windows installation in `directory`."""

    def __init__(self, directory: pathlib.Path):
        if not _WINE.exists():
            raise HarnessError("no wine64; run scripts/install-dependencies.sh release")
        self._home = directory
        # No Mono, no browser: their installers would ask.
        self.environment = {"WINEPREFIX": str(directory / "prefix"), "WINEDEBUG": "-all", "HOME": str(directory),
                            "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe="}
        self.run("wineboot", "--init")

    @property
    def profile(self) -> pathlib.Path:
        """The directory that %USERPROFILE% names."""
        users = self._home / "prefix/drive_c/users"
        return next(path for path in users.iterdir() if path.name != "Public")

    def command(self, program, *arguments) -> list:
        return [str(_WINE), str(program), *map(str, arguments)]

    def run(self, program, *arguments) -> str:
        """What a program of Windows says; raises HarnessError where it fails."""
        done = subprocess.run(self.command(program, *arguments), env=clean_environment(**self.environment),
                              cwd=self._home, capture_output=True, timeout=300)
        if done.returncode:
            raise HarnessError(f"{program}: {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
        return done.stdout.decode(errors="replace")

    def stop(self):
        subprocess.run(["/usr/lib/wine/wineserver64", "--kill"], env=clean_environment(**self.environment), timeout=60,
                       capture_output=True)


class WindowsHawser(Hawser):
    """hawser.exe. Paths among its arguments are translated."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path, wine: Wine):
        super().__init__(binary, directory)
        self._wine = wine

    def on_console(self, *arguments) -> Tmux:
        """It runs in a console, and what it ends with is shown there as "exit N"."""
        command = shlex.join(map(str, self._wine.command(self.binary, *self._there(arguments))))
        return Tmux(self.directory, 80, 24, f'{command}; echo "exit $?"', **self._wine.environment)

    @staticmethod
    def _there(arguments) -> list:
        return [windows_path(each) if str(each).startswith("/") else each for each in arguments]

    def start(self, *arguments, environment=None, **how):
        self._wrapper = [*self._wrapper, *self._wine.command("")[:1]]
        try:
            return super().start(*self._there(arguments), **how,
                                 environment={**self._wine.environment, **(environment or {})})
        finally:
            self._wrapper.pop()
