"""The handout's two observations, on the shipped frames: more data helps, tiny sigmas overfit.

One fit chooses the sparse points (with the seed 1); every other one is solved from K_NM,
which `tests/gap/test_regularization_path.py` shows to be what gap_fit itself would find.
"""

import numpy as np
import pytest

from helpers import GapConfig, fit_gap, load_frames
from helpers.frames import label_arrays
from helpers.gap import design_matrix, isolated_energies, sigma_family

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("learning")]  # both ask the same work
SIZES = (50, 100, 200)
HONEST, TINY = (0.001, 0.025), (1e-5, 0.025)
# The classroom preset with fewer sparse points, half a minute for everything, and with forces that
# it is not told to trust beyond what it can reach: so each doubling still teaches it something.
CONFIG = GapConfig(n_sparse=300, rnd_seed=1)


def rmse(model, frames, design):
    """Return energy and force RMSE, meV per atom and meV/Å, of the first frames of a design."""
    n_atoms, energies, forces = label_arrays(frames)
    bound = design.energies[: len(frames)] @ model.weights
    energy = (bound + isolated_energies(model, frames) - energies) / n_atoms
    force = design.forces[: len(forces)] @ model.weights - forces
    return [1000 * float(np.sqrt(np.mean(errors**2))) for errors in (energy, force)]


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """RMSE by (size, sigmas, set): energy, force."""
    training, validation = load_frames("water", "train", 200), load_frames("water", "validate")
    model = tmp_path_factory.mktemp("learning") / "gap.xml"
    fit_gap(CONFIG, training[: SIZES[0]], output=model, engine="jax", progress=False)
    families = {size: sigma_family(model, training[:size]) for size in SIZES}
    template = families[SIZES[0]].template  # they share descriptors and sparse points
    seen, unseen = (design_matrix(template, f) for f in (training[: SIZES[-1]], validation))
    found = {}
    for size, family in families.items():
        for sigmas in (HONEST, TINY):
            fitted = family.model(*sigmas)
            found[size, sigmas, "training"] = rmse(fitted, training[:size], seen)
            found[size, sigmas, "validation"] = rmse(fitted, validation, unseen)
    return found


def test_the_validation_error_falls_and_the_gap_to_training_closes(errors):
    unseen = np.array([errors[size, HONEST, "validation"] for size in SIZES])
    seen = np.array([errors[size, HONEST, "training"] for size in SIZES])
    assert (unseen[1:] < unseen[:-1]).all(), f"energies and forces: {unseen}"
    assert (unseen[-1] < [0.9, 0.95] * unseen[0]).all(), f"energies and forces: {unseen}"
    gap = unseen / seen - 1
    assert (np.diff(gap, axis=0) < 0.01).all() and (gap[-1] < 0.4 * gap[0]).all(), gap
    assert (gap[0] > 0.05).all()


def test_tiny_sigma_learns_the_training_frames_by_heart(errors):
    for size in (50, 100):
        seen, unseen = (errors[size, TINY, name][0] for name in ("training", "validation"))
        assert seen < 0.01 * unseen
        # It does not pay: what was learned by heart is of no use elsewhere.
        honest = errors[size, HONEST, "validation"]
        assert unseen > honest[0] and errors[size, TINY, "validation"][1] > honest[1]
