"""The handout's two observations, on the shipped frames: more data helps, tiny sigmas overfit.

One gap_fit chooses the sparse points (with the seed 1); every other fit is solved from
K_NM, which `tests/gap/test_regression.py` shows to be what gap_fit itself would find.
"""

import numpy as np
import pytest

from helpers import GapConfig, fit_gap, load_frames
from helpers.gap.jax.design import design_matrix
from helpers.gap.regression import isolated_energies, sigma_family

SIZES = (50, 100, 200, 400)
HONEST, TINY = (0.001, 0.02), (1e-5, 0.02)
# Accurate enough to gain from each doubling, and half a minute for everything.
CONFIG = GapConfig(
    cutoff=3.2, cutoff_transition_width=0.5, n_max=5, l_max=3, n_sparse=200, rnd_seed=1
)


def rmse(model, frames, design):
    """Return energy and force RMSE, meV per atom and meV/Å."""
    weights = np.concatenate([term.alpha for term in model.terms])
    true = np.array([atoms.info["dft_energy"] for atoms in frames])
    energy = design.energies @ weights + isolated_energies(model, frames) - true
    energy /= [len(atoms) for atoms in frames]
    force = design.forces @ weights
    force -= np.concatenate([atoms.arrays["dft_forces"].ravel() for atoms in frames])
    return [1000 * float(np.sqrt(np.mean(errors**2))) for errors in (energy, force)]


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """RMSE by (size, sigmas, set): energy, force."""
    training, validation = load_frames("water", "train", 400), load_frames("water", "validate")
    model = tmp_path_factory.mktemp("learning") / "gap.xml"
    fit_gap(CONFIG, training[: SIZES[0]], output=model, progress=False)
    found, unseen = {}, None
    for size in SIZES:
        family = sigma_family(model, training[:size])
        unseen = unseen or design_matrix(family.template, validation)
        for sigmas in (HONEST, TINY):
            fitted = family.model(*sigmas)
            found[size, sigmas, "training"] = rmse(fitted, training[:size], family.design)
            found[size, sigmas, "validation"] = rmse(fitted, validation, unseen)
    return found


@pytest.mark.slow
def test_the_validation_error_falls_and_the_gap_to_training_closes(errors):
    unseen = np.array([errors[size, HONEST, "validation"] for size in SIZES])
    seen = np.array([errors[size, HONEST, "training"] for size in SIZES])
    assert (np.diff(unseen[:, 1]) < 0).all(), f"forces, with every doubling: {unseen[:, 1]}"
    # 100 validation energies are too few to see each doubling, but enough for all three.
    assert unseen[-1, 0] < 0.9 * unseen[0, 0], f"energies: {unseen[:, 0]}"
    ratio = unseen / seen
    assert (ratio[0] > 1.05).all() and (ratio[-1] < 1.0 + 0.1 * (ratio[0] - 1.0)).all()


@pytest.mark.slow
def test_tiny_sigma_learns_the_training_frames_by_heart(errors):
    for size in (50, 100):
        seen, unseen = (errors[size, TINY, name][0] for name in ("training", "validation"))
        assert seen < 0.01 * unseen
        # It does not pay: what was learnt by heart is of no use elsewhere.
        honest = errors[size, HONEST, "validation"]
        assert unseen > honest[0] and errors[size, TINY, "validation"][1] > honest[1]
