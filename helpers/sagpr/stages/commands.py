"""The stages of the handout as commands: ``sagpr_get_PS`` and the three that follow it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.terminal import teaching_script


def get_PS() -> int:
    """Entry point of ``sagpr_get_PS``: frames → power spectra."""
    from helpers.sagpr.lambda_soap import LambdaSoap

    soap, default = LambdaSoap(), "default: %(default)s"
    parser = _parser(
        "Power spectra: equivariant features (λ-SOAP) of the environment of each center.",
        "sagpr_get_PS -f frames.xyz -lm 2 -p -nc 200 -c O -s H O -o PS2",
    )
    add = parser.add_argument
    add("-f", "--fname", required=True, help="frames: an extended XYZ file, or a shipped one")
    add("-lm", "--lambdaval", type=int, default=0, help="λ, order of the features; default: 0")
    add("-p", "--periodic", action="store_true", help="the frames are periodic")
    add("-nc", "--ncut", type=int, default=-1, help="features to select; default: -1, all")
    add("-rc", "--rcut", type=float, default=soap.cutoff_A, help=f"cutoff, Å; {default}")
    add("-sg", "--sigma", type=float, default=soap.sigma_A, help=f"Gaussian width, Å; {default}")
    add("-n", "--nmax", type=int, default=soap.n_max, help=f"radial functions; {default}")
    add("-l", "--lmax", type=int, default=soap.l_max, help=f"largest l; {default}")
    add("-c", "--centers", nargs="+", default=soap.centers, help="center atoms; default: O")
    add("-s", "--species", nargs="+", default=soap.elements, help="neighbors; default: H O")
    add("-sf", "--sparsefile", help="PS0: use the selection of PS0_fps.npy, made with -nc before")
    add("-o", "--outfile", required=True, help="PS0: write PS0.npy, PS0_natoms.npy (PS0_fps.npy)")
    return teaching_script(parser, _get_PS)


def _get_PS(options: argparse.Namespace) -> int:
    import numpy as np

    from helpers.frames import find_frames_file, read_frames
    from helpers.sagpr.lambda_soap import LambdaSoap
    from helpers.sagpr.stages.power_spectra import write_power_spectra

    frames = read_frames(find_frames_file(options.fname))
    if not options.periodic and any(atoms.pbc.any() for atoms in frames):
        print("note: without -p the frames are taken for molecules in empty space", file=sys.stderr)
    paths = write_power_spectra(
        frames,
        options.lambdaval,
        options.outfile,
        soap=LambdaSoap(
            cutoff_A=options.rcut,
            sigma_A=options.sigma,
            n_max=options.nmax,
            l_max=options.lmax,
            centers=tuple(options.centers),
            elements=tuple(options.species),
        ),
        periodic=options.periodic,
        n_features=None if options.ncut == -1 else options.ncut,
        selection=options.sparsefile,
        progress=True,
    )
    n_features = np.load(paths[0], mmap_mode="r").shape[-1]
    if n_features < options.ncut:
        print(f"note: no more than {n_features} features differ, for each element", file=sys.stderr)
    _print_paths(paths)
    return 0


def get_kernel() -> int:
    """Entry point of ``sagpr_get_kernel``: power spectra → kernels."""
    parser = _parser(
        "Kernels: how similar frames are, for each pair of components m.",
        "sagpr_get_kernel -ps PS2.npy -ps0 PS0.npy -z 2 -s PS2_natoms.npy -o kernel2",
    )
    add = parser.add_argument
    one_or_two: dict[str, Any] = {"nargs": "+", "metavar": "FILE"}
    add(
        "-ps", "--power", required=True, **one_or_two, help="power spectra: of the training set; "
        "or two files, of new frames and of the training set"
    )  # fmt: skip
    add("-ps0", "--power0", default=[], **one_or_two, help="those of λ = 0, for -z 2 with λ > 0")
    add("-z", "--zeta", type=int, default=1, help="1: linear; 2: like environments count more")
    add("-s", "--scaling", default=[], **one_or_two, help="PS0_natoms.npy: divide by the atoms")
    add("-o", "--output", required=True, help="kernel0: write kernel0.npy")
    return teaching_script(parser, _get_kernel)


def _get_kernel(options: argparse.Namespace) -> int:
    from helpers.sagpr.stages.kernels import write_kernel

    settings = {"zeta": options.zeta, "spectra_0": options.power0, "n_atoms": options.scaling}
    path = write_kernel(options.power, options.output, **settings)
    lambda_ = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["lambda"]
    if options.power0 and (options.zeta == 1 or lambda_ == 0):
        print("note: -ps0 is not needed here, and was not read", file=sys.stderr)
    _print_paths([path])
    return 0


def train() -> int:
    """Entry point of ``sagpr_train``: kernels → weights."""
    parser = _parser(
        "Training: weights of the training frames, for λ = 0 and 2.",
        "sagpr_train -r 2 -p Polarizability -f frames.xyz -k kernel0.npy kernel2.npy "
        "-reg 1e-5 1e-3 -rdm 150 -ftr 1.0 -pr -w weights",
    )
    add = parser.add_argument
    _add_rank(parser)
    add("-p", "--property", default="Polarizability", help="its name; default: %(default)s")
    add("-t", "--threshold", type=float, help="largest antisymmetric part to ignore (unit of -p)")
    add("-f", "--features", required=True, help="the frames of the kernels, with the property")
    add("-k", "--kernel", nargs="+", required=True, metavar="FILE", help="kernels of λ = 0 and 2")
    add(
        "-reg", "--regularization", nargs="+", type=float, metavar="R", help="one for each kernel, "
        "relative to the mean of its diagonal; default: chosen by leave-one-out"
    )  # fmt: skip
    add("-rdm", "--random", type=int, default=0, help="train on so many random frames")
    add("-ftr", "--ftrain", type=float, default=1.0, help="on this fraction of them, 0 to 1")
    add("-sel", "--select", nargs=2, type=int, metavar=("FIRST", "END"), help="train on these")
    add(
        "-pr",
        "--prediction",
        action="store_true",
        help="predict the other frames, print the errors",
    )
    add("-w", "--weights", default="weights", help="write WEIGHTS_0.npy, …; default: %(default)s")
    add("--seed", type=int, default=0, help="seed of -rdm; default: %(default)s")
    return teaching_script(parser, _train)


def _train(options: argparse.Namespace) -> int:
    from helpers.frames import find_frames_file, read_frames
    from helpers.sagpr.stages.train import train_on_kernels

    fit = train_on_kernels(
        read_frames(find_frames_file(options.features)),
        options.kernel,
        options.weights,
        regularization=options.regularization,
        property_name=options.property,
        threshold=options.threshold,
        random=options.random,
        fraction=options.ftrain,
        selected=options.select,
        predict=options.prediction,
        seed=options.seed,
    )
    regularization = ", ".join(f"{value:.2g} (λ = {k})" for k, value in fit.regularization.items())
    print(f"{len(fit.training)} training frames; regularization {regularization}")
    print(f"antisymmetric part, not learned: {fit.antisymmetric_rms:.2g} RMS")
    tables = {"Left out one by one": fit.loo_errors, "The other frames": fit.test_errors}
    for title, table in tables.items():
        if table is not None:
            print(f"\n{title}: RMSE, standard deviation, and the first in % of the second")
            print(table.to_string(index=False, float_format="{:.4g}".format))
    if options.prediction and fit.test_errors is None:
        print("note: there are no other frames for -pr; see -rdm and -sel", file=sys.stderr)
    _print_paths(fit.weights)
    return 0


def prediction() -> int:
    """Entry point of ``sagpr_prediction``: kernels and weights → tensors."""
    parser = _parser(
        "Prediction: tensors of new frames.",
        "sagpr_prediction -r 2 -k kernel0_new.npy kernel2_new.npy -w weights -o trajectory",
    )
    _add_rank(parser)
    add = parser.add_argument
    add("-k", "--kernel", nargs="+", required=True, metavar="FILE", help="of new frames with the "
        "training set, λ = 0 and 2")  # fmt: skip
    add("-w", "--weights", default="weights", help="as sagpr_train had it; default: %(default)s")
    add("-o", "--ofile", default="prediction", help="NAME: write NAME_cartesian.out, a line of "
        "9 numbers for each frame; default: %(default)s")  # fmt: skip
    return teaching_script(parser, _prediction)


def _prediction(options: argparse.Namespace) -> int:
    from helpers.sagpr.stages.train import predict_from_kernels

    path, tensors = predict_from_kernels(options.kernel, options.ofile, weights=options.weights)
    print(f"{len(tensors)} frames")
    _print_paths([path])
    return 0


def _parser(description: str, example: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, epilog=f"Example: {example}", allow_abbrev=False
    )
    # argparse of older Pythons takes -1e-3 for a flag; a number is a number.
    parser._negative_number_matcher = re.compile(r"-\.?\d")
    return parser


def _add_rank(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r", "--rank", type=int, required=True, choices=[2], help="2: symmetric tensors of rank 2"
    )


def _print_paths(paths: Sequence[Path]) -> None:
    for path in paths:
        print(f"written: {path} ({path.stat().st_size / 1e6:.2f} MB)")
