"""Waiting for other processes: until something holds, and whether one still lives."""

import contextlib
import time

import psutil


def until(condition, seconds=120):
    """Wait until a condition holds, and return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def lives(one):
    """Tell whether a process runs: it is there, and no zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    return False
