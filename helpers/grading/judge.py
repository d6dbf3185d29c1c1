"""The deciding process (`helpers.grading.decider`), seen from the grader."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.grading.box import KIT, judge_command
from helpers.grading.lesson import HiddenTest

TEST_S = 300.0  # seconds for one test
MOST_LINE = 200_000_000  # bytes
_INHERITED = ("PATH", "HOME", "LANG", "MLMD_DATA")


@dataclass(frozen=True)
class Verdict:
    """What a test found: points, what it printed, its error or an empty text."""

    points: float
    said: str
    error: str


class Judge:
    """A fresh process that decides; use it in a ``with`` block.

    Parameters
    ----------
    given : str
        Statements of the lesson that tests rely on.
    folder : Path
        Where it works; copies of the student's files lie here.
    """

    def __init__(self, given: str, folder: Path) -> None:
        self._given, self._folder = given, folder

    def __enter__(self) -> Judge:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]

    def _start(self) -> None:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"PYTHONPATH": str(KIT), "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
        compiled = Path(os.environ.get("MLMD_JAX_CACHE") or Path.home() / ".cache" / "mlmd-jax")
        environment |= {"MPLBACKEND": "agg", "MLMD_JAX_CACHE": str(compiled)}
        program = [sys.executable, "-m", "helpers.grading.decider", str(self._folder)]
        self._process = subprocess.Popen(
            judge_command(program, self._folder, compiled),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=KIT,
            env=environment,
            start_new_session=True,
        )
        self._rest = b""
        self._ready = False
        self._write({"given": self._given})

    def decide(self, test: HiddenTest, told: str, ask: Callable[[dict[str, Any]], str]) -> Verdict:
        """Run a test and return what it found.

        Parameters
        ----------
        test : HiddenTest
            The test.
        told : str
            What the student's kernel told of the names that the test needs.
        ask : function
            Takes a question to the student's kernel and returns its reply.
        """
        if self._process.poll() is not None:
            self._start()
        end = time.monotonic() + TEST_S
        try:
            if not self._ready:
                self._read(end)
                self._ready = True
            told = told if _is_json(told) else "{}"
            self._write(
                {"test": test.source, "names": test.names, "most": test.points, "told": told}
            )
            while True:
                message = self._read(end)
                if "ask" not in message:
                    return Verdict(message["points"], message["said"], message["error"])
                asked = time.monotonic()
                reply = ask(message["ask"])
                end += time.monotonic() - asked
                self._write({"told": reply if _is_json(reply) else "{}"})
        except (OSError, EOFError, TimeoutError) as error:
            self._process.kill()
            self._process.wait()
            return Verdict(0.0, "", f"the test could not be finished: {error}")

    def _write(self, message: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps(message).encode() + b"\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def _read(self, end: float) -> dict[str, Any]:
        output = self._process.stdout.fileno()  # type: ignore[union-attr]
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise TimeoutError(f"it took more than {TEST_S:g} s")
            piece = os.read(output, 2**20)
            if not piece or sum(map(len, pieces)) > MOST_LINE:
                raise EOFError("its process ended")
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return dict(json.loads(line))


def _is_json(text: str) -> bool:
    try:
        return type(json.loads(text)) is dict
    except (ValueError, RecursionError):
        return False
