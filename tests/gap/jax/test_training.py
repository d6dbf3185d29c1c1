"""Training without gap_fit: the same model from the same sparse points."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from helpers import GapConfig, TwoBody, evaluate, fit_gap, load_frames, load_potential
from helpers.errors import ConfigError, DataError, FitError
from helpers.gap import Soap
from helpers.gap.jax import training
from helpers.gap.jax.calculator import JaxCalculator
from helpers.gap.jax.least_squares import Triangle, fold_triangles
from helpers.gap.jax.requirements import check_memory, memory_MB
from helpers.gap.jax.sparsification import new_terms
from helpers.gap.jax.training_progress import JaxFitProgress
from helpers.gap.training_set import virial_label
from helpers.gap.xml import read_model, write_model

SMALL = GapConfig(
    cutoff=4.0,
    cutoff_transition_width=0.5,
    n_max=4,
    n_sparse=15,
    default_sigma=(0.001, 0.05, 0.0, 0.0),
    two_body=TwoBody(cutoff=4.0, n_sparse=8),
)


def labeled(atoms: Atoms, calculator, *, virial: bool = False) -> Atoms:
    """Return atoms with labels and without a calculator."""
    atoms = atoms.copy()
    atoms.calc = calculator
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    if virial:
        atoms.info["virial"] = -atoms.get_volume() * atoms.get_stress(voigt=False)
    atoms.calc = None
    atoms.info["dft_energy"], atoms.arrays["dft_forces"] = energy, forces
    return atoms


def alloy(n_frames: int, *, symbols: tuple[str, ...] = ("Cu", "Ni"), virial: bool = False):
    """Crystals of two sizes, strained and rattled, labeled by effective medium theory."""
    rng = np.random.default_rng(0)
    frames = []
    for k in range(n_frames):
        atoms = bulk("Cu", cubic=True) * (1 + k % 2, 1, 1)
        atoms.symbols[:] = [symbols[i % len(symbols)] for i in range(len(atoms))]
        strain = np.eye(3) + 0.03 * rng.standard_normal((3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.1, seed=k)
        frames.append(labeled(atoms, EMT(), virial=virial and k % 2 == 0))
    return frames


def molecules(n_frames: int):
    """Molecules of three elements in boxes that keep them alone; their labels need not be good."""
    frames = []
    for k in range(n_frames):
        atoms = molecule(("CH3OH", "H2CO", "CO2")[k % 3])
        atoms.rattle(0.05, seed=k)
        atoms.center(vacuum=6.0)
        frames.append(labeled(atoms, LennardJones(sigma=0.8, epsilon=0.5, rc=6.0)))
    return frames


def crystals(n_frames: int):
    """Strained crystals: all atoms of a frame have the same environment."""
    frames = []
    for k in range(n_frames):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell.array * [1 + 0.01 * k, 1, 1], scale_atoms=True)
        frames.append(labeled(atoms, EMT()))
    return frames


def of_two_kinds():
    """An alloy and molecules of water, in frames that say which they are, some of them not."""
    frames = alloy(6) + load_frames("water", "train", 50)[:3]
    for k, atoms in enumerate(frames):
        if k not in (0, 7):
            atoms.info["config_type"] = "alloy" if k < 6 else "water"
    return frames


def _words(term, name: str) -> list[str]:
    return term.options.get(name, "").strip("{}").split()


CASES = {
    "water, both terms": lambda: (SMALL, load_frames("water", "train", 50)[:6]),
    "water, no pairs, zeta 4": lambda: (
        SMALL.replace(two_body=None, zeta=4, l_max=4),
        load_frames("water", "train", 50)[:6],
    ),
    "alloy, two sizes, virials": lambda: (
        SMALL.replace(default_sigma=(0.001, 0.05, 0.02, 0.0)),
        alloy(8, virial=True),
    ),
    "metal": lambda: (SMALL, alloy(6, symbols=("Cu",))),
    "molecules of three elements": lambda: (
        SMALL.replace(n_sparse=5, two_body=None),
        molecules(9),
    ),
    "crystals with few environments": lambda: (SMALL, crystals(9)),
    "errors by config type": lambda: (
        SMALL.replace(
            n_sparse=4,
            two_body=None,  # gap_fit refuses pairs of elements that never meet
            e0_method=None,
            e0={"Cu": 0.0, "Ni": 0.0, "O": -440.0, "H": -14.5},
            config_type_sigma={"water": (0.002, 0.1, 0.0, 0.0), "alloy": (0.01, 0.02, 0.0, 0.0)},
        ),
        of_two_kinds(),
    ),
    "two SOAPs and two sets of pairs": lambda: (
        SMALL.replace(more_terms=(Soap(cutoff=3.0, n_max=3, n_sparse=9), TwoBody(3.0, n_sparse=4))),
        alloy(6),
    ),
    "energies of isolated atoms are given": lambda: (
        SMALL.replace(e0_method=None, e0={"Cu": -1.0, "Ni": -0.5}),
        alloy(6),
    ),
}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A function: settings, frames and gap_fit's model of one of the `CASES`."""
    made = {}

    def fit(case: str):
        if case not in made:
            config, frames = CASES[case]()
            output = tmp_path_factory.mktemp("fitted") / "gap.xml"
            result = fit_gap(config, frames, output=output, progress=False)
            made[case] = config, frames, read_model(result.model_path)
        return made[case]

    return fit


QUICK = "metal"
EACH_CASE = [
    case if case == QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES
]


@pytest.mark.slow
@pytest.mark.xdist_group("training")
@pytest.mark.parametrize("case", EACH_CASE)
def test_from_the_same_sparse_points_comes_the_same_model(case, fitted):
    config, frames, theirs = fitted(case)
    weights = training.solve(theirs, frames, config)
    expected, found = (
        JaxCalculator(model) for model in (theirs, training.with_weights(theirs, weights))
    )
    for atoms in (*frames[:2], frames[-1]):  # of each size and kind
        difference = expected.get_potential_energy(atoms) - found.get_potential_energy(atoms)
        assert abs(difference) < 1e-8 * len(atoms)
        assert np.abs(expected.get_forces(atoms) - found.get_forces(atoms)).max() < 1e-6


@pytest.mark.xdist_group("training")
@pytest.mark.parametrize("case", EACH_CASE)
def test_the_terms_are_those_of_gap_fit(case, fitted):
    config, frames, theirs = fitted(case)
    ours = new_terms(config, frames)
    assert len(ours.terms) == len(theirs.terms)
    for term, other in zip(ours.terms, theirs.terms, strict=True):
        assert term.kind == other.kind and len(term.alpha) == len(other.alpha)
        for name in ("Z", "Z1", "Z2", "species_Z"):
            assert _words(term, name) == _words(other, name)
    for number, energy in ours.e0.items():
        assert energy == pytest.approx(theirs.e0.get(number, 0.0), abs=1e-10)


@pytest.mark.slow
def test_a_trained_model_goes_where_those_of_gap_fit_go(tmp_path):
    """Written, read and evaluated by quippy, it gives the same numbers."""
    frames = load_frames("water", "train", 50)[:8]
    trained = training.train(SMALL, frames)
    path = write_model(trained.model, tmp_path / "gap.xml")
    validation = load_frames("water", "validate")[:3]
    quippy, ours = load_potential(path, engine="quippy"), JaxCalculator(trained.model)
    for atoms in validation:
        difference = quippy.get_potential_energy(atoms) - ours.get_potential_energy(atoms)
        assert abs(difference) < 1e-8 * len(atoms)
        assert np.abs(quippy.get_forces(atoms) - ours.get_forces(atoms)).max() < 1e-7
    assert trained.n_force_components == 8 * 144


@pytest.mark.slow
def test_it_is_as_good_as_gap_fit(tmp_path):
    frames = load_frames("water", "train", 50)
    config = GapConfig(n_sparse=60)
    validation = load_frames("water", "validate")[::5]
    fit = fit_gap(config, frames, output=tmp_path / "theirs.xml", progress=False)
    theirs = evaluate(fit.model_path, validation, progress=False).rmse_forces_meV_per_A
    ours = []
    for seed in range(3):
        trained = training.train(config.replace(rnd_seed=seed), frames)
        path = write_model(trained.model, tmp_path / f"{seed}.xml")
        ours.append(evaluate(path, validation, progress=False).rmse_forces_meV_per_A)
    assert np.mean(ours) == pytest.approx(theirs, rel=0.05)


def test_the_same_seed_gives_the_same_model(frames10):
    first, again = (training.train(SMALL, frames10).model for _ in range(2))
    assert np.array_equal(first.weights, again.weights)
    other = training.train(SMALL.replace(rnd_seed=2), frames10).model
    assert not np.array_equal(first.terms[-1].sparse_points, other.terms[-1].sparse_points)


def test_more_sparse_points_than_environments_are_all_of_them(frames10):
    with pytest.warns(UserWarning, match="n_sparse=500 is more than the 32"):
        model = new_terms(SMALL.replace(n_sparse=500), frames10[:2])
    assert [len(term.alpha) for term in model.terms][-2:] == [32, 64]


def with_info(**labels):
    return lambda atoms: atoms.info.update(labels)


def with_array(name, value):
    return lambda atoms: atoms.set_array(name, np.full(len(atoms), value))


@pytest.mark.parametrize(
    ("config", "spoil", "kind", "message"),
    [
        (
            SMALL.replace(sparse_method="covariance"),
            None,
            ConfigError,
            "'covariance' is known to gap_fit only",
        ),
        (
            SMALL.replace(more_terms=(Soap(sparse_method="covariance"),)),
            None,
            ConfigError,
            "'covariance' is known to gap_fit only",
        ),
        (SMALL.replace(do_copy_atoms_file=True), None, ConfigError, "do_copy_atoms_file=True"),
        (SMALL, with_info(force_sigma=0.1), DataError, "Frame 2 .* holds 'force_sigma'"),
        (SMALL, with_array("force_mask", True), DataError, "Frame 2 .* holds 'force_mask'.*delete"),
        (SMALL, with_array("local_property", 1.0), DataError, "Frame 2 .* holds 'local_property'"),
    ],
)
def test_what_only_gap_fit_can_do_is_named(tmp_path, frames10, config, spoil, kind, message):
    if spoil is not None:
        spoil(frames10[1])
    with pytest.raises(kind, match=message):
        fit_gap(config, frames10, output=tmp_path / "gap.xml", engine="jax", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_stress_is_a_virial():
    atoms = alloy(1, virial=True)[0]
    other = atoms.copy()
    virial = other.info.pop("virial")
    other.info["stress"] = -virial / other.get_volume()
    assert np.allclose(virial_label(atoms), virial_label(other))


def test_memory_that_is_not_there_is_told_beforehand(frames10):
    with pytest.raises(FitError, match="This fit needs .* MB of memory.*are free.*n_sparse"):
        check_memory(SMALL.replace(n_sparse=1_000_000), frames10)


def test_the_number_of_frames_does_not_change_the_memory(frames10):
    assert memory_MB(GapConfig(), frames10) == memory_MB(GapConfig(), 100 * frames10)


def test_ten_thousand_frames_took_time_in_proportion_and_no_more_memory():
    """What ``benchmarks/fit_many_frames.py`` measured."""
    table = pd.read_csv(Path(__file__).parents[3] / "benchmarks" / "fit_many_frames.csv")
    assert {1000, 10_000} <= set(table["n_frames"])
    per_frame = table["cpu_seconds"] / table["n_frames"]
    # The machine did more and more other work: 1000 frames took 15.7 s again after the 10,000.
    assert per_frame.max() < 1.35 * per_frame.min()
    assert table["memory_MB"].max() - table["memory_MB"].min() < 10
    assert (table["memory_MB"] < table["estimated_memory_MB"]).all()


def test_a_triangle_stands_for_its_rows_however_few_they_are():
    """Columns of zeros, such as those of pairs that a frame lacks, use up no row of R."""
    rng = np.random.default_rng(2)
    blocks = [rng.normal(size=(n, 12)) for n in (1, 4, 1, 9)]
    for block in blocks[:3]:
        block[:, [0, 3, 4]] = 0
    blocks[0][:, :8] = 0
    triangles = []
    for block in blocks:
        triangle = Triangle(12)
        triangle.add(block)
        triangles.append(triangle.finish())
        np.testing.assert_allclose(triangles[-1].T @ triangles[-1], block.T @ block, atol=1e-12)
    whole, rows = fold_triangles(triangles, 12), np.concatenate(blocks)
    np.testing.assert_allclose(whole.T @ whole, rows.T @ rows, atol=1e-12)


def test_the_bar_of_a_fit_is_exactly_full_in_the_end_and_only_then(frames10):
    """A notebook paints a bar red that is not, even by a rounding error."""
    with JaxFitProgress(1705, frames10, show=True) as progress:
        for _ in range(2 * len(frames10)):
            progress.selecting()
        for _ in frames10:
            progress.comparing()
            assert progress._bar.n <= progress._bar.total
    assert progress._bar.n == progress._bar.total
    with pytest.raises(ZeroDivisionError), JaxFitProgress(1705, frames10, show=True) as progress:
        progress.comparing()
        _ = 1 / 0
    assert progress._bar.n < progress._bar.total
