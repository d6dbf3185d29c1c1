"""What the examples share: look, split, settings from the data, fit, errors, a short run."""

import argparse
from pathlib import Path

from helpers import evaluate, fit_gap, load_potential, run_nve
from helpers.datasets import from_atoms, look_at, split_dataset, write_dataset
from helpers.gap import suggest_config


def options(description, n_frames):
    """Read the options that all examples have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--frames", type=int, default=n_frames, help="default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("results"), help="default: results")
    return parser.parse_args()


def train_and_run(frames, folder, *, validation=None, temperature_K=300.0, timestep_fs=1.0):
    """Go the whole way from labeled frames to a short run; print what happens."""
    folder.mkdir(exist_ok=True)
    dataset = from_atoms(frames)
    print(dataset)
    for remark in look_at(dataset).problems:
        print(f"to mend: {remark.text}")
    if validation is None:
        parts = split_dataset(dataset)
        training, validation = parts.training, parts.validation
        print(parts.how)
    else:
        training = dataset
    write_dataset(training, folder / "training.xyz")
    suggestion = suggest_config(training)
    print(suggestion.reasons.to_string(index=False))
    fit = fit_gap(suggestion.config, list(training), output=folder / "gap.xml", progress=False)
    print(fit)
    print(f"validation: {evaluate(fit.model_path, list(validation))}")
    calmest = min(validation, key=lambda atoms: atoms.info["dft_energy"] / len(atoms))
    run = run_nve(
        load_potential(fit.model_path, engine="quippy"),
        calmest,
        steps=50,
        timestep_fs=timestep_fs,
        temperature_K=temperature_K,
        engine="ase",
        progress=False,
    )
    drift = 1000 * (run.total_eV[-1] - run.total_eV[0]) / len(run.start)
    print(f"dynamics: {run.stopped or 'stable'}, total energy {drift:+.2f} meV/atom in the end")
