"""The process that decides: it runs hidden tests on plain data, and never a line of a student.

``python -m helpers.grading.decider FOLDER`` is started once for each hand-in. It reads commands,
one line of JSON each, runs cells of the lesson and its tests, and writes what it found. It gets
neither the notebook nor objects of the student: what a test needs arrives as plain data
(`helpers.grading.plain`), and functions and other objects stay where they are and are asked, call
by call. Nothing can be unpickled here.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from helpers.grading.box import WORK
from helpers.grading.plain import PlainError, decode, encode, is_frame

MOST_OUTPUT = 20_000  # characters of one test
_KINDS = {kind.__name__: kind for kind in (AttributeError, KeyError, IndexError, TypeError)}


class AnswerError(Exception):
    """A function or an object of the student that raised an error or did not reply."""


class Remote:
    """An object in the student's kernel. Every part of it that is looked at is asked for.

    It is equal to nothing, is neither true nor false, and has no value of its own.
    """

    def __init__(self, ask: Callable[..., Any], number: int) -> None:
        self.__dict__.update(_ask=ask, _number=number)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_ask", "_number"):
            raise AttributeError(name)
        return self._ask(self._number, "attribute", [name])

    def __getitem__(self, key: Any) -> Any:
        return self._ask(self._number, "item", [key])

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it in the student's kernel."""
        return self._ask(self._number, "call", list(arguments), named)

    def __len__(self) -> int:
        length = self._ask(self._number, "length", [])
        if type(length) is not int or not 0 <= length < 10**6:
            raise TypeError("a length is a whole number")
        return length

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __bool__(self) -> bool:
        raise TypeError("a number, a text or an array was expected")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a number, a text or an array was expected")

    __hash__ = object.__hash__


class Wall:
    """The way to the student's kernel: questions go out, plain data comes back."""

    def __init__(self, commands: IO[str], replies: IO[str], folder: Path) -> None:
        self._commands, self._replies, self._folder = commands, replies, folder

    def open(self, data: Any) -> Any:
        """Return the value of a piece of plain data."""
        return decode(data, lambda number: Remote(self.ask, number), self._folder)

    def ask(
        self, number: int, step: str, arguments: list[Any], named: dict[str, Any] | None = None
    ) -> Any:
        """Ask an object for an attribute, an item or its length, or call it."""
        pickled: dict[str, str] = {}
        request = {
            "object": number,
            "step": step,
            "arguments": [_send(one, pickled) for one in arguments],
            "named": {name: _send(one, pickled) for name, one in (named or {}).items()},
            "pickled": pickled,
        }
        self.write({"ask": request})
        reply = json.loads(json.loads(self._commands.readline())["told"])
        if type(reply) is not dict or "value" not in reply:
            reply = reply if type(reply) is dict else {}
            kind = _KINDS.get(str(reply.get("kind")), AnswerError)
            raise kind(f"asked in your notebook: {str(reply.get('error', 'no reply'))[:500]}")
        if type(reply.get("arguments")) is list:
            for argument, after in zip(arguments, reply["arguments"], strict=False):
                _update(argument, None if after is None else self.open(after))
        return self.open(reply["value"])

    def write(self, message: dict[str, Any]) -> None:
        """Write one line to the grader."""
        self._replies.write(json.dumps(message) + "\n")
        self._replies.flush()


def _send(value: Any, pickled: dict[str, str]) -> Any:
    """Return an argument as plain data; what is not plain is pickled, towards the student."""

    def keep(thing: Any) -> int:
        if isinstance(thing, Remote):
            return -int(thing._number)
        import cloudpickle

        number = len(pickled) + 1
        pickled[str(number)] = base64.b64encode(cloudpickle.dumps(thing)).decode()
        return number

    if is_frame(value) and value.calc is not None:
        return {"object": keep(value)}
    return encode(value, keep)


def _update(argument: Any, after: Any) -> None:
    """Change an argument as the student's function changed its copy of it."""
    import numpy as np

    if is_frame(argument) and is_frame(after) and len(argument) == len(after):
        argument.positions[:] = after.positions
        argument.numbers[:] = after.numbers
    elif isinstance(argument, np.ndarray) and isinstance(after, np.ndarray):
        if argument.shape == after.shape and argument.dtype == after.dtype:
            argument[...] = after


def run_test(source: str, names: dict[str, Any], most: float) -> tuple[float, str, str]:
    """Run a test and return its points, what it printed, and its error or an empty text.

    A test without an error gives what its last line evaluates to, or full points if its last line
    has no value.

    Parameters
    ----------
    source : str
        The test, its hidden part included.
    names : dict
        The variables that it may use.
    most : float
        The points that it can give.
    """
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    said, points = io.StringIO(), most
    names = {"__name__": "__test__", **names}
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(tree, "<test>", "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), "<test>", "eval"), names)
                points = most if value is None else _points(value, most)
        error = ""
    except BaseException as problem:  # SystemExit, too: no test may end the process
        text = str(problem).strip() or type(problem).__name__
        error, points = f"{type(problem).__name__}: {text}"[:2000], 0.0
    return points, said.getvalue()[:MOST_OUTPUT], error


class MarkError(Exception):
    """A test of the lesson that gives a mark which is no number of points."""


def _points(value: Any, most: float) -> float:
    if type(value) is not float or not math.isfinite(value) or not 0 <= value <= most:
        raise MarkError(f"this test gave {value!r:.40} of {most:g} points: tell your instructor")
    return value


def _working_folder(told: Any, wall: Wall, folder: Path) -> Path:
    """Return the copy of the folder in which the notebook works now."""
    with contextlib.suppress(PlainError):
        inside = wall.open(told)
        if isinstance(inside, Path) and inside.is_dir():
            return inside
    return folder / WORK if (folder / WORK).is_dir() else folder


def _refuse_pickles(event: str, _: Any) -> None:
    if event == "pickle.find_class":
        raise RuntimeError("nothing may be unpickled where marks are decided")


def main() -> None:
    """Obey the commands on standard input until it is closed."""
    commands = io.TextIOWrapper(sys.stdin.buffer, "utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed goes to the log
    folder = Path(sys.argv[1]).resolve()
    os.chdir(folder)
    warnings.filterwarnings("ignore")
    wall, given = Wall(commands, replies, folder), dict[str, Any]()
    for line in commands:
        command = json.loads(line)
        if "given" in command:
            exec(compile(command["given"], "<lesson>", "exec"), given)
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
            sys.addaudithook(_refuse_pickles)
            wall.write({"given": sorted(given)})
            continue
        told = json.loads(command["told"])
        names = {}
        told = told if type(told) is dict else {}
        values = told.get("values")
        os.chdir(_working_folder(told.get("folder"), wall, folder))
        for name in command["names"]:
            if type(values) is dict and name in values:
                with contextlib.suppress(PlainError):
                    names[name] = wall.open(values[name])
        points, said, error = run_test(command["test"], {**names, **given}, command["most"])
        wall.write({"points": points, "said": said, "error": error})


if __name__ == "__main__":
    main()
