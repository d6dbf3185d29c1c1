"""Settings that follow from the data."""

import pytest
from ase import Atoms
from own_frames import SMALL, alloy, clusters, slabs

from helpers import GapConfig, evaluate, fit_gap, load_frames
from helpers.errors import DataError
from helpers.gap import suggest_config


@pytest.mark.slow
@pytest.mark.parametrize("make", [alloy, slabs, clusters])
def test_they_are_better_than_settings_for_another_system(tmp_path, make):
    training, validation = make(24), make(8, seed=9)
    errors = []
    for name, config in (("own", GapConfig.from_data(training)), ("other", SMALL)):
        fit = fit_gap(config, training, output=tmp_path / f"{name}.xml", progress=False)
        errors.append(evaluate(fit.model_path, validation))
    own, other = errors
    assert own.rmse_forces_meV_per_A < other.rmse_forces_meV_per_A
    assert own.rmse_energy_meV_per_atom < 10


def test_each_value_has_a_reason():
    frames = load_frames("water", "train", 50)
    suggestion = suggest_config(frames)
    reasons = suggestion.reasons.set_index("setting")
    assert reasons.loc["e0_method", "value"] == "average"
    assert "one composition" in reasons.loc["e0_method", "reason"]
    assert 3.0 <= suggestion.config.cutoff <= 4.5
    assert "neighbors" in reasons.loc["cutoff", "reason"]
    assert "hydrogen" in reasons.loc["atom_sigma", "reason"]
    sigma_energy, sigma_force, sigma_virial, _ = suggestion.config.default_sigma
    assert 0.0005 <= sigma_energy <= 0.01 and 0.005 <= sigma_force <= 0.05 and sigma_virial == 0
    assert (reasons["reason"].str.len() > 20).all()


def test_energies_of_atoms_come_from_isolated_atoms_or_least_squares():
    alone = [Atoms(s, info={"dft_energy": e}) for s, e in (("Cu", 3.5), ("Al", 3.3))]
    assert GapConfig.from_data([*alloy(5), *alone]).e0_method == "isolated"
    config = GapConfig.from_data([*alloy(5), alone[0]])
    assert config.e0_method is None and set(config.e0) == {"Al", "Cu"}


def test_virials_are_used_where_there_are_some():
    assert GapConfig.from_data(alloy(5, virial=True)).default_sigma[2] > 0


def test_names_of_labels_are_kept():
    names = {"energy": "REF_energy", "forces": "REF_forces"}
    config = GapConfig.from_data(
        alloy(5, **names), energy_name="REF_energy", forces_name="REF_forces"
    )
    assert config.energy_parameter_name == "REF_energy"


def test_atoms_without_neighbors_are_refused():
    alone = [Atoms("Cu", info={"dft_energy": 3.5})]
    with pytest.raises(DataError, match="No atom of these frames has a neighbor"):
        GapConfig.from_data(alone)
