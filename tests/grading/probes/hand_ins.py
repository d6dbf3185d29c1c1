"""Hand-ins to the lesson for tests: honest ones in odd files, unlucky ones, and harmless probes.

A probe looks whether it can see, reach or change what is laid out as bait, and prints ``reached``
if it can. None of them does any harm where nothing holds it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

RIGHT = {
    "ex1-1": "total = np.int64(50 * 101)",
    "ex1-2": "def scaled(values, factor):\n    return [factor * v for v in values]",
    "ex1-3": "squares = [n * n for n in range(1, 101)]",
    "ex1-4": "note = open('note.txt', 'w')\nprint('water', file=note)\nnote.close()",
    "ex1-5": (
        "class Model:\n    history = (3,)\n    def predict(self, x):\n        return x + x + 1.0\n"
        "model = Model()"
    ),
}
FULL = {"test1-1": 2.0, "test1-2": 3.0, "test1-3": 2.0, "test1-4": 1.0, "test1-5": 2.0}


@dataclass(frozen=True)
class HandIn:
    """One hand-in.

    Attributes
    ----------
    name : str
        Of the student.
    answers : dict
        Text of answer cells that differ from `RIGHT`.
    lost : tuple of str
        The tests that give no points.
    told : str
        What the column ``problem`` says.
    change : function, optional
        Changes the notebook (a dict, as JSON holds it).
    write : function, optional
        Makes the bytes of the file of it.
    """

    name: str
    answers: dict[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    told: str = ""
    change: Callable[[dict], None] | None = None
    write: Callable[[dict], bytes] = lambda notebook: json.dumps(notebook).encode()

    def marks(self) -> dict[str, float]:
        return {name: 0.0 if name in self.lost else most for name, most in FULL.items()}


def cell(notebook, name):
    return next(one for one in notebook["cells"] if one["id"] == name)


def remove(*names):
    def change(notebook):
        notebook["cells"] = [one for one in notebook["cells"] if one["id"] not in names]

    return change


def double(name):
    def change(notebook):
        place = notebook["cells"].index(cell(notebook, name))
        stub = {**cell(notebook, name), "source": "raise NotImplementedError()", "id": "again"}
        notebook["cells"].insert(place, stub)

    return change


def retype(notebook):
    one = cell(notebook, "ex1-3")
    one["cell_type"] = "markdown"
    del one["outputs"], one["execution_count"]


def meddle(notebook):
    """Change a test, its points, tags and the kernel: all of it comes from the release."""
    test = cell(notebook, "test1-1")
    test["source"] = "assert True"
    test["metadata"]["nbgrader"]["points"] = 90
    test["metadata"]["tags"] = ["skip-execution"]
    notebook["metadata"]["kernelspec"] = {"name": "bash", "display_name": "Bash"}
    added = {**test, "id": "more", "metadata": {"nbgrader": {**test["metadata"]["nbgrader"]}}}
    added["metadata"]["nbgrader"]["grade_id"] = "test-more"
    notebook["cells"].append(added)


def old_format(notebook):
    """nbformat 3: worksheets, and code in a field called input."""
    for one in notebook["cells"]:
        one.pop("id")
        if one["cell_type"] == "code":
            one["input"], one["language"] = one.pop("source"), "python"
            one["prompt_number"] = one.pop("execution_count")
    notebook["worksheets"] = [{"cells": notebook.pop("cells"), "metadata": {}}]
    notebook["nbformat"], notebook["nbformat_minor"] = 3, 0


def without_ids(notebook):
    notebook["nbformat_minor"] = 4
    for one in notebook["cells"]:
        one.pop("id")


def without_metadata(notebook):
    for one in notebook["cells"]:
        one["metadata"] = {}
    without_ids(notebook)


def stored_outputs(notebook):
    cell(notebook, "ex1-1")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x" * 5_000_000}
    ]


def without_test(name, text):
    """The student joined the answer and the test below it."""

    def change(notebook):
        cell(notebook, name)["source"] += "\n\n" + text
        remove(f"test{name[2:]}")(notebook)

    return change


def raw(notebook):
    retype(notebook)
    cell(notebook, "ex1-3")["cell_type"] = "raw"


def moved(notebook):
    one = cell(notebook, "ex1-3")
    notebook["cells"].remove(one)
    notebook["cells"].insert(0, one)


def of_another_program(notebook):
    """Ids among the metadata, cells without text, other metadata of the notebook."""
    without_ids(notebook)
    for number, one in enumerate(notebook["cells"]):
        one["metadata"]["id"] = str(number)
    notebook["cells"].insert(1, {"cell_type": "code", "metadata": {}, "source": None})
    notebook["metadata"] = {"accelerator": "GPU"}


def given_cell(notebook):
    return next(
        one
        for one in notebook["cells"]
        if one["cell_type"] == "code" and not one["metadata"].get("nbgrader")
    )


def own_cells(notebook):
    """An import more in a given cell, a copy of that cell, an answer below the place for it."""
    double("ex1-3")(notebook)
    given = given_cell(notebook)
    copied = {**given, "source": "mine = [n * n for n in range(1, 101)]"}
    given["source"] = ["import math\n", *given["source"]]
    answer = cell(notebook, "ex1-2")
    place = notebook["cells"].index(answer) + 1
    below = {"cell_type": "code", "id": "below", "metadata": {}, "source": answer["source"]}
    answer["source"] = "raise NotImplementedError()"
    notebook["cells"][place:place] = [below, copied]


def as_text(**settings):
    return lambda notebook: json.dumps(notebook, ensure_ascii=False, **settings)


# Files that hold the right answers: each is rebuilt as that of "right", to the letter.
FILES = [
    HandIn(
        "byte order mark",
        write=lambda nb: b"\xef\xbb\xbf" + json.dumps(nb).encode(),
        told="byte-order mark",
    ),
    HandIn("utf 16", write=lambda nb: as_text()(nb).encode("utf-16"), told="UTF-16"),
    HandIn("utf 16, no mark", write=lambda nb: as_text()(nb).encode("utf-16-le"), told="UTF-16"),
    HandIn(
        "windows", write=lambda nb: as_text()(nb).encode("cp1252", "replace"), told="Windows-1252"
    ),
    HandIn(
        "crlf",
        write=lambda nb: json.dumps(nb, indent=1).replace("\n", "\r\n").encode(),
        told="line ends of Windows",
    ),
    HandIn("zeros at the end", write=lambda nb: json.dumps(nb).encode() + bytes(4000)),
    HandIn("format 3", change=old_format, told="nbformat 3"),
    HandIn("format 4.4", change=without_ids),
    HandIn("without metadata", change=without_metadata),
    HandIn("another program", change=of_another_program),
    HandIn(
        "tests deleted", change=remove("test1-2", "test1-3"), told="missing in the file: test1-2"
    ),
    HandIn("retyped", change=retype, told="changed its type: ex1-3"),
    HandIn("raw", change=raw, told="changed its type: ex1-3"),
    HandIn("moved", change=moved),
    HandIn("large outputs", change=stored_outputs, told="5 MB, outputs or pictures"),
]
HONEST = [
    HandIn("right"),
    HandIn("Zo\u00eb O'Brien-Stone, Dr. @ home"),
    HandIn("meddled", change=meddle, told="changed: test1-1"),
    HandIn(
        "own cells",
        {"ex1-1": RIGHT["ex1-1"] + "\nmath.pi", "ex1-3": "squares = mine"},
        told="several times in the file: ex1-3; given cells that were changed: 1",
        change=own_cells,
    ),
    HandIn(
        "joined",
        told="missing in the file: test1-1",
        change=without_test("ex1-1", 'assert total > 0, "the sum is above zero"'),
    ),
    HandIn(
        "elsewhere",
        {
            "ex1-4": "import os\nlen(open('../../data/water/manifest.json').read())\n"
            "os.makedirs('../results')\nos.chdir('../results')\nfor n in range(600):\n"
            "    open(f'{n}.xyz', 'w').close()\nnote = open(os.path.abspath('n.txt'), 'w')\n"
            "print('water', file=note)\nnote.close()\nos.symlink('n.txt', 'note.txt')"
        },
    ),
    HandIn(
        "habits",
        {
            "ex1-1": "%%time\nimport warnings\nwarnings.simplefilter('error')\n"
            "np.seterr(all='raise')\n" + RIGHT["ex1-1"],
            "ex1-2": "list, len, float, open, sum, type = range(6)\n" + RIGHT["ex1-2"],
            "ex1-3": "%matplotlib inline\n!echo hello\nimport asyncio, multiprocessing, sys\n"
            "await asyncio.sleep(0.01)\nprint('careful', file=sys.stderr)\n"
            "with multiprocessing.Pool(2) as pool:\n"
            "    squares = pool.map(abs, [n * n for n in range(1, 101)])\nexit()",
            "ex1-4": "%%bash\necho water > note.txt",
        },
    ),
]
UNLUCKY = [
    HandIn(
        "errors",
        {
            "ex1-1": "raise NotImplementedError()",
            "ex1-2": "def scaled(values, factor):\n    return 1 / 0",
            "ex1-3": "with open('large', 'wb') as f:\n    f.write(bytes(3_000_000))\nsquares = 1",
            "ex1-4": RIGHT["ex1-4"] + "\nprint('x' * 3_000_000)",
        },
        ("test1-1", "test1-2", "test1-3"),
        "exercise 1.4: output was cut",
    ),
    HandIn(
        "kernel dies",
        {"ex1-3": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"},
        ("test1-3",),
        "exercise 1.3: the kernel died",
    ),
    HandIn(
        "sleeps",
        {"ex1-3": "import time\ntime.sleep(60)\nsquares = numbers**2"},
        ("test1-3",),
        "exercise 1.3: timed out",
    ),
    HandIn(
        "sleeps on",
        {
            "ex1-3": "import time\nwhile True:\n    try:\n        time.sleep(60)\n"
            "    except KeyboardInterrupt:\n        pass"
        },
        ("test1-3",),
        "exercise 1.3: took too long, and could not be interrupted",
    ),
    HandIn(
        "memory",
        {"ex1-3": "import time\nheld = b'x' * 400_000_000\ntime.sleep(2)\nsquares = numbers**2"},
        ("test1-3",),
        "exercise 1.3: used too much memory",
    ),
    HandIn(
        "dies when asked",
        {"ex1-2": "import os\ndef scaled(values, factor):\n    os._exit(0)"},
        ("test1-2",),
        "exercise 1.2: the kernel died when it was asked",
    ),
]
# Values that are no answer: the tests that look at them give nothing.
CLAIMS = [
    HandIn(
        "texts", {"ex1-1": "total = '5050'", "ex1-3": "squares = 'all'"}, ("test1-1", "test1-3")
    ),
    HandIn(
        "objects",
        {
            "ex1-1": "class Any:\n    pass\ntotal = Any()",
            "ex1-2": "scaled = 3",
            "ex1-3": "squares = []\nfor _ in range(60): squares = [squares]",
            "ex1-4": "note = open('note.txt', 'w')",
            "ex1-5": "model = [1, 2]",
        },
        tuple(FULL),
    ),
    HandIn(
        "a function, a list in itself, a link",
        {
            "ex1-1": "def total():\n    return 5050",
            "ex1-3": "squares = []\nsquares.append(squares)",
            "ex1-4": "import os\nos.symlink('/etc/hostname', 'note.txt')",
        },
        ("test1-1", "test1-3", "test1-4"),
    ),
    HandIn("not a number", {"ex1-1": "total = float('nan')"}, ("test1-1",)),
]


def probes(bait: dict[str, str], port: int) -> list[HandIn]:
    """Return hand-ins that look for bait: paths that must not be readable or writable, a port."""
    look = """
import os
for path in PATHS:
    try:
        with open(path) as file:
            print("reached", path, len(file.read()))
    except OSError:
        pass
    try:
        with open(os.path.join(os.path.dirname(path), "marker"), "w") as file:
            print("reached", file.name)
    except OSError:
        pass
""".replace("PATHS", repr(list(bait.values())))
    surroundings = """
import os
for name in ("MLMD_BAIT", "BAIT_TOKEN"):
    if name in os.environ:
        print("reached", name)
for number in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{number}/cmdline") as file:
        if "pytest" in file.read():
            print("reached", number)
"""
    network = f"""
import socket
for address in ("127.0.0.1", "192.0.2.1"):
    try:
        socket.create_connection((address, {port}), timeout=2).close()
        print("reached the network")
    except OSError:
        pass
"""
    stays = "import subprocess\nsubprocess.Popen(['sleep', '314.159'], start_new_session=True)\n"
    return [
        HandIn("looks", {"ex1-1": RIGHT["ex1-1"] + look + surroundings}),
        HandIn("network", {"ex1-1": RIGHT["ex1-1"] + network}, (), "tried to reach the network"),
        HandIn("stays", {"ex1-1": RIGHT["ex1-1"] + "\n" + stays}),
    ]
