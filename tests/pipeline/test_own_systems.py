"""Systems as researchers have them, from a file to a potential: right, or refused by name.

Slabs and clusters with isolated atoms, which go further, stand in test_own_data.py.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from ase.io import write
from own_frames import WATER, alloy, labeled, text_of, trimers
from tiny_fits import check_engines

from helpers.datasets import from_atoms, read_dataset
from helpers.frames import read_frames
from helpers.pipeline import run_own_data

QUICK = ("--quick", "--no-progress", "--only", "data,potential", "--output")


def molecules(n_frames, **names):
    """Shaken molecules of ethanol without a cell."""
    rng = np.random.default_rng(4)
    frames = []
    for _ in range(n_frames):
        atoms = molecule("CH3CH2OH")
        atoms.rattle(rng.uniform(0.01, 0.06), rng=rng)
        frames.append(labeled(atoms, **names))
    return frames


def ions(n_frames):
    """Crystals whose atoms carry charges, with labels under names that nobody can guess."""
    frames = alloy(n_frames, energy="U_scf", forces="minus_dUdR")
    for atoms in frames:
        charges = np.where(atoms.symbols == "Al", 1.0, -0.5)
        atoms.set_initial_charges(charges - charges.mean())
        atoms.info["charge"], atoms.arrays["magnetic"] = 0, np.zeros(len(atoms))
    return frames


SYSTEMS = {
    "an alloy with virials": (lambda: alloy(16, virial=True), []),
    "a molecule without a cell": (lambda: molecules(16), []),
    "charges, labels of other names": (
        lambda: ions(16),
        ["--label", "energy=U_scf", "--label", "forces=minus_dUdR"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_potential_from_a_file(mlmd, tmp_path, name):
    make, labels = SYSTEMS[name]
    write(tmp_path / "own.xyz", make())
    folder = tmp_path / "results"
    done = mlmd("run", tmp_path / "own.xyz", *labels, *QUICK, folder)
    assert done.code == 0 and all("n_sparse" in line for line in done.errors), done
    page = text_of((folder / "report.html").read_text(encoding="utf-8"))
    for text in (done.output, page):
        assert not WATER.search(text), WATER.search(text)
    assert ("virial components" in done.output) == ("virials" in name)
    validation = read_frames(folder / "validation.xyz")
    check_engines(folder / "gap.xml", validation[:2], ("jax",))
    for atoms in validation:  # what was trained on are EMT's own numbers
        again = labeled(atoms)
        assert atoms.info["dft_energy"] == pytest.approx(again.info["dft_energy"], abs=1e-6)
        assert np.allclose(atoms.arrays["dft_forces"], again.arrays["dft_forces"], atol=1e-6)
    errors = pd.read_csv(folder / "summary.csv").query("set == 'validation' and element == 'all'")
    assert (errors["rmse"] < 0.4 * errors["spread"]).all(), errors


def test_one_frame_is_too_few(tmp_path, mlmd_refuses):
    write(tmp_path / "one.xyz", alloy(1))
    mlmd_refuses(
        *("run", tmp_path / "one.xyz", *QUICK, tmp_path / "out"),
        message="1 frames with forces are too few to set some aside.*at least five.*validation",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_frame_with_frames_to_validate_on(mlmd, tmp_path):
    """A crystal with a dozen atoms is a start: its 36 forces are learned, and it is judged."""
    write(tmp_path / "one.xyz", alloy(1, seed=7))
    write(tmp_path / "more.xyz", alloy(4, seed=8))
    folder = tmp_path / "results"
    more = ["--validate", tmp_path / "more.xyz", *QUICK, folder]
    done = mlmd("run", tmp_path / "one.xyz", *more)
    assert done.code == 0, done
    assert len(read_dataset(folder / "validation.xyz")) == 4
    errors = pd.read_csv(folder / "summary.csv").query("element == 'all'")
    forces = errors[errors["quantity"] == "force"].set_index("set")
    assert forces.loc["training", "rmse"] < 0.3 * forces.loc["training", "spread"]


@pytest.mark.long
def test_ten_thousand_frames(tmp_path, capsys):
    frames = trimers(10_000, energy="REF_energy", forces="REF_forces")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*n_sparse")
        result = run_own_data(
            from_atoms(frames), tmp_path, preset="quick", only=("data", "potential"), progress=False
        )
    assert all(outcome.state in ("done", "left out", "no basis") for outcome in result.found)
    assert "10000 frames" in capsys.readouterr().out
    errors = pd.read_csv(tmp_path / "summary.csv").query("set == 'validation' and element == 'all'")
    assert errors["n"].tolist() == [2000, 18_000]
    assert (errors["rmse"] < 0.1 * errors["spread"]).all(), errors
    check_engines(tmp_path / "gap.xml", read_frames(tmp_path / "validation.xyz")[:2], ("jax",))
