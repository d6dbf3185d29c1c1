"""The two presets on the released validation frames: how accurate, from how much."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import GapConfig, evaluate, fit_gap, load_frames

ROOT = Path(__file__).parents[1]
ERRORS = ["rmse_energy_meV_per_atom", "rmse_forces_meV_per_A"]
FEW = "GapConfig.accurate(), 50 frames"


@pytest.fixture(scope="module")
def measured():
    return pd.read_csv(ROOT / "benchmarks" / "presets.csv").set_index("preset")


@pytest.mark.parametrize(
    ("preset", "config", "most"),  # meV/atom, meV/Å, MB
    [
        ("GapConfig()", GapConfig(), (0.9, 43, 2000)),
        ("GapConfig.accurate()", GapConfig.accurate(), (0.75, 35, 2000)),
    ],
    ids=["default", "accurate"],
)
def test_the_readme_says_what_was_measured(measured, preset, config, most):
    row = measured.loc[preset]
    assert row["settings"] == config.to_cfg(), "measure again: python benchmarks/presets.py"
    assert all(row[[*ERRORS, "peak_memory_MB"]].to_numpy() <= most)
    energy, force = row[ERRORS]
    stated = f"| `{preset}` | {row['n_frames']} | {energy:.2f} meV/atom | {force:.1f} meV/Å |"
    stated += f" {row['cpu_seconds']:.0f} CPU s, {row['peak_memory_MB'] / 1000:.1f} GB |"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert stated in readme
    if not np.isnan(row["gap_fit_cpu_seconds"]):
        seconds, MB = row["gap_fit_cpu_seconds"], row["gap_fit_memory_MB"]
        assert f"needs {seconds:.0f} CPU s and {MB / 1000:.1f} GB" in readme


@pytest.mark.slow
def test_the_accurate_preset_on_few_frames_is_as_it_was(measured, tmp_path):
    """The default is measured again by `make workshop`, in journeys/test_two_commands.py."""
    few = GapConfig.accurate().replace(atoms_filename="gap_input_50.xyz")
    fit = fit_gap(few, output=tmp_path / "gap.xml", engine="jax", progress=False)
    found = evaluate(fit.model_path, load_frames("water", "validate"))
    errors = [found.rmse_energy_meV_per_atom, found.rmse_forces_meV_per_A]
    assert errors == pytest.approx(list(measured.loc[FEW, ERRORS]), rel=1e-3)
