"""A lesson goes on with the student's own model, or says why it takes the stored one."""

import joblib
import pytest

from helpers import own_or_stored
from helpers.errors import ModelFileError
from helpers.frames import data_folder

STORED = data_folder() / "stored" / "gap.xml"


def test_own_model_first(smallest_fit, capsys):
    assert own_or_stored(smallest_fit.model_path, STORED) == smallest_fit.model_path
    printed = capsys.readouterr().out
    assert printed.startswith("Your own potential is used: ")
    assert "n_max 3, l_max 2; " in printed and printed.count("\n") == 1


def test_stored_model_where_there_is_no_own(tmp_path, capsys):
    assert own_or_stored(tmp_path / "gap.xml", STORED) == STORED
    printed = capsys.readouterr().out
    assert "gap.xml yet. The stored potential is used: gap.xml" in printed


def test_bad_own_model_is_named(bad_model, capsys):
    assert own_or_stored(bad_model.path, STORED) == STORED
    reason = "There is no" if bad_model.name == "missing" else "cannot be used ("
    printed = capsys.readouterr().out
    assert reason in printed and "The stored potential is used" in printed, printed


def test_model_of_other_elements(tmp_path, smallest_config, frames10, capsys):
    from helpers import fit_gap

    for atoms in frames10:
        atoms.symbols[atoms.symbols == "O"] = "S"
    fit_gap(smallest_config, frames10, output=tmp_path / "gap.xml", progress=False)
    assert own_or_stored(tmp_path / "gap.xml", STORED) == STORED
    assert "(it is a model of H, S, not of H, O)" in capsys.readouterr().out


def test_stored_model_must_be_whole(tmp_path, smallest_fit):
    with pytest.raises(ModelFileError, match="There is no model file"):
        own_or_stored(smallest_fit.model_path, tmp_path / "gap.xml")
    with pytest.raises(ModelFileError, match="its name ends with '.pdf'"):
        own_or_stored(smallest_fit.model_path, tmp_path / "gap.pdf")


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """A model of polarizabilities, of twenty frames, as a student and as the kit store it."""
    from helpers import SymmetryAdaptedKernelRidge, load_frames
    from helpers.sagpr import read_tensors, save_model

    frames = load_frames("water", "train", 50)[:20]
    model = SymmetryAdaptedKernelRidge().fit(frames, read_tensors(frames))
    folder = tmp_path_factory.mktemp("regression")
    joblib.dump(model, folder / "own.joblib")
    save_model(model, folder / "stored.npz")
    return folder


def test_model_of_polarizabilities(regression, capsys):
    own, stored = regression / "own.joblib", regression / "stored.npz"
    what = "model of polarizabilities"
    assert own_or_stored(own, stored, what=what) == own
    assert "Your own model of polarizabilities is used" in capsys.readouterr().out
    half = regression / "half.joblib"
    half.write_bytes(own.read_bytes()[:3000])
    assert own_or_stored(half, stored, what=what) == stored
    joblib.dump({"model": 1}, half)
    assert own_or_stored(half, stored, what=what) == stored
    printed = capsys.readouterr().out
    assert printed.count("cannot be used (it does not hold a trained model of pol") == 2
    assert "20 training frames" in printed
