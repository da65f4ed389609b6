"""Running commands, and an order of undoing what was done."""

import os
import subprocess


class HarnessError(Exception):
    """What stops the harness, in words for the user."""


def run(*command, **options):
    """Runs a command; returns its standard output. Raises HarnessError with its complaint."""
    try:
        done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, **options)
    except FileNotFoundError as error:
        raise HarnessError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).strip()
        raise HarnessError(f"{' '.join(map(str, command))}: exit code {done.returncode}: {complaint}")
    return done.stdout


def cpu_seconds(process):
    """CPU time that a running process has used so far."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop_process(process):
    """Ends a process started by subprocess; returns what it printed last."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]
