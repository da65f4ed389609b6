"""A headless Chromium, driven by its DevTools protocol over a pipe: no driver and no port."""

import base64
import json
import os
import pathlib
import select
import signal
import subprocess
import time

from .process import HarnessError, clean_environment, die_with_parent

_SECONDS = 120  # that a slow machine may take for one step


class Browser:
    """One window, and what its page complained of or asked the network for."""

    def __init__(self, directory: pathlib.Path):
        self.complaints = []  # errors and warnings of the console, exceptions, violations of the page's policy
        self._count, self._rest, self._events, self._requests = 0, b"", [], {}
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def attach():
            die_with_parent()
            # The protocol's places, by way of high ones: either may be where the other is to go.
            high = os.dup(to_read) + 64, os.dup(to_write) + 128
            os.dup2(to_read, high[0])
            os.dup2(to_write, high[1])
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--disable-background-networking", "--disable-component-update", "--disable-extensions",
                   "--disable-sync", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
                   f"--user-data-dir={directory}/profile", "about:blank"]
        with open(directory / "chromium.err", "wb") as err:
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=err, stderr=err, close_fds=False, preexec_fn=attach,
                    start_new_session=True, env=clean_environment(HOME=str(directory)))
            except FileNotFoundError as error:
                raise HarnessError(
                    f"chromium is not installed ({error}); run scripts/install-dependencies.sh test") from error
        os.close(to_read)
        os.close(to_write)
        self._log = directory / "chromium.err"
        pages = [target for target in self._ask("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        self._session = self._ask("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def open(self, file: pathlib.Path):
        """Shows a file once it is loaded; forgets what earlier pages have done."""
        self.complaints, self._events, self._requests = [], [], {}
        self.ask("Page.navigate", url=file.resolve().as_uri())
        self._wait_for("Page.loadEventFired")
        self.settle()

    @property
    def requests(self):
        """The URLs that were asked for, the page's own too; not those that its policy kept from being asked for."""
        return list(self._requests.values())

    def settle(self):
        """Returns when the page has been laid out and drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, expression: str):
        """What a JavaScript expression comes to; promises are waited for."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def show_as(self, width=1200, height=900, dark=False, scale=1, media=""):
        """How wide the window is, in which colours and for which medium."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                 mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", media=media,
                 features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.settle()

    def press(self, key: str):
        self.ask("Input.dispatchKeyEvent", type="rawKeyDown", key=key, code=key,
                 windowsVirtualKeyCode={"Tab": 9, "Escape": 27, "ArrowRight": 39, "ArrowDown": 40}[key])
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def hover(self, x: float, y: float):
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def print(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=False, paperWidth=8.27,
                                         paperHeight=11.69)["data"])

    def screenshot(self, whole=True, clip=None) -> bytes:
        how = {"clip": {**clip, "scale": 1}} if clip else {}
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=whole, **how)["data"])

    def ask(self, method: str, **parameters):
        """A command of the protocol to the page; returns its result."""
        return self._ask(method, self._session, **parameters)

    def stop(self):
        os.close(self._to)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._from)

    def _ask(self, method, session=None, **parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") != self._count:
                continue
            if "error" in answer:
                raise HarnessError(f"chromium: {method}: {answer['error']}")
            return answer["result"]

    def _wait_for(self, method):
        while method not in self._events:
            self._receive()

    def _receive(self):
        """The next message; an event is noted, too."""
        deadline = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            part = os.read(self._from, 1 << 20) if ready else b""
            if not part:
                raise HarnessError("chromium has ended or hangs:\n" + self._log.read_text(errors="replace")[-3000:])
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        method, what = message.get("method"), message.get("params")
        if method:
            self._events.append(method)
        if method == "Network.requestWillBeSent":
            self._requests[what["requestId"]] = what["request"]["url"]
        elif method == "Network.loadingFailed" and "blockedReason" in what:
            self._requests.pop(what["requestId"], None)
        elif method == "Runtime.exceptionThrown" or method == "Log.entryAdded" or (
                method == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert")):
            self.complaints.append(json.dumps(what))
        return message
