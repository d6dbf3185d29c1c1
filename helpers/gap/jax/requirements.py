"""What the kit's own engine can do, and the memory that it needs: checked before any work."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from helpers.errors import ConfigError, FitError
from helpers.frames import label
from helpers.gap.config import GapConfig, TwoBody
from helpers.gap.jax import least_squares, sparse_points
from helpers.gap.jax.least_squares import N_PARTS
from helpers.gap.jax.sparsification import SELECTIONS, elements_of, soap_settings

COMPILER_MB = 150.0  # JAX, what it compiles, and copies of the arrays of a frame; measured


def check_training(config: GapConfig, frames: Sequence[Atoms]) -> None:
    """Refuse, by name, what only gap_fit can do.

    Raises
    ------
    ConfigError
        If a setting is one that only gap_fit knows, or virials have no expected error.
    """
    if config.only_gap_fit:
        raise ConfigError(
            f"The config holds what only gap_fit trains: {config.only_gap_fit}",
            fix="leave it out, or use engine='gap_fit'",
        )
    if config.do_copy_atoms_file:
        raise ConfigError(
            "do_copy_atoms_file=True is something that only gap_fit does",
            fix="leave it False, or use engine='gap_fit'",
        )
    for term in config.terms:
        if term.sparse_method not in SELECTIONS:
            raise ConfigError(
                f"sparse_method={term.sparse_method!r} is known to gap_fit only",
                expected=" or ".join(map(repr, SELECTIONS)),
                fix="use engine='gap_fit'",
            )
    for number, atoms in enumerate(frames, start=1):
        stated = next((x for x in ("virial", "stress") if label(atoms, x) is not None), None)
        sigmas = config.sigmas_of(config.config_type_of(atoms))
        if stated and sigmas[2] <= 0:
            raise ConfigError(
                f"Frame {number} holds a {stated}, and default_sigma={config.default_sigma} has "
                "no expected error for it",
                expected="a third number above 0: the expected error of virials, eV per atom",
                fix=f"give one, such as 0.05, or delete {stated!r} from the frames",
            )


def n_sparse_points(config: GapConfig, frames: Sequence[Atoms]) -> int:
    """Return the number of sparse points, all terms together, if there are enough candidates."""
    n_elements = len(elements_of(frames))
    return sum(
        term.n_sparse
        * (n_elements * (n_elements + 1) // 2 if isinstance(term, TwoBody) else n_elements)
        for term in config.terms
    )


def memory_MB(config: GapConfig, frames: Sequence[Atoms]) -> float:
    """Return the memory that a fit will need beside what the process has, MB (1e6 bytes).

    It depends on the settings and on the largest frame, not on the number of frames.
    """
    elements = elements_of(frames)
    n_columns = n_sparse_points(config, frames) + 1
    selections = sum(
        len(elements)
        * sparse_points.memory_MB(soap_settings(term, elements).n_components, term.n_sparse)
        for term in config.terms
        if not isinstance(term, TwoBody)
    )
    of_frame = 8e-6 * 3 * 3 * max(len(atoms) for atoms in frames) * n_columns
    folding = N_PARTS * (least_squares.memory_MB(n_columns) + of_frame)
    at_the_end = 8e-6 * (N_PARTS + 5) * n_columns**2  # triangles, their sum, K_MM and its factor
    return COMPILER_MB + max(selections, folding, at_the_end)


def check_memory(config: GapConfig, frames: Sequence[Atoms]) -> float:
    """Return `memory_MB`, or raise `FitError` if there is less than that."""
    import psutil

    need = memory_MB(config, frames)
    free = psutil.virtual_memory().available / 1e6
    if need > free:
        raise FitError(
            f"This fit needs {need:.0f} MB of memory",
            found=f"{free:.0f} MB are free",
            fix="close other programs, or ask for fewer sparse points (n_sparse)",
        )
    return need
