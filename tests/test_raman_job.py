"""``mlmd raman``: dynamics, polarizabilities, a spectrum, a section of the report."""

import numpy as np
import pandas as pd
import pytest

from helpers import SymmetryAdaptedKernelRidge
from helpers.raman_job import spectrum_of_samples
from helpers.sagpr.model_file import save_model

QUIET = ["--no-progress", "--output"]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    from helpers.polarizability_job import labelled_frames

    frames, tensors, _ = labelled_frames()
    model = SymmetryAdaptedKernelRidge(n_max=3, l_max=3).fit(frames[:60], tensors[:60])
    return save_model(model, tmp_path_factory.mktemp("model") / "polarizability.npz")


@pytest.mark.slow
def test_the_job_from_the_terminal(mlmd, walled_model, model_path, tmp_path):
    folder = tmp_path / "out"
    brief = ["--picoseconds", 2.7, "--replicas", 3, "--resolution", 80, "--temperature", 200]
    done = mlmd("raman", walled_model, "--model", model_path, *brief, *QUIET, folder)
    assert (done.code, done.errors) == (0, [])
    assert done.output.startswith("3 × 0.9 ps at ")
    assert done.output.endswith(f"The report is {folder / 'report.html'}\n")
    polarizabilities = np.load(folder / "raman_polarizabilities.npy")
    assert polarizabilities.shape == (3, 451, 3, 3)
    mean = np.trace(polarizabilities, axis1=2, axis2=3).mean() / 3
    assert mean == pytest.approx(25, abs=1.5)  # Å³ of 16 molecules
    spectrum = pd.read_csv(folder / "raman.csv").set_index("wavenumber_per_cm")
    assert np.diff(spectrum.index)[0] == pytest.approx(80, rel=0.02)
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.xml"], r"There is no model file .*none\.xml.*train it first"),
        (["gap.xml", "--model", "none.npz"], "no model of polarizabilities none.npz"),
        (["gap.xml", "--picoseconds", "-1"], "picoseconds=-1"),
        (["gap.xml", "--picoseconds", "1"], "The run is too short|too short for the error"),
        (["gap.xml", "--replicas", "0"], "replicas=0"),
        (["gap.xml", "--resolution", "0"], "resolution_per_cm=0"),
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
