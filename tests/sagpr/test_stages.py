"""The staged commands: their numbers are the estimator's, and they notice what does not fit."""

import json
import re
import shutil
import sys

import numpy as np
import pytest
from ase.io import write

from helpers import SymmetryAdaptedKernelRidge
from helpers.errors import ConfigError, DataError
from helpers.sagpr import lambda_soap
from helpers.sagpr.feature_map import FeatureMap
from helpers.sagpr.kernel_ridge import Gram
from helpers.sagpr.lambda_soap import LambdaSoap
from helpers.sagpr.stages import commands as sagpr_commands
from helpers.sagpr.stages.files import save_pieces
from helpers.sagpr.stages.kernels import write_kernel
from helpers.sagpr.stages.power_spectra import write_power_spectra
from helpers.sagpr.stages.train import predict_from_kernels, train_on_kernels

SMALL = {"n_max": 3, "l_max": 3, "cutoff_A": 4.0}
N, N_NEW = 20, 5


def all_stages(folder, water, zetas, n_features, centers, reg=(1e-4, 1e-3)):
    """Run every stage in a folder, as the two scripts of the workshop do; return predictions."""
    frames, _, _ = water
    known, new = frames[:N], frames[N : N + N_NEW]
    soap = LambdaSoap(**SMALL, centers=centers)
    kernels = []
    for k in (0, 2):
        at = folder / f"PS{k}"
        write_power_spectra(known, k, at, soap=soap, n_features=n_features)
        kept = at if n_features else None
        write_power_spectra(new, k, folder / f"PS{k}_new", soap=soap, selection=kept)
    for k in (0, 2):
        names = [folder / f"PS{k}_new", folder / f"PS{k}"]
        names_0 = [folder / "PS0_new", folder / "PS0"]
        sizes = [f"{name}_natoms" for name in names]
        rest = {"zeta": zetas[k]}
        write_kernel(names[1:], folder / f"K{k}", spectra_0=names_0[1:], n_atoms=sizes[1:], **rest)
        kernels.append(
            write_kernel(names, folder / f"K{k}_new", spectra_0=names_0, n_atoms=sizes, **rest)
        )
    train_on_kernels(known, [folder / "K0", folder / "K2"], folder / "weights", regularization=reg)
    return predict_from_kernels(kernels, folder / "trajectory", weights=folder / "weights")


@pytest.mark.parametrize(
    ("zetas", "n_features", "centers"),
    [
        ({0: 1, 2: 1}, None, ("O",)),
        ({0: 1, 2: 1}, 40, ("H", "O")),
        ({0: 1, 2: 2}, 40, ("O",)),
        ({0: 2, 2: 2}, 25, ("H", "O")),
    ],
)
def test_stages_and_estimator_agree(tmp_path, water, zetas, n_features, centers):
    path, staged = all_stages(tmp_path, water, zetas, n_features, centers)
    model = SymmetryAdaptedKernelRidge(
        **SMALL,
        centers=centers,
        zeta=zetas,
        n_features=n_features,
        mixing=None,
        n_scalars=n_features or 1,
        regularization={0: 1e-4, 2: 1e-3},
    ).fit(water[0][:N], water[1][:N])
    expected = model.predict(water[0][N : N + N_NEW])
    np.testing.assert_allclose(staged, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.loadtxt(path).reshape(-1, 3, 3), expected, rtol=0, atol=1e-10)
    assert path.name == "trajectory_cartesian.out"


def test_the_kernel_is_a_sum_over_pairs_of_atoms(tmp_path, water):
    """ζ = 2 by the loops over pairs that the rows avoid, as the original has it."""
    from helpers.sagpr.lambda_soap import environments

    soap = LambdaSoap(n_max=2, l_max=2)
    frames = water[0][:3]
    for k in (0, 2):
        write_power_spectra(frames, k, tmp_path / f"PS{k}", soap=soap)
    path = write_kernel(
        [tmp_path / "PS2"], tmp_path / "K2", zeta=2, spectra_0=[tmp_path / "PS0"],
        n_atoms=[tmp_path / "PS2_natoms"],
    )  # fmt: skip
    seen = environments(frames, soap, [0, 2])
    p0, p2 = seen["O", 0].values[:, 0], seen["O", 2].values
    expected = np.zeros((3, 3, 5, 5))
    for i, a in enumerate(seen["O", 2].frame):
        for j, b in enumerate(seen["O", 2].frame):
            expected[a, b] += p0[i] @ p0[j] * p2[i] @ p2[j].T / 48**2
    np.testing.assert_allclose(np.load(path), expected, rtol=1e-9, atol=1e-15)


@pytest.fixture(scope="module")
def _finished(tmp_path_factory, _water):
    folder = tmp_path_factory.mktemp("stages")
    all_stages(folder, _water, {0: 1, 2: 2}, 20, ("O",))
    write(folder / "known.xyz", _water[0][:N], format="extxyz")
    write(folder / "new.xyz", _water[0][N : N + N_NEW], format="extxyz")
    return folder


@pytest.fixture
def finished(_finished, tmp_path, monkeypatch):
    """A folder where every stage has run, with its frames; the current one."""
    folder = tmp_path / "stages"
    shutil.copytree(_finished, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """A function: run a staged command in this process → exit code, stdout, stderr."""

    def run(name, line):
        monkeypatch.setattr(sys, "argv", [f"sagpr_{name}", *line.split()])
        code = getattr(
            sagpr_commands, {"prediction": "prediction", "train": "train"}.get(name, name)
        )()
        output, errors = capsys.readouterr()
        return code, output, errors

    return run


FLAGS = "-rc 4.0 -sg 0.4 -n 3 -l 3 -rs 1 2 4 -nn -c O -s H O"


def test_a_stage_again_gives_the_same_files(finished, command):
    before = {path.name: np.load(path) for path in finished.glob("*.npy")}
    for line in (
        f"get_PS -f known.xyz -lm 0 -p -nc 20 {FLAGS} -o PS0",
        f"get_PS -f known.xyz -lm 2 -p -nc 20 {FLAGS} -o PS2.npy",
        "get_kernel -ps PS0.npy -s PS0_natoms.npy -o K0",
        "get_kernel -ps PS2.npy -ps0 PS0.npy -z 2 -s PS2_natoms.npy -o K2",
        "train -r 2 -p Polarizability -f known.xyz -k K0.npy K2.npy -reg 1e-4 1e-3 -w weights.npy",
    ):
        name, _, rest = line.partition(" ")
        code, output, errors = command(name, rest)
        assert code == 0 and "written: " in output, errors
    for name in ("PS0.npy", "PS2.npy", "PS0_fps.npy", "K2.npy", "weights_2.npy"):
        # The file of frames is rounded.
        scale = np.abs(before[name]).max()
        np.testing.assert_allclose(np.load(name), before[name], rtol=0, atol=1e-5 * scale)
    code, output, _ = command("prediction", "-r 2 -k K0_new.npy K2_new.npy -o again")
    assert code == 0 and "5 frames" in output
    assert not [*finished.glob("*.npy.*"), *finished.glob("*.npy_*")]
    old, new = (np.loadtxt(f"{name}_cartesian.out") for name in ("trajectory", "again"))
    np.testing.assert_allclose(new, old, atol=1e-6)  # the file of frames is rounded


def test_training_tells_errors_of_the_frames_it_did_not_see(finished, command):
    code, output, _ = command(
        "train", "-r 2 -f known.xyz -k K2.npy K0.npy -rdm 15 -ftr 0.8 -pr -w part --seed 3"
    )
    assert code == 0 and output.startswith("12 training frames; regularization ")
    tables = re.findall(r"^ +xy +\S+ +\S+ +([\d.]+)$", output, re.MULTILINE)
    assert len(tables) == 2 and all(0 < float(percent) < 100 for percent in tables)
    assert np.load("part_0.npy").shape == (12, 1) and np.load("part_2.npy").shape == (12, 5)
    assert "antisymmetric part, not learned: 0.002" in output


def test_features_and_files_shrink_together(water, tmp_path):
    sizes = {}
    for n in (10, 25):
        settings = {"soap": LambdaSoap(**SMALL), "n_features": n}
        paths = write_power_spectra(water[0][:N], 2, tmp_path / f"n{n}", **settings)
        sizes[n] = paths[0].stat().st_size
    assert sizes[25] == pytest.approx(2.5 * sizes[10], rel=0.01)
    first, second = (np.load(tmp_path / f"n{n}_fps.npy") for n in (10, 25))
    np.testing.assert_array_equal(first, second[:, :10])


BAD_LINES = {
    "no frames file": ("get_PS", "-f none.xyz -p -o PS0", "There is no file none.xyz"),
    "other elements": ("get_PS", "-f known.xyz -p -s O -c O -o X", "Frame 1 holds H.*only O"),
    "periodic, no cell": ("get_PS", "-f molecule.xyz -p -o X", "Frame 1 has no cell, but -p says"),
    "mixed sizes": ("get_PS", "-f mixed.xyz -p -o X", "Frame 2 has other atoms than frame 1"),
    "features 0": ("get_PS", "-f known.xyz -p -nc 0 -o X", "n_features=0"),
    "negative λ": ("get_PS", "-f known.xyz -p -lm -1 -o X", "lambda_=-1"),
    "two selections": ("get_PS", "-f known.xyz -p -nc 5 -sf PS0 -o X", "-nc and -sf are both"),
    "no selection file": ("get_PS", f"-f new.xyz -p -sf X {FLAGS} -o Y", "There is no file X_fps"),
    "other settings than selected": (
        "get_PS", "-f new.xyz -p -sf PS0 -rc 3 -o Y", "-rc 3.0 was given, PS0 was made with 4.0",
    ),
    "a missing stage": ("get_kernel", "-ps X.npy -o K", "There is no file X.npy.*run sagpr_get_PS"),
    "not spectra": ("get_kernel", "-ps K0.npy -o K", "K0.npy is something else.*power spectra"),
    "no PS0 for zeta 2": ("get_kernel", "-ps PS2 -z 2 -o K", "power spectra of λ = 0 are needed"),
    "zeta 3": ("get_kernel", "-ps PS0 -z 3 -o K", "zeta=3 cannot be used.*1 or 2"),
    "other frames in PS0": (
        "get_kernel", "-ps PS2 -ps0 PS0_new -z 2 -o K", "frames of -ps and -ps0 differ",
    ),
    "other frames in natoms": (
        "get_kernel", "-ps PS0 -s PS0_new_natoms -o K", "frames of -ps and -s differ",
    ),
    "λ mixed": ("get_kernel", "-ps PS0 PS2 -o K", "lambda differ"),
    "other frames than the kernel": (
        "train", "-r 2 -f new.xyz -k K0 K2", "frames of -k and -f differ",
    ),
    "a rectangular kernel": (
        "train", "-r 2 -f known.xyz -k K0_new K2_new", "made from one -ps",
    ),
    "one kernel": ("train", "-r 2 -f known.xyz -k K0", "one of λ = 0 and one of λ = 2.*λ = 0"),
    "the wrong property": ("train", "-r 2 -p a -f known.xyz -k K0 K2", "Frame 1 has no 'a'"),
    "regularization 0": ("train", "-r 2 -f known.xyz -k K0 K2 -reg 0 1e-3", "reg=0.0.*above 0"),
    "regularization below 0": ("train", "-r 2 -f known.xyz -k K0 K2 -reg 1 -1e-3", "reg=-0.001"),
    "one regularization": ("train", "-r 2 -f known.xyz -k K0 K2 -reg 1e-3", "1 regularizations do"),
    "fraction 0": ("train", "-r 2 -f known.xyz -k K0 K2 -ftr 0", "-ftr 0.0 cannot.*above 0, and 1"),
    "fraction above 1": ("train", "-r 2 -f known.xyz -k K0 K2 -ftr 1.5", "-ftr 1.5 cannot be used"),
    "more frames than there are": ("train", "-r 2 -f known.xyz -k K0 K2 -rdm 21", "rdm=21"),
    "a selection beyond the end": (
        "train", "-r 2 -f known.xyz -k K0 K2 -sel 5 21", "-sel 5 21 cannot.*end ≤ 20",
    ),
    "both selections": (
        "train", "-r 2 -f known.xyz -k K0 K2 -sel 5 9 -rdm 4", "-rdm and -sel are both given",
    ),
    "a threshold that is no number": (
        "train", "-r 2 -t nan -f known.xyz -k K0 K2", "threshold=nan cannot.*at least 0",
    ),
    "a threshold below 0": ("train", "-r 2 -t -1 -f known.xyz -k K0 K2", "threshold=-1.0"),
    "none of a center": ("get_PS", "-f oxygen.xyz -c H O -s H O -o X", "No frame holds H"),
    "antisymmetric beyond -t": (
        "train", "-r 2 -t 1e-9 -f known.xyz -k K0 K2", "is not symmetric.*at most 1e-09",
    ),
    "no weights": ("prediction", "-r 2 -k K0_new K2_new -w w", "no file w_0.npy.*run sagpr_train"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LINES)
def test_what_does_not_fit_is_told_in_one_line(finished, command, water, name):
    from ase.build import molecule

    write("molecule.xyz", molecule("H2O"), format="extxyz")
    write("oxygen.xyz", molecule("O2"), format="extxyz")
    write("mixed.xyz", [water[0][0], water[0][1][:-3]], format="extxyz")
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    program, line, message = BAD_LINES[name]
    code, output, errors = command(program, line)
    assert code == 1 and errors.count("\n") == 1, (output, errors)
    assert errors.startswith(f"sagpr_{program}: ") and re.search(message, errors), errors
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_elements_with_fewer_features_than_others_set_the_width(finished, command):
    from ase.build import molecule

    soap, frames = LambdaSoap(**SMALL, centers=("H", "O")), [molecule("H2O")]
    found = FeatureMap.fit(frames, soap, {0: 1}, n_features=70, n_scalars=1, mixing=1.0).selection
    assert len(found["O", 0]) < len(found["H", 0]) == 70
    write("molecule.xyz", frames, format="extxyz")
    flags = "-rc 4.0 -sg 0.4 -n 3 -l 3 -rs 1 2 4 -nn -c H O -nc 70 -o M"
    code, output, errors = command("get_PS", f"-f molecule.xyz {flags}")
    width = len(found["O", 0])
    assert code == 0 and f"no more than {width} features differ" in errors
    assert np.load("M.npy").shape == (1, 3, width)
    for columns, element in zip(np.load("M_fps.npy"), soap.centers, strict=True):
        np.testing.assert_array_equal(columns, found[element, 0][:width])


def test_what_does_not_count_is_told(finished, command):
    lines = {
        "-ps PS2 -ps0 PS0 -z 1 -o K": True,
        "-ps PS0 -ps0 PS0 -z 2 -o K": True,
        "-ps PS2 -ps0 PS0 -z 2 -o K": False,
    }
    for line, told in lines.items():
        code, _, errors = command("get_kernel", line)
        assert code == 0 and ("-ps0 is not needed here" in errors) == told
    code, _, errors = command("train", "-r 2 -f known.xyz -k K0 K2 -reg 1 1 -pr -w w")
    assert code == 0 and "no other frames for -pr" in errors


def test_long_trajectories_are_taken_piece_by_piece(finished, monkeypatch):
    names = ["K0.npy", "K2.npy", "K0_new.npy", "K2_new.npy"]
    before = {name: np.load(name) for name in names}
    monkeypatch.setattr(lambda_soap, "BATCH_SIZE", 3)
    for new in ("", "_new"):
        for k, zeta in ((0, 1), (2, 2)):
            at, at_0 = ([f"PS{order}{new}", f"PS{order}"][-1 - bool(new) :] for order in (k, 0))
            sizes = [f"{name}_natoms" for name in at]
            write_kernel(at, f"K{k}{new}", zeta=zeta, spectra_0=at_0, n_atoms=sizes)
    for name in names:
        np.testing.assert_allclose(np.load(name), before[name], rtol=1e-9, atol=1e-15)
    _, tensors = predict_from_kernels(["K0_new", "K2_new"], "pieces")
    expected = np.loadtxt("trajectory_cartesian.out").reshape(-1, 3, 3)
    np.testing.assert_allclose(tensors, expected, rtol=1e-9)


def test_what_ends_halfway_leaves_the_old_files(finished):
    def pieces():
        yield np.zeros((2, 3))
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        save_pieces("K0", "kernel", pieces(), 4, {})
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_weights_of_other_kernels_are_noticed(finished, command):
    metadata = json.loads((finished / "weights_2.json").read_text())
    assert metadata["zeta"] == 2
    write_kernel(["PS2_new", "PS2"], "K2_new", zeta=1, n_atoms=["PS2_new_natoms", "PS2_natoms"])
    code, _, errors = command("prediction", "-r 2 -k K0_new K2_new -o t")
    assert code == 1 and "zeta of kernel and weights differ" in errors


def test_a_changed_file_is_noticed(finished, command):
    array = np.load("K0.npy")
    np.save("K0.npy", array * 2)
    code, _, errors = command("train", "-r 2 -f known.xyz -k K0 K2")
    assert code == 1 and "K0.npy does not fit K0.json" in errors
    (finished / "K0.json").unlink()
    code, _, errors = command("train", "-r 2 -f known.xyz -k K0 K2")
    assert code == 1 and "no valid metadata K0.json" in errors


def test_molecules_without_a_cell(water, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("known.xyz", water[0][:2], format="extxyz")
    code, _, errors = command("get_PS", f"-f known.xyz {FLAGS} -o PS0")
    assert code == 0 and "without -p the frames are taken for molecules" in errors
    assert command("get_PS", f"-f known.xyz -p {FLAGS} -o P0")[0] == 0
    assert np.abs(np.load("PS0.npy") - np.load("P0.npy")).max() > 1e-3


def test_a_slab_stays_a_slab_with_p(water, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slab = water[0][0].copy()
    slab.pbc, height = (True, True, False), slab.cell[2, 2]
    write("slab.xyz", slab, format="extxyz")
    slab.cell[2, 2], slab.pbc = 3 * height, True  # so much space that no environment crosses it
    write("space.xyz", slab, format="extxyz")
    for name in ("slab", "space"):
        assert command("get_PS", f"-f {name}.xyz -p {FLAGS} -o {name}")[0] == 0
    np.testing.assert_allclose(np.load("slab.npy"), np.load("space.npy"), atol=1e-10)


@pytest.mark.parametrize("name", ["get_PS", "get_kernel", "train", "prediction"])
def test_each_command_explains_itself(command, capsys, name):
    with pytest.raises(SystemExit) as end:
        command(name, "--help")
    assert end.value.code == 0
    assert f"Example: sagpr_{name}" in " ".join(capsys.readouterr().out.split())


def test_kernels_that_are_no_kernels():
    for kernel in (np.full((4, 4), np.nan), np.zeros((4, 4))):
        with pytest.raises(ConfigError, match="The kernel cannot be used"):
            Gram(kernel, 1)


def test_one_frame_is_too_few(finished, water):
    with pytest.raises(DataError, match="One frame is too few"):
        train_on_kernels(water[0][:N], ["K0", "K2"], "w", selected=(3, 4))


def test_a_selection_brings_its_settings(finished, command):
    """As the second script of the handout has it: -sf without the other flags."""
    code, _, errors = command("get_PS", "-f new.xyz -lm 2 -p -sf PS2 -o again")
    assert code == 0, errors
    code, _, errors = command("get_PS", "-f new.xyz -sf PS2 -c O -s O H -rc 4 -o short")
    assert code == 0, errors
    for name in ("again", "short"):
        np.testing.assert_allclose(np.load(f"{name}.npy"), np.load("PS2_new.npy"), atol=1e-6)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("-rc 5.0", "-rc 5.0 was given, PS2 was made with 4.0"),
        ("-n 8", "-n 8 was given, PS2 was made with 3"),
        ("-lm 0", "-lm 0 was given, PS2 was made with 2"),
        ("-c H O", "-c H O was given, PS2 was made with O"),
        ("-rs 1 2 6", "-rs 1 2 6 was given, PS2 was made with 1 2 4"),
        ("-nc 5", "-nc and -sf are both given"),
        ("-ns 5", "-ns needs -nc"),
    ],
)
def test_a_flag_that_differs_from_the_selection_is_named(finished, command, flags, message):
    code, _, errors = command("get_PS", f"-f new.xyz -p -sf PS2 {flags} -o X")
    assert code == 1 and message in errors and not (finished / "X.npy").exists()


@pytest.mark.parametrize(
    ("program", "flags", "message"),
    [
        ("train", "-prat", "there is no flag -prat"),
        ("train", "-pPolarizability", "there is no flag -pPolarizability"),
        ("train", "-sp", "-sp is not taken: λ = 0 and 2 are learned together"),
        ("train", "--jitter 1e-9", "--jitter is not taken: it belongs to -sf"),
        ("get_PS", "-nf 3", "-nf is not taken: a frame is described whole"),
        ("get_PS", "-cw 0.5", "-cw is not taken: the atom at the center"),
        ("get_PS", "-rcut 4", "there is no flag -rcut; did you mean '--rcut'?"),
        ("get_kernel", "-zeta 2", "there is no flag -zeta; did you mean '--zeta'?"),
        ("prediction", "-as f", "-as is not taken"),
    ],
)
def test_no_flag_is_swallowed_by_a_shorter_one(command, capsys, program, flags, message):
    with pytest.raises(SystemExit) as end:
        command(program, flags)
    assert end.value.code == 2 and message in " ".join(capsys.readouterr().err.split())


def test_flags_of_the_original_that_make_sense(finished, command):
    code, _, errors = command(
        "get_PS", "-f known.xyz -lm 2 -p -n3 -l3 -c O -nc 20 -ns 8 -sm random -vf 1.0 -o sub"
    )
    assert code == 0, errors
    assert np.load("sub_fps.npy").shape == (1, 20) and np.load("sub_Amat.npy").shape == (1, 20, 20)
    assert not (finished / "sub.npy").exists()
    assert command("get_PS", "-f known.xyz -p -sf sub -sl 3 7 -ul -o part")[0] == 0
    part = np.load("part.npy")
    assert part.shape == (4, 16, 5, 20)
    kernels = np.matmul(part, part.swapaxes(2, 3))  # each environment is normalized, without -nn
    np.testing.assert_allclose(np.linalg.norm(kernels, axis=(2, 3)), 1)
    np.save("some.npy", np.arange(0, 20, 2))
    for flags, n in (("-sel some.npy", 10), ("-sel 5 -1", 15), ("-sel 0 -1 -perat -m pinv", 20)):
        code, output, errors = command("train", f"-r 2 -f known.xyz -k K0 K2 {flags} -w w")
        assert code == 0 and output.startswith(f"{n} training frames"), errors
    np.save("bad.npy", np.array([0.5, 3]))
    for flags, message in (
        ("-sel bad.npy", "different whole numbers from 0 to 19"),
        ("-sel none.npy", "none.npy cannot be read"),
        ("-sel 1 2 3", "-sel 1 2 3 cannot be used"),
        ("-sel a b", "two whole numbers, or a .npy"),
    ):
        code, _, errors = command("train", f"-r 2 -f known.xyz -k K0 K2 {flags} -w w")
        assert code == 1 and message in errors


@pytest.mark.parametrize("seed", range(4))
def test_random_flags_give_what_the_estimator_gives(tmp_path, monkeypatch, command, water, seed):
    rng = np.random.default_rng(seed)
    frames = water[0]
    monkeypatch.chdir(tmp_path)
    for name, some in (("known", frames[:8]), ("new", frames[8:10])):
        write(f"{name}.xyz", some, format="extxyz")
    n, l, zeta = (int(x) for x in rng.integers([2, 2, 1], [4, 4, 3]))
    cutoff, sigma = rng.uniform(3, 5), rng.uniform(0.3, 0.6)
    exponent = rng.choice([0, 3, 5])
    centers = list(rng.permutation(["H", "O"])[: rng.integers(1, 3)])
    normalize, n_features = bool(rng.integers(2)), int(rng.integers(8, 20))
    flags = f"-n {n} -l {l} -rc {cutoff:.3f} -sg {sigma:.3f} -rs 1 2 {exponent} -p -c "
    flags += " ".join(centers) + " -s H O" + ("" if normalize else " -nn")
    for k in (0, 2):
        lines = [
            ("get_PS", f"-f known.xyz -lm {k} {flags} -nc {n_features} -o P{k}"),
            ("get_PS", f"-f new.xyz -lm {k} -sf P{k} -o N{k}"),
        ]
        for new in ("", "N"):
            files = [f"{new}{k}", f"P{k}"] if new else [f"P{k}"]
            zero = " ".join(name.replace("2", "0") for name in files)
            sizes = " ".join(f"{name}_natoms.npy" for name in files)
            rest = f"-ps0 {zero} -z {zeta} -s {sizes} -o {new}K{k}"
            lines.append(("get_kernel", f"-ps {' '.join(files)} {rest}"))
        for name, line in lines:
            code, _, errors = command(name, line)
            assert code == 0, errors
    assert command("train", "-r 2 -f known.xyz -k K0 K2 -reg 1e-4 1e-3")[0] == 0
    assert command("prediction", "-r 2 -k NK0 NK2 -o out")[0] == 0
    from helpers.frames import read_frames
    from helpers.sagpr.tensors import read_tensors

    known = read_frames("known.xyz")
    model = SymmetryAdaptedKernelRidge(
        n_max=n, l_max=l, cutoff_A=float(f"{cutoff:.3f}"), sigma_A=float(f"{sigma:.3f}"),
        scaling_exponent=float(exponent), centers=tuple(centers), normalize=normalize,
        n_features=n_features, zeta=zeta, mixing=None, n_scalars=n_features,
        regularization={0: 1e-4, 2: 1e-3},
    ).fit(known, read_tensors(known).reshape(-1, 9))  # fmt: skip
    expected = model.predict(read_frames("new.xyz"))
    np.testing.assert_allclose(np.loadtxt("out_cartesian.out"), expected, rtol=0, atol=1e-6)
