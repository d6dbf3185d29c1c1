"""Put labeled frames together: nested training sets, a validation set, checksums, a manifest.

Each training file is sorted by trajectory and frame and shuffled by itself, in the order given,
then the validation frames; one random generator makes all permutations. So the frames of the first
file (those with a polarizability) come first, and any first n frames of a file are a fair sample of
it. Frames are copied as text, digit by digit. No trajectory may be in both sets.

Example, with the permutation of the shipped files:
    python data/water/generate/assemble.py --seed 20261121 --output results/new/water \\
        --train results/water/a_labeled.xyz results/water/b_labeled.xyz \\
        --validate results/water/v_labeled.xyz
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from manifest import VALIDATION_FILE, build_manifest, checksums, training_file
from script import run

from helpers.errors import DataError
from helpers.files import write_atomic
from helpers.frames import check_labels, read_frames


@dataclass(frozen=True)
class Frame:
    """One labeled frame as it stands in a file."""

    trajectory: int
    number: int
    text: str


def read_labeled(path: Path) -> list[Frame]:
    """Return the frames of a file, sorted by trajectory and number.

    Raises
    ------
    DataError
        If a frame has no energy, forces, trajectory or number, or there are two of the same.
    """
    frames = read_frames(path)
    check_labels(frames, source=str(path))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    found, line = [], 0
    for place, atoms in enumerate(frames, start=1):
        if not {"trajectory", "frame"} <= set(atoms.info):
            raise DataError(
                f"Frame {place} of {path} does not say where it comes from",
                expected="'trajectory' and 'frame' in its comment line, as sample.py writes them",
                found=", ".join(sorted(atoms.info)),
            )
        n_lines = len(atoms) + 2
        text = "".join(lines[line : line + n_lines])
        found.append(Frame(int(atoms.info["trajectory"]), int(atoms.info["frame"]), text))
        line += n_lines
    _refuse_twins(found, str(path))
    return sorted(found, key=lambda frame: (frame.trajectory, frame.number))


def _refuse_twins(frames: Sequence[Frame], source: str) -> None:
    counts = Counter((frame.trajectory, frame.number) for frame in frames)
    twins = [key for key, count in counts.items() if count > 1]
    if twins:
        raise DataError(
            f"{source} holds the same frame more than once",
            found=f"trajectory {twins[0][0]}, frame {twins[0][1]}",
            fix="give each file once, and other trajectory numbers to other runs of sample.py",
        )


def order(
    train: Sequence[Sequence[Frame]], validate: Sequence[Frame], *, rng: np.random.Generator
) -> tuple[list[Frame], list[Frame]]:
    """Shuffle each part of the training frames by itself, then the validation frames.

    Raises
    ------
    DataError
        If a trajectory is in both sets.
    """
    everything = [frame for part in train for frame in part]
    _refuse_twins([*everything, *validate], "Training and validation together")
    shared = {f.trajectory for f in everything} & {f.trajectory for f in validate}
    if shared:
        raise DataError(
            f"Trajectory {min(shared)} is in training and in validation",
            expected="validation frames from trajectories of their own",
            fix="sample them with another --first-trajectory",
        )
    shuffled = [[part[i] for i in rng.permutation(len(part))] for part in train]
    ordered = [frame for part in shuffled for frame in part]
    return ordered, [validate[i] for i in rng.permutation(len(validate))]


def write_data_set(
    folder: Path,
    train: Sequence[Frame],
    validate: Sequence[Frame],
    *,
    sizes: Sequence[int],
    n_validate: int,
    force: bool = False,
) -> list[str]:
    """Write all files aside, then move them to `folder`; return their names.

    Raises
    ------
    DataError
        If there are too few frames, or `folder` holds other files of these names.
    """
    for what, wanted, there in (
        ("training", max(sizes), len(train)),
        ("validation", n_validate, len(validate)),
    ):
        if wanted > there:
            raise DataError(
                f"There are too few {what} frames",
                expected=f"at least {wanted}",
                found=str(there),
                fix="label more frames, or choose other --sizes and --n-validate",
            )
    texts = {training_file(size): train[:size] for size in sizes}
    texts[VALIDATION_FILE] = validate[:n_validate]
    with tempfile.TemporaryDirectory(prefix="assemble-") as name:
        aside = Path(name)
        for file, frames in texts.items():
            (aside / file).write_text("".join(f.text for f in frames), encoding="utf-8")
        (aside / "SHA256SUMS").write_text(checksums(aside), encoding="utf-8")
        manifest = json.dumps(build_manifest(aside), indent=2, ensure_ascii=False)
        (aside / "manifest.json").write_text(manifest + "\n", encoding="utf-8")
        new = {path.name: path.read_bytes() for path in sorted(aside.iterdir())}
    changed = [
        file
        for file, content in new.items()
        if (folder / file).exists() and (folder / file).read_bytes() != content
    ]
    if changed and not force:
        raise DataError(
            f"{folder} holds other files of these names: {', '.join(changed)}",
            fix="choose a new --output, or add --force to replace them",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in new.items():  # the manifest last: what it describes is there
        write_atomic(folder / file, content)
    return list(new)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="labeled frames")
    parser.add_argument("--validate", type=Path, required=True, help="labeled frames")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=20261121, help="default: %(default)s")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 400], metavar="N")
    parser.add_argument("--n-validate", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    options = parser.parse_args(arguments)
    if min(options.sizes) < 1 or options.n_validate < 1 or options.seed < 0:
        parser.error("--sizes and --n-validate must be at least 1, --seed must not be negative")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    train, validate = order(
        [read_labeled(path) for path in options.train],
        read_labeled(options.validate),
        rng=np.random.default_rng(options.seed),
    )
    names = write_data_set(
        options.output,
        train,
        validate,
        sizes=sorted(set(options.sizes)),
        n_validate=options.n_validate,
        force=options.force,
    )
    print(f"{', '.join(names)} in {options.output}")


if __name__ == "__main__":
    sys.exit(run(main))
