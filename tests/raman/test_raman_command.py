"""``mlmd raman``: dynamics, polarizabilities, a spectrum, a section of the report."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from helpers import SymmetryAdaptedKernelRidge, raman_spectrum
from helpers.errors import DataError
from helpers.raman import dynamics as raman_runs
from helpers.raman.command import run_raman_job
from helpers.raman.dynamics import INTERVAL_FS, RECORD_EVERY, planned_steps
from helpers.raman.spectrum import spectrum_of_samples
from helpers.sagpr.lambda_soap import LambdaSoap
from helpers.sagpr.model_file import load_model, save_model

QUIET = ["--no-progress", "--output"]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    from helpers.sagpr.tensors import labeled_frames

    frames, tensors, _ = labeled_frames()
    model = SymmetryAdaptedKernelRidge(n_max=3, l_max=3).fit(frames[:60], tensors[:60])
    return save_model(model, tmp_path_factory.mktemp("model") / "polarizability.npz")


@pytest.mark.slow
def test_the_job_from_the_terminal(mlmd, walled_model, model_path, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    monkeypatch.setattr(raman_runs, "WARM_UP_PS", 0.3)
    brief = ["--picoseconds", 2.1, "--replicas", 3, "--resolution", 100, "--temperature", 200]
    done = mlmd("raman", walled_model, "--model", model_path, *brief, *QUIET, folder)
    assert (done.code, done.errors) == (0, [])
    assert done.output.startswith("3 × 0.7 ps at ")
    assert done.output.endswith(f"The report is {folder / 'report.html'}\n")
    polarizabilities = np.load(folder / "raman_polarizabilities.npy")
    assert polarizabilities.shape == (3, 351, 3, 3)
    mean = np.trace(polarizabilities, axis1=2, axis2=3).mean() / 3
    assert mean == pytest.approx(25, abs=1.5)  # Å³ of 16 molecules
    spectrum = pd.read_csv(folder / "raman.csv").set_index("wavenumber_per_cm")
    assert np.diff(spectrum.index)[0] == pytest.approx(100, rel=0.02)
    stretch, gap = (
        spectrum["VV"].loc[low:high].max() for low, high in ((3000, 3800), (2200, 2600))
    )
    assert stretch > 10 * gap  # between the bands there is nothing
    assert np.all(spectrum["VV_error"] >= 0) and spectrum["VV_model"].max() > 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<img src=") == 2 and 'src="http' not in page


def test_samples_of_the_model_spread_the_spectrum():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(1, 4000, 3, 3))
    same = spectrum_of_samples(np.stack([one, one]), 2.0)
    other = spectrum_of_samples(np.stack([one, one + rng.normal(size=one.shape)]), 2.0)
    assert np.all(same["VV_model"] == 0) and np.all(other["VV_model"] > 0)


def test_what_passes_the_check_is_enough_for_the_spectrum():
    rng = np.random.default_rng(0)
    for picoseconds in (8.8928, 8.8960):
        steps = planned_steps(picoseconds, 4, 30.0)
        n_records = steps // RECORD_EVERY + 1
        assert steps % RECORD_EVERY == 0
        raman_spectrum(rng.normal(size=(4, n_records, 3, 3)), INTERVAL_FS)
    with pytest.raises(DataError, match="too short"):
        planned_steps(8.8, 4, 30.0)
    with pytest.raises(DataError, match="too short"):
        raman_spectrum(rng.normal(size=(4, n_records - 1, 3, 3)), INTERVAL_FS)


def test_the_model_is_looked_at_before_the_dynamics(smallest_fit, tmp_path, model_path):
    settings = {"picoseconds": 9.0, "progress": False}
    only_oxygen = load_model(model_path)
    only_oxygen.feature_map_ = replace(only_oxygen.feature_map_, soap=LambdaSoap(elements=("O",)))
    for model, error, message in (
        (SymmetryAdaptedKernelRidge(), NotFittedError, "not fitted"),
        (only_oxygen, DataError, "Frame 1 holds H.*only O"),
    ):
        with pytest.raises(error, match=message):
            run_raman_job(smallest_fit.model_path, tmp_path, model=model, **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.xml"], r"There is no model file .*none\.xml.*train it first"),
        (["gap.xml", "--model", "none.npz"], "no model of polarizabilities none.npz"),
        (["gap.xml", "--picoseconds", "-1"], "picoseconds=-1"),
        (["gap.xml", "--picoseconds", "1"], "The run is too short|too short for the error"),
        (["gap.xml", "--replicas", "0"], "replicas=0"),
        (["gap.xml", "--resolution", "0"], "resolution_per_cm=0"),
        (["gap.xml", "--resolution", "1000"], "resolution_per_cm=1000.*at most 200"),
        (["gap.xml", "--temperature", "0"], "temperature_K=0"),
        (["gap.xml", "--output", "none/out"], "no folder .*none.*mkdir -p"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_mistakes_are_found_before_the_work(
    mlmd_refuses, smallest_fit, tmp_path, monkeypatch, arguments, message
):
    (tmp_path / "gap.xml").write_bytes(smallest_fit.model_path.read_bytes())
    monkeypatch.chdir(tmp_path)
    mlmd_refuses("raman", *arguments, "--no-progress", message=message)
    assert not (tmp_path / "results" / "raman.csv").exists()
