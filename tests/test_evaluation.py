"""Errors and their metrics: against arithmetic by hand, with one process and with two."""

import numpy as np
import pandas as pd
import pytest
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from own_frames import SMALL, alloy

from helpers import (
    compare_errors,
    evaluate,
    evaluate_together,
    fit_gap,
    load_frames,
    load_potential,
)
from helpers.errors import ConfigError, DataError, ModelFileError, OutputError, PredictionError
from helpers.evaluation import Evaluation
from helpers.gap import sigma_family
from helpers.gap.xml import write_model


@pytest.fixture
def result(tiny_fit, frames10):
    return evaluate(tiny_fit.model_path, frames10, processes=1)


@pytest.mark.slow
def test_metrics_are_what_their_names_say(result, tiny_fit, frames10):
    potential = load_potential(tiny_fit.model_path, engine="quippy")
    energy_errors, force_errors, oxygen = [], [], []
    for atoms in frames10:
        copy = atoms.copy()
        copy.calc = potential
        energy_errors.append((copy.get_potential_energy() - atoms.info["dft_energy"]) / len(atoms))
        difference = copy.get_forces() - atoms.arrays["dft_forces"]
        force_errors.append(difference)
        oxygen.append(difference[atoms.symbols == "O"])
    e, f, o = (1000 * np.ravel(x) for x in (energy_errors, force_errors, oxygen))
    assert result.rmse_energy_meV_per_atom == pytest.approx(np.sqrt(np.mean(e**2)))
    assert result.mae_energy_meV_per_atom == pytest.approx(np.mean(abs(e)))
    assert result.rmse_forces_meV_per_A == pytest.approx(np.sqrt(np.mean(f**2)))
    assert result.mae_forces_meV_per_A == pytest.approx(np.mean(abs(f)))
    table = result.summary().set_index(["quantity", "element"])
    for quantity, errors in (("energy", e), ("force", f)):
        assert table.loc[(quantity, "all"), "max_error"] == pytest.approx(max(abs(errors)))
    assert table.loc[("force", "O"), "rmse"] == pytest.approx(np.sqrt(np.mean(o**2)))
    assert table.loc[("force", "O"), "n"] == 10 * 16 * 3
    assert table["unit"].to_list() == ["meV/atom", "meV/Å", "meV/Å", "meV/Å"]
    assert "10 frames: RMSE" in str(result)


def test_tables_are_tidy(result, frames10):
    assert list(result.energies["frame"]) == list(range(10))
    assert len(result.forces) == 10 * 48 * 3
    last = result.forces.iloc[-1]
    assert (last.frame, last.atom, last.axis) == (9, 47, "z")
    assert last.true == frames10[9].arrays["dft_forces"][47, 2]
    assert set(result.forces["element"]) == {"H", "O"}


def test_two_processes_give_the_same_numbers_in_the_same_order(result, tiny_fit, frames10):
    shared = evaluate(tiny_fit.model_path, frames10, processes=2)
    pd.testing.assert_frame_equal(shared.energies, result.energies, rtol=1e-12)
    pd.testing.assert_frame_equal(shared.forces, result.forces, atol=1e-10)


def test_virials_are_compared_where_frames_have_them(tmp_path):
    frames = [*alloy(3, virial=True), *alloy(2, seed=1)]
    exact = evaluate(EMT(), frames)
    assert np.allclose(exact.virials["true"], exact.virials["predicted"], atol=1e-9)
    stress = frames[2].info["virial"] / len(frames[2])
    last = exact.virials.set_index(["frame", "axis"])["true"]
    assert len(last) == 18 and last[2, "xz"] == pytest.approx(stress[0, 2])
    model = fit_gap(SMALL, frames, output=tmp_path / "gap.xml", engine="jax", progress=False)
    one, two = (evaluate(model.model_path, frames, processes=n) for n in (1, 2))
    jax = evaluate(load_potential(model.model_path, engine="jax"), frames)
    for other in (two, jax):
        pd.testing.assert_frame_equal(one.virials, other.virials, atol=1e-7)
    errors = 1000 * (one.virials["predicted"] - one.virials["true"])
    table = one.summary().set_index("quantity")
    assert table.loc["virial", "rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert f"virials {table.loc['virial', 'rmse']:.2f} meV/atom" in str(one)
    written = pd.read_csv(one.to_csv(tmp_path / "errors.csv")).query("quantity == 'virial'")
    assert written["axis"].tolist()[:6] == ["xx", "xy", "xz", "yy", "yz", "zz"]
    frames[0].info["virial"] = np.zeros(5)
    with pytest.raises(DataError, match="Frame 0"):
        evaluate(EMT(), frames)
    assert evaluate(EMT(), frames[3:]).virials is None


@pytest.mark.slow
def test_a_new_model_under_the_same_name_is_seen_by_the_processes(tmp_path, tiny_config, frames10):
    path = tmp_path / "g.xml"
    errors = []
    for n_sparse in (50, 10):
        fit_gap(tiny_config.replace(n_sparse=n_sparse), frames10, output=path, progress=False)
        errors.append(evaluate(path, frames10, processes=2).rmse_forces_meV_per_A)
    assert errors[1] > errors[0]


def test_frames_are_left_as_they_were(tiny_fit, frames10):
    before = [(dict(atoms.info), set(atoms.arrays), atoms.calc) for atoms in frames10]
    evaluate(tiny_fit.model_path, frames10, processes=1)
    assert [(dict(atoms.info), set(atoms.arrays), atoms.calc) for atoms in frames10] == before


def test_any_ase_calculator_can_be_judged(frames10):
    result = evaluate(LennardJones(sigma=2.5, epsilon=0.01), frames10[:2])
    assert result.rmse_forces_meV_per_A > 100


def test_the_csv_holds_true_and_predicted_values(result, tmp_path):
    table = pd.read_csv(result.to_csv(tmp_path / "errors.csv"), keep_default_na=False)
    assert list(table.columns) == [
        "quantity", "frame", "element", "axis", "unit", "true", "predicted",
    ]  # fmt: skip
    forces = table[table["quantity"] == "force"]
    rmse = 1000 * np.sqrt(np.mean((forces["predicted"] - forces["true"]) ** 2))
    assert rmse == pytest.approx(result.rmse_forces_meV_per_A, rel=1e-5)
    assert len(table) == 10 + 10 * 48 * 3
    with pytest.raises(OutputError, match="mkdir"):
        result.to_csv(tmp_path / "none" / "errors.csv")


def test_models_of_one_family_are_judged_together(tiny_fit, smallest_fit, frames10, tmp_path):
    family = sigma_family(tiny_fit.model_path, frames10)
    paths = [
        write_model(family.model(1e-4, 0.02), tmp_path / "small.xml"),
        smallest_fit.model_path,
        write_model(family.model(1e-1, 0.02), tmp_path / "large.xml"),
    ]
    for path, together in zip(paths, evaluate_together(paths, frames10[:3]), strict=True):
        alone = evaluate(path, frames10[:3], processes=1)
        for one, other in (
            (together.energies, alone.energies),
            (together.forces, alone.forces),
        ):
            assert list(one.columns) == list(other.columns)
            assert np.allclose(one["predicted"], other["predicted"], rtol=0, atol=1e-6)


def made_up(errors, true):
    """An evaluation with these errors of the energies, and no forces worth the name."""
    table = pd.DataFrame({"frame": np.arange(len(true)), "true": true, "predicted": true + errors})
    return Evaluation(energies=table.assign(n_atoms=3), forces=table.assign(element="O"))


def test_a_difference_is_known_better_than_either_error():
    """Frames differ by far more than potentials: both meet the same easy and hard ones."""
    rng = np.random.default_rng(1)
    trajectories, true = np.repeat(np.arange(15), 4), rng.normal(size=60)
    errors = np.repeat(rng.uniform(0.2, 2, 15), 4) * rng.normal(size=60)
    better, worse = made_up(errors, true), made_up(1.1 * errors, true)
    found = compare_errors(worse, better, trajectories).set_index("quantity").loc["energy"]
    rmse = 1000 * np.sqrt(np.mean(errors**2))
    assert found["difference"] == pytest.approx(0.1 * rmse)
    assert 0 < found["low"] < found["difference"] < found["high"]
    interval = better.summary(trajectories).iloc[0]
    assert found["error"] < 0.1 * (interval["rmse_high"] - interval["rmse_low"])
    same = compare_errors(better, better, trajectories)
    assert (same[["difference", "error", "low", "high"]] == 0).all(axis=None)


def test_noise_alone_is_no_difference():
    rng = np.random.default_rng(2)
    trajectories, true = np.repeat(np.arange(15), 4), rng.normal(size=60)
    one, other = (made_up(rng.normal(size=60), true) for _ in range(2))
    found = compare_errors(one, other, trajectories).iloc[0]
    assert found["low"] < 0 < found["high"]
    with pytest.raises(DataError, match="not of the same frames"):
        compare_errors(one, made_up(rng.normal(size=60), true + 1), trajectories)
    with pytest.raises(DataError, match="two trajectories"):
        compare_errors(one, other, [1] * 60)


def test_a_bar_counts_the_frames(tiny_fit, frames10, capfd):
    evaluate(tiny_fit.model_path, frames10[:3], progress=True)
    assert "3/3" in capfd.readouterr().err
    evaluate(tiny_fit.model_path, frames10[:3])
    assert capfd.readouterr() == ("", "")


def test_bad_input_is_refused(tiny_fit, tmp_path, frames10):
    with pytest.raises(DataError, match="no frames to evaluate"):
        evaluate(tiny_fit.model_path, [])
    with pytest.raises(DataError, match="no 'energy'"):
        evaluate(tiny_fit.model_path, frames10, energy_name="energy")
    with pytest.raises(ConfigError, match="processes=0"):
        evaluate(tiny_fit.model_path, frames10, processes=0)
    with pytest.raises(ModelFileError, match="no model file"):
        evaluate(tmp_path / "none.xml", frames10)
    foreign = frames10[0].copy()
    foreign.symbols[0] = "Si"
    for processes in (1, 2):
        with pytest.raises(PredictionError, match="knows nothing about Si"):
            evaluate(tiny_fit.model_path, [*frames10[:3], foreign], processes=processes)


def test_the_quick_start_of_the_readme(tiny_fit):
    result = evaluate(tiny_fit.model_path, load_frames("water", "validate")[:5])
    assert 1 < result.rmse_energy_meV_per_atom < 100
