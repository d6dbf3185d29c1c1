"""Cut the part of the first edition (PBE-D3) that stays with the kit: 100 and 50 frames.

The first 50 and 100 training frames and the first 50 validation frames, byte by byte, with
checksums and a manifest of their own. No random numbers: no --seed.

Example:
    python data/water/generate/first_edition.py data/water --output data/water_pbe
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from frame_files import write_frames
from manifest import VALIDATION_FILE, build_manifest, checksums, training_file

from helpers.files import make_folder, write_atomic
from helpers.frames import read_frames
from helpers.terminal import teaching_script

SIZES = (50, 100)
N_VALIDATE = 50


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="folder of the first edition")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    return parser


def main(options: argparse.Namespace) -> int:
    folder = make_folder(options.output)
    for size in SIZES:
        name = training_file(size)
        write_atomic(folder / name, (options.source / name).read_bytes())
    validate = read_frames(options.source / VALIDATION_FILE)[:N_VALIDATE]
    write_frames(folder / VALIDATION_FILE, validate)
    write_atomic(folder / "SHA256SUMS", checksums(folder))
    manifest = build_manifest(folder, dataset=folder.resolve().name, functional="PBE")
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    write_atomic(folder / "manifest.json", text + "\n")
    print(f"{', '.join(path.name for path in sorted(folder.glob('*.xyz')))} in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
