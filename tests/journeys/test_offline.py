"""A teacher makes a kit at home and installs it where there is no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def make_offline(**variables: object) -> subprocess.CompletedProcess[str]:
    """Run ``make offline`` with the Python of these tests, leaving .venv as it is."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    settings = [f"{name}={value}" for name, value in variables.items()]
    command = ["make", "-o", ".venv/.ready", "offline", f"PY={sys.executable}", *settings]
    return run(*command, cwd=ROOT, env=environment)


def no_network(home: Path) -> dict[str, str]:
    """Return an environment in which pip has no index and every connection fails."""
    nowhere = "http://127.0.0.1:9"  # the discard port, where nothing listens
    proxies = ["http_proxy", "https_proxy", "all_proxy"]
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHON": sys.executable,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_COMPILE": "1",  # half the time; modules are compiled when imported
        "PIP_NO_INDEX": "1",
        **{name: nowhere for proxy in proxies for name in (proxy, proxy.upper())},
    }


def test_the_kit_installs_and_works_without_a_network(tmp_path):
    made = make_offline(DEST=tmp_path / "kit", STUDENTS=1, FIGURES=0)
    assert made.returncode == 0, made.stdout
    inside = {path.name for path in (tmp_path / "kit" / "source").iterdir()}
    assert "notebooks" in inside and not inside & {"solutions", "tests"}
    assert not (tmp_path / "kit" / "source" / "docs" / "mark_scheme.md").exists()

    assert (tmp_path / "kit" / "site" / "index.html").exists()

    # It is carried to another place, and another name.
    kit = (tmp_path / "kit").rename(tmp_path / "carried away")
    offline = no_network(home=tmp_path)
    venv = tmp_path / "venv"
    installed = run("bash", kit / "install.sh", venv, env=offline)
    assert installed.returncode == 0, installed.stdout

    code = "import helpers, quippy; print(helpers.__file__)"
    imported = run(venv / "bin" / "python", "-I", "-c", code, env=offline)
    assert imported.returncode == 0, imported.stdout
    assert Path(imported.stdout.splitlines()[-1]).is_relative_to(kit / "source" / "helpers")

    mlmd = run(venv / "bin" / "mlmd", "--help", env=offline)
    assert mlmd.returncode == 0 and "run" in mlmd.stdout, mlmd.stdout

    gap_fit = run(venv / "bin" / "gap_fit", env=offline, cwd=tmp_path)
    assert "missing mandatory parameter at_file" in gap_fit.stdout, gap_fit.stdout

    # A wheel that is missing is missed, not fetched from somewhere.
    (wheel,) = (kit / "wheelhouse").glob("alembic-*.whl")
    wheel.unlink()
    lacking = run("bash", kit / "install.sh", tmp_path / "other", env=offline)
    assert lacking.returncode != 0 and "alembic" in lacking.stdout
    assert not (tmp_path / "other" / ".ready").exists()


def test_a_destination_is_asked_for():
    result = make_offline()
    assert result.returncode != 0
    assert "make offline DEST=" in result.stdout


def test_a_destination_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    result = make_offline(DEST=tmp_path / "file" / "kit")
    assert result.returncode != 0
    assert "cannot make the folder" in result.stdout


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    result = make_offline(DEST=tmp_path)
    assert result.returncode != 0
    assert "is not empty" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
