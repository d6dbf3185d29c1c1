"""The keys of gap_fit outside ``gap={}``: old and new spellings, defaults, and which are passed on.

Source: what gap_fit 0.10.3 prints as its input parameters, and what it does with each.
"""

from __future__ import annotations

from typing import Any

# Old and new spellings of the same key; gap_fit takes both.
ALIASES = {
    "at_file": "atoms_filename",
    "gp_file": "gap_file",
    "do_copy_at_file": "do_copy_atoms_file",
    "default_kernel_regularisation": "default_sigma",
    "config_type_kernel_regularisation": "config_type_sigma",
    "sigma_parameter_name": "kernel_regularisation_parameter_name",
    "sigma_per_atom": "kernel_regularisation_is_per_atom",
    "core_param_file": "baseline_param_filename",
    "core_ip_args": "baseline_ip_args",
    "hessian_delta": "hessian_displacement",
    "default_local_property_sigma": "default_kernel_regularisation_local_property",
}
# What gap_fit assumes where a key is absent, in ``gap={}`` too. The seed is the exception: gap_fit
# would take a new one each time, and the kit's results are to be repeatable.
GAP_FIT_DEFAULTS: dict[str, Any] = {
    "e0_method": "isolated",
    "energy_parameter_name": "energy",
    "force_parameter_name": "force",
    "sparse_jitter": 1e-10,
    "do_copy_atoms_file": True,
    "sparse_separate_file": True,
    "gap_file": "gap_new.xml",
    "rnd_seed": 1,
    "cutoff_transition_width": 0.5,
    "sparse_method": "random",
}
OPTIONAL = {*GAP_FIT_DEFAULTS, "e0", "config_type_sigma"}
# Names of labels; gap_fit puts parameter_name_prefix before each.
LABEL_NAMES = {
    "energy_parameter_name": "energy",
    "force_parameter_name": "force",
    "local_property_parameter_name": "local_property",
    "virial_parameter_name": "virial",
    "stress_parameter_name": "stress",
    "hessian_parameter_name": "hessian",
    "config_type_parameter_name": "config_type",
    "kernel_regularisation_parameter_name": "sigma",
    "force_mask_parameter_name": "force_mask",
    "local_property_mask_parameter_name": "local_property_mask",
}
# Further keys, which the kit passes on as they are.
FURTHER_KEYS = {
    *LABEL_NAMES,
    "default_kernel_regularisation_local_property",
    "do_ip_timing",
    "e0_offset",
    "hessian_displacement",
    "kernel_regularisation_is_per_atom",
    "local_property0",
    "openmp_chunk_size",
    "sparse_use_actual_gpcov",
    "verbosity",
} - {"energy_parameter_name", "force_parameter_name"}
# What gap_fit obeys where a frame holds it, beside energy, forces, virial and config_type.
IN_FRAMES = {
    *("energy_sigma", "force_sigma", "virial_sigma", "hessian_sigma", "virial_component_sigma"),
    *("force_atom_sigma", "force_component_sigma", "force_mask", "sigma", "hessian", "n_hessian"),
    *("local_property", "local_property_sigma", "local_property_mask"),
}
# Keys that make gap_fit do something else than train one model, or read and write further files.
ONLY_GAP_FIT = {
    *("baseline_ip_args", "baseline_param_filename", "condition_number_norm", "config_file"),
    *("dryrun", "export_covariance", "linear_system_dump_file", "mpi_blocksize_cols"),
    *("mpi_blocksize_rows", "mpi_print_all", "sparsify_only_no_fit", "template_file"),
}
# Options inside ``gap={}`` that name further files.
FILE_OPTIONS = ("sparse_file", "theta_file", "print_sparse_index", "mark_sparse_atoms")
# How sparse points are chosen, for soap and for distance_2b; those from files are gap_fit's alone.
SPARSE_METHODS = (
    *("random", "cur_points", "cur_covariance", "covariance", "uniform", "kmeans", "cluster"),
    *("pivot", "fuzzy", "none"),
)
