"""Results that the lessons offer ready-made: whole, and what they say they are."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import evaluate, load_frames, load_potential
from helpers.frames import data_folder, read_frames
from helpers.md import Phase
from helpers.sagpr import load_model, read_tensors

STORED = data_folder() / "stored"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIZES = (5, 10, 25, 50, 100, 200, 400)
FILES = json.loads((STORED / "provenance.json").read_text(encoding="utf-8"))["files"]


def test_every_file_says_where_it_comes_from():
    there = {path.name for path in STORED.iterdir()} - {"provenance.json", "README.md"}
    assert {row["file"] for row in FILES} == there
    readme = (STORED / "README.md").read_text(encoding="utf-8")
    for row in FILES:
        assert row["command"].startswith("python tools/store_results.py ") and row["what"]
        assert row["file"] in readme or row["file"] == "gap.csv"


@pytest.mark.parametrize("row", FILES, ids=lambda row: row["file"])
def test_no_file_was_changed(row):
    found = hashlib.sha256((STORED / row["file"]).read_bytes()).hexdigest()
    assert found == row["sha256"]


CURVES = ("energies", "default", "classroom")
ERRORS = ("rmse_energy_meV_per_atom", "rmse_forces_meV_per_A")


@pytest.fixture(params=CURVES)
def curve(request):
    return pd.read_csv(STORED / f"learning_curve_{request.param}.csv")


def test_learning_curves_have_all_sizes_and_draws_and_no_failure(curve):
    assert curve["failure"].isna().all()
    draws = curve.groupby(["n_frames", "set"]).size().unstack()
    assert draws.index.tolist()[-4:] == [50, 100, 200, 400]
    assert (draws.iloc[:-1] == 3).all(axis=None) and (draws.iloc[-1] == 1).all()


@pytest.mark.parametrize("quantity", ERRORS)
def test_where_the_data_is_the_limit_errors_fall_at_every_doubling(quantity):
    """By more than twice the standard error of the step, from the scatter of the draws."""
    from helpers.sweeps import does_more_data_help

    table = pd.read_csv(STORED / "learning_curve_energies.csv")
    for size in (100, 200, 400):
        step = does_more_data_help(table[table["n_frames"] <= size], quantity)
        fall = np.log(step.error_before / step.error_now)
        assert step.n_frames == size and fall > 2 * step.scatter


def test_the_table_of_the_water_data_says_what_its_readme_says():
    table = pd.read_csv(BENCHMARKS / "water_data.csv")
    sizes = table.groupby(["model", "judged_on"])["n_frames"].agg(tuple)
    assert len(sizes) == 4 and set(sizes) == {SIZES, (*SIZES[:-1], 319)}
    table = table.set_index(["model", "judged_on", "n_frames"])
    for judged_on in ("validation", "trajectories held out"):
        forces = table["rmse_forces_meV_per_A"].unstack(0).loc[judged_on]
        gains = 1 - forces.to_numpy()[1:] / forces.to_numpy()[:-1]  # from 5 to 10 frames, and on
        assert (gains[:3] > 0.12).all() and ((gains[3] > 0.07) & (gains[3] < 0.105)).all()
        assert ((gains[4] > 0.035) & (gains[4] < 0.065)).all() and (gains[5] < 0.035).all()
        assert (forces["richer"] / forces["default"]).iloc[4:].between(0.86, 0.895).all()
    energies = table["rmse_energy_meV_per_atom"].unstack(0).loc["validation"]
    assert energies.loc[5, "richer"] > energies.loc[5, "default"]


def test_labels_come_out_again_and_cost_what_the_readme_says():
    table = pd.read_csv(BENCHMARKS / "dft_cost.csv")
    assert len(table) == 10 and table["energy_difference_meV"].abs().max() <= 1e-4
    assert (table["cpu_seconds"].min(), table["cpu_seconds"].max()) == (30.4, 36.3)
    assert table["cpu_seconds"].median() == pytest.approx(32.9, abs=0.05)


def test_grading_costs_little_more_than_plain_nbgrader():
    table = pd.read_csv(BENCHMARKS / "grading.csv").set_index(["lesson", "kind"])
    assert (table["students"] == 30).all()
    for _, one in table.groupby("lesson"):
        one = one.droplevel("lesson")
        assert one.loc["kit", "cpu_s"] <= 1.3 * one.loc["plain", "cpu_s"]
        assert one.loc["kit", "clock_s"] >= 1.7 * one.loc["kit, two jobs", "clock_s"]


def test_where_the_model_is_the_limit_errors_meet_and_stay():
    table = pd.read_csv(STORED / "learning_curve_classroom.csv")
    forces = table.groupby(["set", "n_frames"])["rmse_forces_meV_per_A"].mean()
    assert forces["validation", 400] > 0.95 * forces["validation", 100]
    assert forces["validation", 400] < 1.1 * forces["training", 400]


def test_settings_meet_in_the_point_that_they_share():
    table = pd.read_csv(STORED / "settings.csv")
    shared = {"cutoff": 4.25, "atom_sigma": 0.4, "n_max": 7, "l_max": 2}
    assert set(table["setting"]) == set(shared)
    rows = pd.concat(
        table[(table["setting"] == k) & (table["value"] == v)] for k, v in shared.items()
    )
    assert (rows.groupby("set")["rmse_forces_meV_per_A"].nunique() == 1).all()


def test_sigmas_go_from_overfitted_to_underfitted_on_both_sizes():
    table = pd.read_csv(STORED / "sigmas.csv")
    assert table["failure"].isna().all() and set(table["n_frames"]) == {100, 200}
    alone = table["sigma_force_eV_per_A"] > 1
    for (_, without_forces), rows in table.groupby(["n_frames", alone]):
        errors = rows.pivot(
            index="sigma_energy_eV_per_atom", columns="set", values="rmse_energy_meV_per_atom"
        )
        best = errors["validation"].argmin()
        assert 0 < best < len(errors) - 1 or without_forces
        assert errors["validation"].iloc[0] > 10 * errors["training"].iloc[0]
        assert without_forces or (errors["training"].iloc[-1] > 0.8 * errors["validation"].iloc[-1])


def test_without_forces_the_energies_are_learned_by_heart():
    table = pd.read_csv(STORED / "sigmas.csv")
    table = table.query("sigma_energy_eV_per_atom == 1e-3 and n_frames == 100")
    errors = table.pivot(
        index="sigma_force_eV_per_A", columns="set", values="rmse_energy_meV_per_atom"
    )
    ratio = errors["validation"] / errors["training"]
    assert ratio[10.0] > 5 * ratio[0.012]


def test_the_noise_of_the_sigmas_belongs_to_their_errors():
    table = pd.read_csv(STORED / "sigmas.csv").query("sigma_force_eV_per_A < 1")
    table = table[table["set"] == "validation"]
    keys = ["n_frames", "sigma_energy_eV_per_atom"]
    rmse = table.set_index(keys)["rmse_energy_meV_per_atom"]
    noise = pd.read_csv(STORED / "sigma_noise.csv").set_index(keys)
    assert np.allclose(noise["rmse"], rmse[noise.index], rtol=1e-3)
    for n_frames, rows in noise.groupby("n_frames"):
        assert np.allclose(rows["difference"], rows["rmse"] - rmse[n_frames].min(), atol=1e-3)
        assert (rows["low"] <= rows["difference"]).all()
        assert (rows["difference"] <= rows["high"]).all() and rows["difference"].min() == 0
    gain = pd.read_csv(STORED / "sigma_gain.csv").set_index("sigma_energy_eV_per_atom")
    assert np.allclose(gain["difference"], rmse[100] - rmse[200], atol=1e-3)


def test_the_larger_box_shows_the_second_shell():
    table = pd.read_csv(STORED / "box_64.csv")
    assert table["r_A"].max() > 6
    peaks = [table[table["r_A"].between(*shell)] for shell in ((2.5, 3.2), (4.0, 5.0))]
    first, second = (shell.loc[shell["OO"].idxmax()] for shell in peaks)
    assert first["r_A"] == pytest.approx(2.79, abs=0.1) and 2.2 < first["OO"] < 3.5
    assert second["r_A"] == pytest.approx(4.5, abs=0.3) and 1.05 < second["OO"] < 1.4


def test_the_potential_has_the_errors_that_are_stored_with_it():
    told = pd.read_csv(STORED / "gap.csv").iloc[0]
    found = evaluate(load_potential(STORED / "gap.xml"), load_frames("water", "validate"))
    assert found.rmse_energy_meV_per_atom == pytest.approx(
        told["rmse_energy_meV_per_atom"], rel=1e-5
    )
    assert found.rmse_forces_meV_per_A == pytest.approx(told["rmse_forces_meV_per_A"], rel=1e-5)


@pytest.mark.parametrize(("name", "kelvin"), [("liquid", 300), ("ice", 200)])
def test_spectra_are_of_liquid_water_and_of_ice(name, kelvin):
    with np.load(STORED / f"polarizabilities_{name}.npz") as stored:
        times, tensors, kelvins = (
            stored[key] for key in ("times_fs", "polarizability_A3", "temperature_K")
        )
    assert times[-1] >= (10_000 if name == "liquid" else 4_000) and np.allclose(np.diff(times), 2)
    assert tensors.shape == (*kelvins.shape, 3, 3)
    assert np.array_equal(tensors, tensors.swapaxes(-1, -2))
    assert kelvins.astype(float).mean() == pytest.approx(kelvin, abs=10)
    dft = read_tensors(load_frames("water", "train", 200))
    mean = np.trace(tensors, axis1=-2, axis2=-1).mean()
    assert mean == pytest.approx(np.trace(dft, axis1=1, axis2=2).mean(), rel=0.05)
    phases = pd.read_csv(STORED / f"phases_{name}.csv")
    fields = [field.name for field in dataclasses.fields(Phase)]
    rows = phases[fields].to_dict("records")
    assert len(rows) == len(kelvins)
    verdicts = [Phase(**row).verdict for row in rows]
    assert verdicts == ["liquid" if name == "liquid" else "frozen"] * len(rows)


def test_the_stored_model_of_polarizabilities_knows_the_frames():
    frames = load_frames("water", "train", 200)[:5]
    predicted = load_model(STORED / "polarizability.npz").predict(frames)
    assert predicted == pytest.approx(read_tensors(frames), abs=0.5)


def test_dft_drives_the_molecules_of_the_failing_run_apart():
    """Energies rise along it, and where it ends the closest two oxygens repel each other."""
    frames = read_frames(STORED / "failing_run.xyz")
    assert frames[0].info["time_fs"] == 0 and frames[0] == load_frames("water", "validate")[0]
    energies = [atoms.info["dft_energy"] for atoms in frames]
    assert energies == sorted(energies)
    last = frames[-1]
    oxygens = np.flatnonzero(last.numbers == 8)
    distances = last.get_all_distances(mic=True)[np.ix_(oxygens, oxygens)]
    np.fill_diagonal(distances, np.inf)
    first, second = oxygens[list(np.unravel_index(distances.argmin(), distances.shape))]
    along = last.get_distance(first, second, mic=True, vector=True)
    assert np.linalg.norm(along) < 2.11
    forces = last.arrays["dft_forces"]
    assert (forces[second] - forces[first]) @ along / np.linalg.norm(along) > 6  # eV/Å


def test_fits_through_simulations_approach_their_targets():
    """Each curve comes closer to its target; parameters are found within what a sample tells."""
    for study, curves in pd.read_csv(STORED / "through_simulations.csv").groupby("study"):
        x, wanted = curves[curves["curve"] == "target"][["x", "y"]].to_numpy().T
        away = {}
        for name in ("before", "after"):
            rows = curves[curves["curve"] == name]
            away[name] = np.sqrt(np.mean((np.interp(x, rows["x"], rows["y"]) - wanted) ** 2))
        assert away["after"] < 0.7 * away["before"], study
    numbers = pd.read_csv(STORED / "through_simulations_numbers.csv")
    torsions = numbers[numbers["quantity"].str.startswith("k of")]
    assert len(torsions) == 2
    missed = (torsions["after"] - torsions["target"]).abs()
    assert (missed < 2 * torsions["after_error"]).all() and (torsions["after_error"] < 1).all()


def test_ways_to_learn_a_pair_potential_differ_as_the_readme_says():
    table = pd.read_csv(STORED / "coarse_learning.csv")
    keys = ["runs", "interval", "noise", "way"]
    assert (table.groupby(keys)["seed"].nunique() == 3).all()
    error = table.groupby(keys)["force_error"].mean()
    for n_runs in (1, 4, 16):
        few = error[n_runs, 0.02, 0.0]
        assert few.idxmin() == "forces" and few.idxmax() == "places"
    apart = error[16, 0.4, 0.0]
    assert apart.idxmin() == "motion" and apart["differences"] > 5 * apart["motion"]
    noisy = error[16, 0.02, 0.03].drop("places")
    assert noisy.max() < 1.2 * noisy.min()
    committee = pd.read_csv(STORED / "coarse_committee.csv").groupby("runs")["rank_correlation"]
    assert committee.first().is_monotonic_decreasing


def test_what_benzene_and_the_refined_gap_show_is_what_their_readme_says():
    benzene = pd.read_csv(BENCHMARKS / "coarse_benzene.csv").groupby("way").mean(numeric_only=True)
    learned = benzene.loc[["forces", "trajectories"]]
    assert (learned["force_error"] < 0.1).all() and (learned["energy_rmse_meV"] < 3).all()
    numbers = pd.read_csv(STORED / "through_simulations_numbers.csv")
    gap = numbers[numbers["study"] == "gap"].set_index("quantity")
    for quantity in ("first maximum of g(OO)", "first minimum of g(OO)"):
        before, after, target = gap.loc[quantity, ["before", "after", "target"]]
        assert abs(after - target) < 0.5 * abs(before - target)
    pbe = gap.loc["error of forces, PBE-D3, meV/Å"]
    assert 1.05 < pbe["after"] / pbe["before"] < 1.2


def test_long_runs_of_the_default_keep_their_bonds():
    runs = pd.read_csv(BENCHMARKS / "liquid.csv", keep_default_na=False)
    assert (runs["stopped"] == "").all() and (runs["picoseconds"] == 20).all()
    assert (runs["drift_meV_per_atom_per_ps"].abs() < 0.02).all()
    small, large = (runs[runs["n_molecules"] == n] for n in (16, 64))
    assert len(small) == 10 and (small["verdict"] == "liquid").sum() == 8
    assert len(large) == 6 and (large["verdict"] == "liquid").all()
    assert 0.6 * 0.24 < large["diffusion_infinite_A2_per_ps"].mean() < 1.4 * 0.24
    assert (large["first_peak_OO_A"] - 2.80).abs().max() < 0.05
    melting = pd.read_csv(BENCHMARKS / "melting.csv", keep_default_na=False)
    frozen = melting[(melting["start"] == "frozen") & (melting["bath_K"] == 300)]
    assert (frozen["verdict"] == "frozen").all()


def test_the_default_was_chosen_for_bonds_that_hold():
    table = pd.read_csv(BENCHMARKS / "choose_presets.csv").set_index("candidate")
    chosen, broke = table.loc["chosen"], table.loc["whose bonds broke"]
    assert chosen["stretching_eV"] > broke["stretching_eV"] + 0.1
    assert chosen["held_out_meV_per_A"] < broke["held_out_meV_per_A"]
