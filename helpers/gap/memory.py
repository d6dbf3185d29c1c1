"""How much memory will a fit need? gap_fit's own estimate, without the fit."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms
from ase.io import write

from helpers.errors import FitError
from helpers.gap.config import GapConfig
from helpers.gap.process import find_gap_fit, run_watched, working_folder
from helpers.gap.progress import FitProgress


def estimate_memory_MB(config: GapConfig, frames: Sequence[Atoms]) -> float:
    """Return the peak memory that gap_fit expects to need, MB (1e6 bytes); takes a second.

    Parameters
    ----------
    config : GapConfig
        The settings.
    frames : sequence of ase.Atoms
        The training frames.

    Raises
    ------
    FitError
        If gap_fit gives no estimate; it says why.
    """
    binary = find_gap_fit()
    follow = FitProgress(n_sparse=config.n_sparse, show=False)
    with working_folder() as work:
        inside = config.replace(atoms_filename="train.xyz", gap_file="gap.xml")
        # Beside config_file=… on the command line gap_fit does not see this key.
        text = f"dryrun=T\n{inside.to_cfg()}"
        (work.path / "gap_config.cfg").write_text(text, encoding="utf-8")
        write(work.path / "train.xyz", list(frames), format="extxyz")
        finished = run_watched(
            [str(binary), "config_file=gap_config.cfg"], folder=work, on_line=follow
        )
    if follow.estimated_memory_MB is None:
        raise FitError(
            "gap_fit gives no estimate of its memory",
            found=f"exit code {finished.exit_code}: {finished.output[-200:].strip()}",
            fix="check the settings and the frames",
        )
    return follow.estimated_memory_MB
