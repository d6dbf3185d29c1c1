"""The rooms of the house: imports go one way, heavy libraries stay in their rooms."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[1] / "helpers"

# Each room may import the rooms above it and its own modules, nothing else.
ROOMS = [
    "errors",
    "files",
    "frames",
    "gap.checks",
    "gap.two_body",
    "gap.cfg",
    "gap.config",
    "gap.model",
    "gap.xml",
    "gap.process",
    "gap.progress",
    "gap.memory",
    "gap.fit",
    "gap.atoms",
    "gap.jax",
    "gap.regression",
    "gap.potential",
    "evaluation",
    "sweeps",
    "md",
    "segments",
    "spectra",
    "sagpr",
    "doctor",
    "plots",
    "explorer",
    "report",
    "main_job",
    "sweep_job",
    "cli_sweeps",
    "md_job",
    "cli_md",
    "polarizability_job",
    "raman_runs",
    "raman_job",
    "cli_sagpr",
    "grading",
    "cli",
    "sagpr_commands",
]
HEAVY = {
    "quippy": {"gap.potential"},
    "jax": {"gap.jax", "md"},
    "nbgrader": {"grading"},
    "distributed": {"sweeps"},
    "featomic": {"sagpr"},
    "metatensor": {"sagpr"},
}


def modules():
    return sorted(path for path in HELPERS.rglob("*.py") if path.name != "__init__.py")


def room_of(name: str) -> str | None:
    """Return the room of ``helpers.x.y`` (the longest that fits), None for the package itself."""
    inside = name.removeprefix("helpers").removeprefix(".")
    fitting = [room for room in ROOMS if inside == room or inside.startswith(room + ".")]
    return max(fitting, key=len) if fitting else None


def imported_names(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(HELPERS.parent).with_suffix("").parts)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_imports_only_rooms_above_it(path):
    own = room_of(dotted(path))
    assert own is not None, f"{dotted(path)} belongs to no room: add it to ROOMS and CONTRIBUTING"
    for name in imported_names(path):
        room = room_of(name) if name.startswith("helpers") else None
        if room is not None:
            assert ROOMS.index(room) <= ROOMS.index(own), f"{dotted(path)} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_heavy_libraries_stay_in_their_rooms(path):
    for name in imported_names(path):
        allowed = HEAVY.get(name.partition(".")[0])
        assert allowed is None or room_of(dotted(path)) in allowed, f"{dotted(path)} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_modules_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_contributing_draws_every_room():
    text = (HELPERS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for room in ROOMS:
        name = room.split(".")[-1]
        assert f"{name}.py" in text or f"{name}/" in text, room


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
    import helpers

    for name in helpers.__all__:
        assert getattr(helpers, name).__doc__
    with pytest.raises(AttributeError, match="did you mean 'load_frames'"):
        helpers.load_frame  # noqa: B018


def test_unknown_time_is_not_spent_at_import_of_the_command_line():
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "helpers.cli", "--version"], capture_output=True)
    assert done.returncode == 0 and time.perf_counter() - start < 5
