"""What the scripts share at their edges: errors as one line, progress with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from helpers.errors import WorkshopError


def run(main: Callable[[], None]) -> int:
    """Call `main` and return the exit code: 0, 1 after an error, 130 after Ctrl-C."""
    name = Path(sys.argv[0]).name
    try:
        main()
    except WorkshopError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    return 0


class Progress:
    """Print one line for each finished item, with a guess of the time left.

    Parameters
    ----------
    n_items : int
        How many there are.
    n_done : int
        How many of them an earlier run did.
    """

    def __init__(self, n_items: int, n_done: int, unit: str) -> None:
        self._n_items, self._n_done, self._unit = n_items, n_done, unit
        self._start, self._n_here = time.monotonic(), 0
        if n_done:
            print(f"{n_done} of {n_items} {unit} were done already", file=sys.stderr)

    def advance(self, text: str) -> None:
        """Count one item as done and say so."""
        self._n_done, self._n_here = self._n_done + 1, self._n_here + 1
        each_s = (time.monotonic() - self._start) / self._n_here
        left_s = each_s * (self._n_items - self._n_done)
        left = f"{left_s / 60:.0f} min" if left_s > 100 else f"{left_s:.0f} s"
        line = f"{self._n_done}/{self._n_items} {self._unit}: {text}; about {left} left"
        print(line, file=sys.stderr, flush=True)
