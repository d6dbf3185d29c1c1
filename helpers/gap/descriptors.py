"""The options of ``soap`` and ``distance_2b``: QUIP's defaults, and what the formulas cover.

What a text leaves out has the value that QUIP gives it. The tables say which options the formulas
of the kit cover, and with which values; gap.xml files and config files are read by them.

Source: the options that quippy 0.10.3 registers for each descriptor, and what gap_fit 0.10.3 makes
of them (see the tests, which leave out each one and compare).
"""

from __future__ import annotations

from collections.abc import Iterable

from helpers.errors import UnsupportedModelError
from helpers.gap.quip_text import logical

KINDS = ("soap", "distance_2b")
# Other descriptors that gap_fit trains with; quippy evaluates them.
OTHER_KINDS = (
    *("angle_3b", "distance_Nb", "co_angle_3b", "co_distance_2b", "as_distance_2b", "coordination"),
    *("general_monomer", "general_dimer", "general_trimer", "water_monomer", "water_dimer"),
    *("water_trimer", "A2_dimer", "AB_dimer", "molecule_lo_d", "alex", "com_dimer", "soap_turbo"),
    *("soap_express", "bispectrum_so4", "bispectrum_so3", "behler", "cosnx", "trihis", "rdf"),
    *("bond_real_space", "atom_real_space", "power_so3", "power_so4", "AN_monomer"),
)
# Old and new spellings of one option; QUIP takes both.
ALIASES = {
    "atom_gaussian_width": "atom_sigma",
    "normalize": "normalise",
    "energy_scale": "delta",
    "soap_exponent": "zeta",
    "lengthscale_factor": "theta_fac",
    "lengthscale_uniform": "theta_uniform",
    "lengthscale_file": "theta_file",
}
# Numbers that the formulas take, with QUIP's default; None: QUIP has none.
NUMBERS: dict[str, dict[str, str | None]] = {
    "soap": {
        "cutoff": None,
        "cutoff_transition_width": "0.5",
        "atom_sigma": None,
        "n_max": None,
        "l_max": None,
        "n_species": "1",
        "species_Z": "0",  # 0: every element, in one channel
        "Z": "0",  # 0: every atom is a center
        "central_weight": "1.0",
        "basis_error_exponent": "10.0",
    },
    "distance_2b": {
        "cutoff": None,  # QUIP says 0, and gap_fit then fails
        "cutoff_transition_width": "0.5",
        "Z1": "0",  # 0: every element
        "Z2": "0",
    },
}
# Options that change the descriptor, with the only value that the formulas here cover: QUIP's
# default. An option that is in no list is refused.
FIXED = {
    "soap": {
        "average": "F",
        "central_reference_all_species": "F",
        "coupling": "T",
        "covariance_sigma0": "0",
        "covariance_type": "dot_product",
        "cutoff_dexp": "0",
        "cutoff_rate": "1",
        "cutoff_scale": "1",
        "diagonal_radial": "F",
        "f0": "0",
        "global": "F",
        "K": "0",
        "mix_shift": "0",
        "n_Z": "1",
        "normalise": "T",
        "nu_R": "2",
        "nu_S": "2",
        "radial_basis": "EQUISPACED_GAUSS",
        "R_mix": "F",
        "sym_mix": "F",
        "Z_map": "",
        "Z_mix": "F",
    },
    "distance_2b": {
        "covariance_type": "ard_se",
        "exponents": "1",
        "f0": "0",
        "n_exponents": "1",
        "only_inter": "F",
        "only_intra": "F",
        "resid_name": "",
        "tail_exponent": "0",
        "tail_range": "1",
    },
}
# What gap_fit used while it trained; of no consequence for a prediction.
TRAINING = {
    "add_species",
    "config_type_n_sparse",
    "delta",
    "mark_sparse_atoms",
    "n_sparse",
    "print_sparse_index",
    "sparse_file",
    "sparse_method",
    "theta_fac",
    "theta_file",
    "theta_uniform",
    "unique_descriptor_tolerance",
    "unique_hash_tolerance",
    "xml_version",
    "zeta",
}
_FIX = "use engine='quippy'"


def known_options(kind: str) -> set[str]:
    """Return the names of all options of a descriptor and of its Gaussian process."""
    return {*NUMBERS[kind], *FIXED[kind], *TRAINING}


def find_kind(keys: Iterable[str]) -> str:
    """Return the descriptor that one of the keys of a term names, or an empty text.

    It may stand anywhere in a term, in any case, as QUIP allows.
    """
    names = {name.casefold(): name for name in (*KINDS, *OTHER_KINDS)}
    return next((names[key.casefold()] for key in keys if key.casefold() in names), "")


def canonical(kind: str, pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return options by their usual names, the last where one is given twice, as QUIP does.

    Words without a value that QUIP does not know are left out, because it ignores them; those of a
    logical mean T.
    """
    names = {name.casefold(): name for name in known_options(kind)}
    options: dict[str, str] = {}
    for key, value in pairs:
        if key.casefold() == kind.casefold():
            continue
        name = ALIASES.get(key.casefold(), key.casefold())
        name = names.get(name, key)
        if value is not None:
            options[name] = value.strip()
        elif FIXED[kind].get(name) in ("T", "F") or name in ("add_species", "mark_sparse_atoms"):
            options[name] = "T"
    return options


def with_defaults(kind: str, options: dict[str, str]) -> dict[str, str]:
    """Return the options, and QUIP's values of the numbers that are not among them."""
    absent = {
        name: value
        for name, value in NUMBERS[kind].items()
        if name not in options and value is not None
    }
    return {**options, **absent}


def check_option(kind: str, name: str, value: str) -> None:
    """Raise `UnsupportedModelError` where an option means something that the formulas do not."""
    fixed = FIXED[kind]
    if name in fixed and not _same(value, fixed[name]):
        raise UnsupportedModelError(
            f"JAX does not know {kind} with {name}={value}",
            expected=f"{name}={fixed[name] or 'nothing'}",
            fix=_FIX,
        )
    if name not in known_options(kind):
        raise UnsupportedModelError(f"JAX does not know {kind}'s option {name}={value}", fix=_FIX)


def _same(value: str, expected: str) -> bool:
    value = value.strip("{}").strip()
    if value.casefold() == expected.casefold() or {value.casefold(), expected} == {
        "gaussian",
        "ard_se",
    }:
        return True
    try:
        return logical(value.strip(".")) == logical(expected)
    except ValueError:
        pass
    try:
        return float(value) == float(expected)
    except ValueError:
        return False
