"""Fixtures shared by all tests: a few frames, a tiny model, and many files that are no model."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bad_models import BAD_MODELS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a process begin with the longest test while another does others."""
    items.sort(key=lambda item: item.name != "test_clone_and_make_workshop")


# Whoever runs the tests with nohup, or behind a shell, lets all processes ignore a hangup or an
# interruption; some tests send one.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# quippy ends the process, with exit code 0, when it meets a file that it cannot read: if a test let
# that happen, pytest would vanish and all would seem well. So until the tests are over, the C
# library calls this function at the end of the process, and the exit code becomes 70.

running = {}
c_library, token = ctypes.CDLL(None), ctypes.create_string_buffer(1)  # the token names the function


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def at_the_end_of_the_process(_):
    if running.get("process") != os.getpid():
        return
    try:
        running["capture"].suspend_global_capture()
        sys.stdout.flush()
        print("\nThis test ended the process:", os.environ["PYTEST_CURRENT_TEST"], file=sys.stderr)
    finally:
        os._exit(70)


c_library.__cxa_atexit(at_the_end_of_the_process, None, token)


def pytest_configure(config: pytest.Config) -> None:
    running.update(process=os.getpid(), capture=config.pluginmanager.getplugin("capturemanager"))


def pytest_unconfigure() -> None:
    running.clear()
    c_library.__cxa_finalize(token)  # calls the function, which does nothing now, and forgets it


@pytest.fixture(scope="session")
def _frames10():
    from helpers import load_frames

    return load_frames("water", "train", 50)[:10]


@pytest.fixture
def frames10(_frames10):
    """The first ten training frames, a fresh copy for each test."""
    return [atoms.copy() for atoms in _frames10]


@pytest.fixture(scope="session")
def tiny_config():
    from helpers import GapConfig, TwoBody

    # Small deltas: large ones make large weights, whose sum is less exact than tests ask.
    return GapConfig(
        n_sparse=50,
        n_max=4,
        l_max=3,
        cutoff=4.0,
        cutoff_transition_width=2.5,
        delta=0.2,
        two_body=TwoBody(delta=0.5),
    )


@pytest.fixture(scope="session")
def tiny_fit(tmp_path_factory, tiny_config, _frames10):
    """The result of a fit that takes a second; its model lies alone in its folder."""
    from helpers import fit_gap

    folder = tmp_path_factory.mktemp("tiny")
    return fit_gap(tiny_config, _frames10, output=folder / "gap.xml", progress=False)


@pytest.fixture(scope="session")
def smallest_fit(tmp_path_factory, smallest_config, _frames10):
    """Like `tiny_fit`, with a model so small that reading it takes milliseconds."""
    from helpers import fit_gap

    folder = tmp_path_factory.mktemp("smallest")
    return fit_gap(smallest_config, _frames10, output=folder / "gap.xml", progress=False)


@pytest.fixture(scope="session")
def _small_data(tmp_path_factory):
    from ase.io import write

    from helpers import load_frames

    folder = tmp_path_factory.mktemp("small") / "water"
    folder.mkdir()
    frames = {split: load_frames("water", split, size) for split, size in SHIPPED}
    rows = []
    for split, size in [("train", 4), ("train", 8), ("train", 16), ("validate", 4)]:
        path = folder / f"{split}_{size}.xyz"
        write(path, frames[split][:size], format="extxyz")
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"file": path.name, "split": split, "size": size, "sha256": checksum})
    (folder / "manifest.json").write_text(json.dumps({"files": rows}))
    return folder.parent


SHIPPED = (("train", 50), ("validate", 60))


@pytest.fixture
def small_water(monkeypatch, _small_data):
    """Training sets of 4, 8 and 16 frames and 4 validation frames in place of those that ship."""
    monkeypatch.setenv("MLMD_DATA", str(_small_data))
    return _small_data


@pytest.fixture(scope="session")
def smallest_config():
    """Settings that are fitted in half a second."""
    from helpers import GapConfig, TwoBody

    pairs = TwoBody(cutoff=4.0, n_sparse=3, delta=0.5)
    return GapConfig(
        n_sparse=5,
        n_max=3,
        l_max=2,
        cutoff=4.0,
        cutoff_transition_width=2.5,
        delta=0.2,
        two_body=pairs,
    )


@pytest.fixture(scope="module")
def quickly_compiled():
    """Let JAX compile with few optimizations, for tests that compile for longer than they compute.

    A module asks for it with ``pytestmark = pytest.mark.usefixtures("quickly_compiled")``. What is
    computed is the same; compiled with all optimizations it is what lessons and journeys run.
    """
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


# Tables with known answers: what a sweep would return, made by a formula.


def sweep_row(values, n_frames, repeat, sigmas, name, error):
    return {
        **values,
        "n_frames": n_frames,
        "repeat": repeat,
        "sigma_energy_eV_per_atom": sigmas[0],
        "sigma_force_eV_per_A": sigmas[1],
        "set": name,
        "rmse_energy_meV_per_atom": error,
        "mae_energy_meV_per_atom": 0.8 * error,
        "rmse_forces_meV_per_A": 50 * error,
        "mae_forces_meV_per_A": 40 * error,
        "fit_seconds": 1.0,
        "evaluation_seconds": 1.0,
        "peak_memory_MB": 100.0,
        "method": "gap_fit",
        "model_path": "gap.xml",
        "failure": "",
    }


@pytest.fixture
def curve_table():
    """A function: learning curves 8 n^-exponent, with noise of this relative size."""

    import numpy as np
    import pandas as pd

    def make(exponent=0.4, noise=0.0, sizes=(50, 100, 200, 400), repeats=3):
        rng = np.random.default_rng(1)
        rows = []
        for n, repeat in itertools.product(sizes, range(1, repeats + 1)):
            for name, start in (("training", 1.0), ("validation", 8.0)):
                power = 0.1 if name == "training" else -exponent
                error = start * n**power * np.exp(noise * rng.normal())
                rows.append(sweep_row({}, n, repeat, (0.001, 0.02), name, error))
        return pd.DataFrame(rows)

    return make


@pytest.fixture
def sweep_table():
    """A sweep over sigma, cutoff and size: size matters most, then sigma, then cutoff.

    Training errors are proportional to sigma, so the ratio is 2 (100 frames) and 1 (200 frames)
    at 0.01 and ten times that at 0.001.
    """
    import pandas as pd

    rows = []
    for sigma, cutoff, n in itertools.product([0.001, 0.01, 0.1], [3.0, 3.5], [100, 200]):
        validation = (200 / n) * {0.001: 1.4, 0.01: 1.0, 0.1: 1.2}[sigma] * cutoff / 3.0
        training = 100 * sigma * cutoff / 3.0
        values = {"sigma_energy_eV_per_atom": sigma, "cutoff": cutoff}
        for name, error in (("training", training), ("validation", validation)):
            rows.append(sweep_row(values, n, 1, (sigma, 0.02), name, error))
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def walled_model(tmp_path_factory):
    """A model that takes seconds to train, with a wall that keeps runs out of its hole."""
    from helpers import fit_gap
    from helpers.gap.command import quick_config
    from helpers.gap.xml import read_model, write_model
    from helpers.md.short_range import with_core_repulsion

    folder = tmp_path_factory.mktemp("walled")
    fit = fit_gap(quick_config(), output=folder / "gap.xml", progress=False)
    return write_model(with_core_repulsion(read_model(fit.model_path)), folder / "walled.xml")


@pytest.fixture(scope="session")
def bad_models(tmp_path_factory, smallest_fit):
    """Bad model files by name, each with ``.path`` and the ``.message`` to expect."""
    made, text = {}, smallest_fit.model_path.read_text()
    for name, bad in BAD_MODELS.items():
        path = tmp_path_factory.mktemp("bad") / "gap.xml"
        bad.make(path, text)
        made[name] = SimpleNamespace(name=name, path=path, message=bad.message)
    return made


@pytest.fixture(params=BAD_MODELS)
def bad_model(request, bad_models):
    """Each bad model in turn."""
    return bad_models[request.param]


# A disk that fills up.


@pytest.fixture
def small_disk(tmp_path):
    """A function: a file system of some kilobytes, mounted in a folder."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small file system")
    mounted = []

    def mount(kilobytes):
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
        if subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("mounting is not allowed here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


# What must not change.


@pytest.fixture
def listing():
    """A function: everything in a folder, with its bytes, as a dict."""

    def listing_of(folder: Path) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }

    return listing_of


@pytest.fixture
def mlmd(capsys):
    """A function: run ``mlmd`` in this process → exit code, stdout, lines of stderr."""
    from helpers.cli import main

    def run(*arguments: object) -> SimpleNamespace:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        output, errors = capsys.readouterr()
        return SimpleNamespace(code=code, output=output, errors=errors.splitlines())

    return run


@pytest.fixture
def mlmd_refuses(mlmd):
    """A function: ``mlmd`` must fail with one line of text, exit code 1 and no traceback."""

    def refuses(*arguments: object, message: str) -> None:
        done = mlmd(*arguments)
        assert (done.code, len(done.errors)) == (1, 1), done
        assert done.errors[0].startswith(f"mlmd {arguments[0]}: ")
        assert re.search(message, done.errors[0]), done.errors[0]
        assert "Traceback" not in done.output

    return refuses


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    """One cache of fits for all lessons and processes of this session: no fit is made twice."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "lesson-cache"
