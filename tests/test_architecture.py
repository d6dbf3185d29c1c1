"""The rooms of the house: imports go one way, heavy libraries stay in their rooms."""

import ast
import functools
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

KIT = Path(__file__).parents[1]
HELPERS = KIT / "helpers"

# The ground floor: each may import those before it, and no room.
GROUND = ["errors", "checks", "files", "boundaries", "frames", "water", "neighbors", "jax_setup"]
GROUND += ["terminal", "quippy_name"]
# What computes in the rooms, and evaluation between them: each may import those before it.
ROOMS = ["datasets", "gap", "bootstrap", "evaluation", "neural", "sweeps", "md", "sagpr", "raman"]
ROOMS += ["own_models", "differentiable", "coarse_grained", "stability"]
# The front drawers of a room: plots ← report ← command. They may use the numbers of every room.
DRAWERS = ["plots", "report", "command"]
SHARED = {"plots", "report"}  # figures and report pages that several rooms share
TOP = {"doctor", "cli", "grading", "lab", "pipeline"}  # they may import anything but a command
ALL_COMMANDS = "pipeline"  # strings the commands of all rooms together
HEAVY = {
    "quippy": {"gap"},
    "jax": {"coarse_grained", "differentiable", "gap", "md", "neural", "stability", "jax_setup"},
    "diffrax": {"coarse_grained"},
    "optax": {"coarse_grained", "differentiable", "neural"},
    "equinox": {"differentiable", "neural"},
    "nbgrader": {"grading"},
    "distributed": {"sweeps"},
    "featomic": {"sagpr"},
    "metatensor": {"sagpr"},
}


@functools.cache
def modules():
    """Return (dotted name inside helpers, tree) of every module."""
    found = []
    for path in sorted(HELPERS.rglob("*.py")):
        name = ".".join(path.relative_to(HELPERS).with_suffix("").parts)
        if path.name != "__init__.py":
            found.append((name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(tree):
    """Return what a module imports of the kit, as names inside helpers."""
    known = {name for name, _ in modules()}
    inside = {
        name.removeprefix("helpers.") for name in imports(tree) if name.startswith("helpers.")
    }
    return {name for name in inside if name in known}


def room(name):
    return name.partition(".")[0]


def drawer(name):
    """Return "plots", "report" or "command" for a front drawer of a room, else ""."""
    parts = name.split(".")
    if parts[0] in SHARED:
        return parts[0]
    widgets = {"explorer_figure": "plots", "explorer": "report", "curve_explorer": "report"}
    last = widgets.get(parts[-1], parts[-1])
    return last if len(parts) == 2 and last in DRAWERS else ""


def allowed(importer, imported):
    if importer in GROUND:
        return imported in GROUND[: GROUND.index(importer)]
    if imported in GROUND or room(importer) in ("grading", ALL_COMMANDS):
        return True
    if drawer(imported) == "command" or room(imported) in TOP:
        return room(importer) in TOP and room(importer) == room(imported)
    if drawer(importer):
        # Its own room's drawers before it, the shared ones, and the numbers of any room.
        if drawer(imported):
            before = DRAWERS.index(drawer(imported)) <= DRAWERS.index(drawer(importer))
            return before and (room(imported) in SHARED or room(imported) == room(importer))
        return True
    if room(importer) in TOP:
        return True
    if drawer(imported):
        return False
    return ROOMS.index(room(imported)) <= ROOMS.index(room(importer))


def test_imports_go_one_way():
    offenders = [
        f"{name} imports {other}"
        for name, tree in modules()
        for other in sorted(own_imports(tree))
        if not allowed(name, other)
    ]
    assert not offenders, "\n".join(offenders)


def test_heavy_libraries_stay_in_their_rooms():
    offenders = [
        f"{name} imports {other}"
        for name, tree in modules()
        for other in sorted(set(imports(tree)))
        if room(name) not in HEAVY.get(other.partition(".")[0], {room(name)})
    ]
    assert not offenders, "\n".join(offenders)


def test_basenames_tell_modules_apart():
    places = {}
    for name, _ in modules():
        if name.startswith("sagpr.stages."):  # named by what each stage makes
            continue
        places.setdefault(name.rpartition(".")[2], []).append(name)
    twice = {
        base: names
        for base, names in places.items()
        if len(names) > 1 and base not in {*DRAWERS, "calculator", "neighbors", "frames"}
    }
    assert not twice


def test_everybody_imports_from_the_faces_only():
    """Lessons, workshop, README, journeys: `helpers` or `helpers.<room>`, nothing deeper."""
    texts = [
        *KIT.glob("solutions/*/*.py"),
        *KIT.glob("workshop/**/*.py"),
        *KIT.glob("tests/journeys/*.py"),
        *KIT.glob("*.md"),
        *KIT.glob("docs/*.md"),
        *KIT.glob("workshop/**/*.md"),
        *KIT.glob("solutions/*.md"),
    ]
    assert len(texts) > 25
    deeper = re.compile(r"^\s*[\"']?(?:from|import) helpers\.\w+\.\w+.*", re.MULTILINE)
    offenders = [
        f"{path.relative_to(KIT)}: {line.strip()}"
        for path in texts
        for line in deeper.findall(path.read_text(encoding="utf-8"))
    ]
    assert not offenders, "\n".join(offenders)


def test_contributing_draws_every_room():
    text = (KIT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = {room(name) for name, _ in modules()}
    missing = sorted(name for name in names if not re.search(rf"\b{name}(\.py|/)", text))
    assert not missing


def test_import_is_quick_and_needs_no_heavy_library():
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        heavy = ('quippy', 'jax', 'matplotlib', 'pandas', 'nbgrader', 'ase', 'numpy')\n"
        "        if name.partition('.')[0] in heavy: raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import time; start = time.perf_counter(); import helpers\n"
        "print(time.perf_counter() - start); assert 'load_frames' in dir(helpers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.3


def test_every_public_name_exists():
    import importlib

    import helpers

    faces = [helpers] + [
        importlib.import_module(f"helpers.{path.parent.name}")
        for path in HELPERS.glob("*/__init__.pyi")
    ]
    assert len(faces) > 5
    for face in faces:
        for name in face.__all__:
            thing = getattr(face, name)
            assert thing.__doc__ or not callable(thing), f"{face.__name__}.{name}"
    with pytest.raises(AttributeError, match="did you mean 'load_frames'"):
        helpers.load_frame  # noqa: B018


def test_the_command_line_starts_quickly():
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "helpers.cli", "--version"], capture_output=True)
    assert done.returncode == 0 and time.perf_counter() - start < 5
