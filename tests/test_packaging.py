"""The files around the code agree with each other: bounds, pins, versions, commands."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PYPROJECT = tomllib.loads(read("pyproject.toml"))
PROJECT = PYPROJECT["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
DEV = [Requirement(line) for line in PROJECT["optional-dependencies"]["dev"]]
ENGINES = [Requirement(line) for line in PROJECT["optional-dependencies"]["engines"]]

# conda-forge's name where it is not PyPI's.
CONDA_NAMES = {"vesin": "python-vesin"}
# The name to import where it is not PyPI's.
IMPORT_NAMES = {
    "ipython": "IPython",
    "metatensor-core": "metatensor",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "pyzmq": "zmq",
    "quippy-ase": "quippy",
    "scikit-learn": "sklearn",
}
# What environment.yml names and pyproject.toml cannot.
CONDA_ONLY = {"python", "pip", "make"}

PYTHONS = [f"3.{minor}" for minor in range(0, 30)]
PYTHONS = [v for v in PYTHONS if Version(v) in SpecifierSet(PROJECT["requires-python"])]
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}


def marker_environment(python: str, platform: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "extra": "",
        **PLATFORMS[platform],
    }


def applies(requirement: Requirement, environment: dict[str, str] | None = None) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def parse_lock(text: str) -> list[tuple[Requirement, list[str]]]:
    """Return the pins of a lock, each with its hashes."""
    pins = []
    for entry in re.split(r"\n(?=\S)", text):
        if entry.startswith("#"):
            continue
        first, *rest = [line.rstrip(" \\") for line in entry.splitlines()]
        pins.append((Requirement(first), [line.strip() for line in rest if line.strip()]))
    return pins


LOCK = parse_lock(read("requirements.lock"))


def project_files() -> list[Path]:
    """Return the files that git tracks or would, or all where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        made = re.compile(r"(^|/)(\.venv|results|__pycache__|\.\w+_cache|[^/]+\.egg-info)(/|$)")
        paths = [p for p in ROOT.rglob("*") if not made.search(p.relative_to(ROOT).as_posix())]
    return [path for path in paths if path.is_file()]


# --- bounds -------------------------------------------------------------------------


def conda_bounds() -> dict[str, SpecifierSet]:
    lines = yaml.safe_load(read("environment.yml"))["dependencies"]
    pip_lines = [line for entry in lines if isinstance(entry, dict) for line in entry["pip"]]
    assert "-e ." in pip_lines
    lines = [line for line in lines if isinstance(line, str)]
    lines += [line for line in pip_lines if line != "-e ."]
    requirements = [Requirement(line) for line in lines]
    bounds = {canonicalize_name(r.name): r.specifier for r in requirements}
    assert len(bounds) == len(requirements), "environment.yml names something twice"
    return bounds


def test_environment_yml_has_the_bounds_of_pyproject():
    names = [canonicalize_name(r.name) for r in RUNTIME + DEV]
    assert len(names) == len(set(names)), "pyproject.toml names something twice"
    conda = conda_bounds()
    ours = {
        CONDA_NAMES.get(name, name): requirement.specifier
        for name, requirement in zip(names, RUNTIME + DEV, strict=True)
    }
    assert {name: str(bound) for name, bound in conda.items() if name not in CONDA_ONLY} == {
        name: str(bound) for name, bound in ours.items()
    }
    assert conda["python"] == SpecifierSet(PROJECT["requires-python"])


def test_every_import_of_the_package_is_declared():
    imported: dict[str, str] = {}
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                imported[name.partition(".")[0]] = path.relative_to(ROOT).as_posix()
    assert "ase" in imported
    there = [*RUNTIME, *ENGINES]
    declared = {IMPORT_NAMES.get(r.name, r.name.replace("-", "_")) for r in there}
    known = declared | set(sys.stdlib_module_names) | {"helpers"}
    assert {name: path for name, path in imported.items() if name not in known} == {}


def test_every_dependency_has_a_lower_bound():
    offenders = [
        requirement.name
        for requirement in RUNTIME + DEV
        if not any(clause.operator == ">=" for clause in requirement.specifier)
    ]
    assert offenders == []


# --- the lock -----------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_lock_pins_every_dependency_within_its_bound(python, platform):
    environment = marker_environment(python, platform)
    pins: dict[str, list[Version]] = {}
    for pin, _ in LOCK:
        if applies(pin, environment):
            (clause,) = pin.specifier
            assert clause.operator == "==", pin
            pins.setdefault(canonicalize_name(pin.name), []).append(Version(clause.version))
    assert [name for name, versions in pins.items() if len(versions) > 1] == []
    for requirement in RUNTIME + DEV:
        if applies(requirement, environment):
            (version,) = pins.get(canonicalize_name(requirement.name), [None])
            assert version is not None, f"{requirement} is not in the lock"
            assert version in requirement.specifier, f"{version} is not {requirement}"


def test_lock_covers_every_supported_python():
    assert {"3.10", "3.11", "3.12", "3.13"} <= set(PYTHONS)


def test_lock_has_hashes_and_nothing_else():
    for pin, hashes in LOCK:
        assert hashes, f"{pin} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), pin
        assert pin.url is None


def test_lock_is_complete_for_this_python():
    """What the locked packages themselves require is locked too, in a version that fits."""
    pins = {canonicalize_name(pin.name): pin for pin, _ in LOCK if applies(pin)}
    for name, pin in pins.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "absent"
        if installed not in pin.specifier:
            pytest.skip(f"this environment was not made from the lock ({name} is {installed})")
    for name in pins:
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            if not applies(requirement, {"extra": ""}):
                continue
            needed = canonicalize_name(requirement.name)
            assert needed in pins, f"{name} needs {needed}, which is not in the lock"
            (clause,) = pins[needed].specifier
            assert requirement.specifier.contains(clause.version, prereleases=True), (name, line)


# --- versions and commands ----------------------------------------------------------


def test_versions_agree():
    citation = yaml.safe_load(read("CITATION.cff"))
    newest = re.search(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert str(citation["version"]) == PROJECT["version"]
    assert newest is not None and newest[1] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def make_targets() -> dict[str, str]:
    """Return the described targets of the Makefile, each with its recipe."""
    makefile = read("Makefile")
    found = re.finditer(r"^([a-z]+):.*## .*\n((?:\t.*\n|@.*\n)*)", makefile, re.MULTILINE)
    return {target[1]: target[2] for target in found}


def test_readme_and_makefile_name_the_same_two_commands():
    targets = make_targets()
    readme = read("README.md")
    assert "make workshop" in readme and "make test" in readme
    assert "mlmd run" in targets["workshop"]
    assert "pytest" in targets["test"]
    assert '-m "not slow and not long"' in targets["quick"]
    assert "make test" in read(".ci/run")
    # In running text "make" is a verb; in code it is a command.
    code = re.findall(r"```.*?```|`[^`]+`", readme, re.DOTALL)
    named = {name for piece in code for name in re.findall(r"\bmake ([a-z]+)", piece)}
    assert named <= set(targets), f"README.md names {named - set(targets)}"


def test_readme_names_the_supported_pythons():
    (named,) = set(re.findall(r"Python (3\.\d+) to (3\.\d+)", read("README.md")))
    assert named == (PYTHONS[0], PYTHONS[-1])


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_the_targets():
    out = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ["workshop", "test", "quick", "lab", "offline", "lint", "lock", "clean"]:
        assert re.search(rf"^make {target} +\w", out.stdout, re.MULTILINE), target


# --- setting up ---------------------------------------------------------------------


def copy_of_the_setup(folder: Path, *, requires_python: str, lock: str) -> Path:
    """Copy what the set-up is made of, for another Python and with another lock."""
    shutil.copytree(ROOT / "tools", folder / "tools")
    shutil.copy(ROOT / "Makefile", folder)
    text = read("pyproject.toml")
    text = text.replace(PROJECT["requires-python"], requires_python)
    (folder / "pyproject.toml").write_text(text)
    (folder / "requirements.lock").write_text(lock)
    return folder


def make_setup(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    environment |= {"PYTHON": sys.executable, "PIP_NO_INDEX": "1"}
    return subprocess.run(
        ["make", "setup"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_setup_refuses_another_python_plainly(tmp_path):
    copy_of_the_setup(tmp_path, requires_python=">=3.98,<3.99", lock="")
    result = make_setup(tmp_path)
    assert result.returncode != 0
    assert "the workshop needs 3.98 to 3.98" in result.stdout
    assert "make setup PYTHON=" in result.stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_setup_cut_short_does_not_count_as_done(tmp_path):
    folder = tmp_path / "with a space"
    folder.mkdir()
    copy_of_the_setup(
        folder,
        requires_python=PROJECT["requires-python"],
        lock=f"no-such-package==1 --hash=sha256:{64 * '0'}\n",
    )
    # What an earlier set-up left, stamp and all, must not hide that this one fails.
    stamp = folder / ".venv" / ".ready"
    stamp.parent.mkdir()
    (stamp.parent / "pyvenv.cfg").write_text("")
    stamp.write_text("")
    os.utime(stamp, (0, 0))
    result = make_setup(folder)
    assert result.returncode != 0
    assert "no-such-package" in result.stdout
    assert (stamp.parent / "bin" / "python").exists()
    assert not stamp.exists()


def test_setup_leaves_a_folder_that_is_no_environment_alone(tmp_path):
    precious = tmp_path / "notes" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    result = subprocess.run(
        ["bash", ROOT / "tools" / "setup.sh", precious.parent],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "left alone" in result.stderr
    assert precious.read_text() == "mine"


# --- what no file may hold ----------------------------------------------------------

HOSTS = rb"""
    pypi\.org | pythonhosted\.org | npmjs\.(?:com|org) | anaconda\.(?:com|org)
    | (?:deb|snapshot)\.debian\.org | archive\.ubuntu\.com
    | ghcr\.io | docker\.io | quay\.io | unpkg\.com | jsdelivr\.net
"""
MACHINE_PATHS = rb"""
    (?<![\w.)}$-]) / (?: root | home | Users | work | tmp | opt | mnt | var/folders ) / \w
"""
FORBIDDEN = re.compile(HOSTS + rb"|" + MACHINE_PATHS, re.VERBOSE)


def test_the_search_below_finds_hosts_and_paths():
    for line in (
        b"index https://pypi" + b".org/simple",
        b"see /" + b"home/me/x",
        b'"/' + b'root/a"',
    ):
        assert FORBIDDEN.search(line), line


def test_no_file_names_a_registry_host_or_a_path_of_some_machine():
    found = []
    for path in project_files():
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for match in FORBIDDEN.finditer(content):
            line = content.count(b"\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(ROOT)}:{line}: {match[0].decode()}")
    assert found == []
