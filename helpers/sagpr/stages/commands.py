"""The stages of the handout as commands: ``sagpr_get_PS`` and the three that follow it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from helpers import checks
from helpers.errors import nearest
from helpers.terminal import teaching_script

if TYPE_CHECKING:
    from ase import Atoms


# Flags of the original (TENSOAP) that are known and not taken, by command.
REFUSED = {
    "sagpr_get_PS": {
        "-cw": "the atom at the center always counts as one neighbor",
        "-i": "the first feature is the one with the largest norm, so that every run selects alike",
        "-a": "power spectra are written frame by frame",
        "-im": "antisymmetric tensors are not learned",
        "-nf": "a frame is described whole",
    },
    "sagpr_get_kernel": {},
    "sagpr_train": {
        "-sf": "kernels of all frames are used, not of selected environments",
        "-sp": "λ = 0 and 2 are learned together: give both kernels",
        "-c": "the property is that of whole frames",
        "-j": "it belongs to -sf, which is not taken; -reg keeps the equations solvable",
    },
    "sagpr_prediction": {
        "-sp": "λ = 0 and 2 are predicted together: give both kernels",
        "-as": "antisymmetric tensors are not learned",
        "-t": "what is antisymmetric is not learned",
    },
}
LONG_NAMES = {
    "-cw": "--cweight", "-i": "--initial", "-a": "--atomic", "-im": "--imag", "-c": "--center",
    "-sf": "--sparsify", "-sp": "--spherical", "-j": "--jitter", "-as": "--asymmetric",
}  # fmt: skip
# TENSOAP's own defaults.
ORIGINAL: dict[str, Any] = {"nmax": 8, "lmax": 6, "rcut": 4.0, "sigma": 0.3}


def get_PS() -> int:
    """Entry point of ``sagpr_get_PS``: frames → power spectra."""
    parser = _parser(
        "Power spectra: equivariant features (λ-SOAP) of the environment of each center.",
        "sagpr_get_PS -f frames.xyz -lm 2 -p -nc 200 -rc 5.0 -sg 0.4 -rs 1 2 4 -o PS2",
    )
    add = parser.add_argument
    saved = "or that of -sf"
    add("-f", "--fname", required=True, help="frames: an extended XYZ file, or a shipped one")
    add("-lm", "--lambdaval", type=int, help=f"λ, order of the features; default: 0, {saved}")
    add("-p", "--periodic", action="store_true", help="the frames are periodic")
    add("-nc", "--ncut", type=int, default=-1, help="features to select; default: -1, all")
    add("-rc", "--rcut", type=float, help=f"cutoff, Å; default: 4.0, {saved}")
    add("-sg", "--sigma", type=float, help=f"Gaussian width, Å; default: 0.3, {saved}")
    add("-n", "--nmax", type=int, help=f"radial functions; default: 8, {saved}")
    add("-l", "--lmax", type=int, help=f"largest l; default: 6, {saved}")
    add("-c", "--centers", "--centres", nargs="+", help=f"center atoms; default: all, {saved}")
    add("-s", "--species", nargs="+", help=f"elements of neighbors; default: all, {saved}")
    add(
        "-rs", "--radialscaling", nargs=3, type=float, metavar=("C", "R0", "M"),
        help="neighbors at r (Å) count C/(C + (r/R0)^M); default: 1 0 0, all alike; 1 2 4 suits "
        "liquids",
    )  # fmt: skip
    add("-sf", "--sparsefile", help="PS0: the selection of PS0_fps.npy, and its settings")
    add("-ns", "--nsubset", type=int, help="select on so many frames; write the selection only")
    add("-sm", "--subsetmode", choices=("seq", "random"), default="seq", help="which; default: seq")
    add("-sl", "--slice", nargs=2, type=int, metavar=("FIRST", "END"), help="frames to read")
    add("-nn", "--nonorm", action="store_true", help="do not normalize each environment")
    add("-ul", "--uselist", action="store_true", help="changes nothing: only what is kept is made")
    add("-vf", "--vol_frac", type=float, help="changes nothing: neighbors are counted")
    add("-o", "--outfile", required=True, help="PS0: write PS0.npy, PS0_natoms.npy, with -nc also "
        "PS0_fps.npy and PS0_Amat.npy")  # fmt: skip
    add("--seed", type=int, default=0, help="of -sm random; default: %(default)s")
    return teaching_script(parser, _get_PS)


def _get_PS(options: argparse.Namespace) -> int:
    import numpy as np

    from helpers.errors import ConfigError
    from helpers.frames import find_frames_file, read_frames
    from helpers.sagpr.stages.power_spectra import write_power_spectra, write_selection

    frames = read_frames(find_frames_file(options.fname))
    if options.slice:
        first, end = options.slice
        if not 0 <= first < end <= len(frames):
            raise ConfigError(
                f"-sl {first} {end} cannot be used", expected=f"0 ≤ first < end ≤ {len(frames)}"
            )
        frames = frames[first:end]
    settings = _saved_settings(options) if options.sparsefile else _settings(options, frames)
    if not settings["periodic"] and any(atoms.pbc.any() for atoms in frames):
        print("note: without -p the frames are taken for molecules in empty space", file=sys.stderr)
    lambda_ = settings.pop("lambda")
    if options.nsubset is not None:
        if options.ncut == -1:
            raise ConfigError("-ns needs -nc", fix="say with -nc how many features to select")
        checks.whole("ns", options.nsubset, 1, len(frames))
        order = np.arange(len(frames))
        if options.subsetmode == "random":
            order = np.random.default_rng(checks.seed(options.seed)).permutation(order)
        some = [frames[i] for i in order[: options.nsubset]]
        paths = write_selection(
            some, lambda_, options.outfile, n_features=options.ncut, **settings
        )  # fmt: skip
        n_features = np.load(paths[0]).shape[-1]
    else:
        paths = write_power_spectra(
            frames,
            lambda_,
            options.outfile,
            n_features=None if options.ncut == -1 else options.ncut,
            selection=options.sparsefile,
            progress=True,
            **settings,
        )
        n_features = np.load(paths[0], mmap_mode="r").shape[-1]
    if n_features < options.ncut:
        print(f"note: no more than {n_features} features differ, for each element", file=sys.stderr)
    _print_paths(paths)
    return 0


def _settings(options: argparse.Namespace, frames: Sequence[Atoms]) -> dict[str, Any]:
    """Return the settings of power spectra: what was given, and the original's defaults."""
    from ase.data import atomic_numbers

    from helpers.sagpr.lambda_soap import LambdaSoap

    given = {name: getattr(options, name) for name in ORIGINAL}
    values = {name: ORIGINAL[name] if x is None else x for name, x in given.items()}
    elements = sorted({x for atoms in frames for x in atoms.symbols}, key=atomic_numbers.get)
    scaling_A, exponent = _radial_scaling(options.radialscaling or (1, 0, 0))
    return {
        "lambda": options.lambdaval or 0,
        "periodic": options.periodic,
        "normalize": not options.nonorm,
        "soap": LambdaSoap(
            cutoff_A=values["rcut"],
            sigma_A=values["sigma"],
            n_max=values["nmax"],
            l_max=values["lmax"],
            scaling_A=scaling_A,
            scaling_exponent=exponent,
            elements=tuple(options.species or elements),
            centers=tuple(options.centers or options.species or elements),
        ),
    }


def _radial_scaling(flags: Sequence[float]) -> tuple[float, float]:
    """Return C/(C + (r/R0)^M) as 1/(1 + (r/scale)^exponent)."""
    from helpers.sagpr.lambda_soap import LambdaSoap

    c, r0, exponent = flags
    if exponent == 0:
        return LambdaSoap.scaling_A, 0.0
    for name, value in (("c", c), ("r0", r0), ("m", exponent)):
        checks.number(f"-rs {name}", value)
    return r0 * c ** (1 / exponent), exponent


def _saved_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that a selection was made with; refuse a flag that differs."""
    from helpers.errors import ConfigError
    from helpers.sagpr.stages.power_spectra import selection_settings

    saved = selection_settings(options.sparsefile)
    soap = saved["soap"]
    scaling = None if options.radialscaling is None else _radial_scaling(options.radialscaling)
    flags = {
        "-lm": (options.lambdaval, saved["lambda"]),
        "-rc": (options.rcut, soap.cutoff_A),
        "-sg": (options.sigma, soap.sigma_A),
        "-n": (options.nmax, soap.n_max),
        "-l": (options.lmax, soap.l_max),
        "-c": (options.centers, list(soap.centers)),
        "-s": (options.species, list(soap.elements)),
        "-p": (options.periodic or None, saved["periodic"]),
        "-nn": (options.nonorm or None, not saved["normalize"]),
        "-rs": (scaling, (soap.scaling_A, soap.scaling_exponent)),
    }
    for flag, (given, made) in flags.items():
        alike = sorted(given) == sorted(made) if flag in ("-c", "-s") and given else given == made
        if given is not None and not alike:
            name = Path(options.sparsefile).name.removesuffix(".npy")
            if flag == "-rs":
                given, made = options.radialscaling, (1, *made)
            texts = [
                " ".join(f"{v:g}" if flag == "-rs" else str(v) for v in x)
                if isinstance(x, (list, tuple))
                else str(x)
                for x in (given, made)
            ]
            raise ConfigError(
                f"{flag} {texts[0]} was given, {name} was made with {texts[1]}",
                fix=f"leave {flag} out: with -sf all settings are those of {name}",
            )
    return saved


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
    add("-z", "--zeta", type=int, default=1, help="1: linear; 2: times the kernel of λ = 0")
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
    add(
        "-sel", "--select", nargs="+", metavar="N", help="train on frames FIRST to END (not "
        "included; -1: all), or on those whose numbers are in a .npy file"
    )  # fmt: skip
    add("-perat", "--peratom", action="store_true", help="changes nothing: with -s in "
        "sagpr_get_kernel tensors are learned per atom, and written for whole frames")  # fmt: skip
    add("-m", "--mode", choices=("solve", "pinv"), default="solve", help="changes nothing: the "
        "equations are solved through eigenvalues")  # fmt: skip
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
        selected=_selection(options.select),
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


def _selection(values: Sequence[str] | None) -> Any:
    """Return what -sel says: two numbers, a file, or nothing."""
    from helpers.errors import ConfigError

    if not values:
        return None
    if len(values) == 1 and values[0].endswith(".npy"):
        return values[0]
    try:
        first, end = map(int, values)
    except ValueError:
        raise ConfigError(
            f"-sel {' '.join(values)} cannot be used",
            expected="two whole numbers, or a .npy file with numbers of frames",
        ) from None
    return first, end


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


class _Parser(argparse.ArgumentParser):
    """Reads the flags as the original does; none is swallowed by a shorter one."""

    def __init__(self, **options: Any) -> None:
        self.flags: set[str] = set()
        super().__init__(allow_abbrev=False, **options)
        # argparse of older Pythons takes -1e-3 for a flag; a number is a number.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def add_argument(self, *names: str, **options: Any) -> Any:
        self.flags |= set(names)
        return super().add_argument(*names, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Look at each flag before argparse does, which takes -perat for -p erat."""
        for word in sys.argv[1:] if args is None else args:
            flag = word.partition("=")[0]
            if word.startswith("-") and not re.match(r"-\.?\d", word) and flag not in self.flags:
                if not re.fullmatch(r"-[nlzrmt]\d[\d.e+-]*", word):  # -n8
                    self._unknown(flag)
        return super().parse_known_args(args, namespace)

    def _unknown(self, flag: str) -> NoReturn:
        refused = REFUSED[Path(sys.argv[0]).name.removesuffix(".exe")]
        for name, reason in refused.items():
            if flag in (name, LONG_NAMES.get(name)):
                self.error(f"{flag} is not taken: {reason}")
        self.error(f"there is no flag {flag}; {nearest(flag, self.flags)}")


def _parser(description: str, example: str) -> _Parser:
    return _Parser(description=description, epilog=f"Example: {example}")


def _add_rank(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r", "--rank", type=int, required=True, choices=[2], help="2: symmetric tensors of rank 2"
    )


def _print_paths(paths: Sequence[Path]) -> None:
    for path in paths:
        print(f"written: {path} ({path.stat().st_size / 1e6:.2f} MB)")
