"""Waiting for other processes: until something holds, which ones are there, and which live."""

import contextlib
import time

import psutil


def until(condition, seconds=120):
    """Wait until a condition holds, and return what it gave last."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def is_gap_fit(one):
    return one.name() == "gap_fit"


def descendants(process, wanted=is_gap_fit):
    """Return the wanted descendants of a process, without those that end meanwhile."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if wanted(one):
                    found.append(one)
    return found


def lives(one):
    """Tell whether a process runs: it is there, and no zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    return False
