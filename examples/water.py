"""Liquid water: the shipped DFT frames, as if they were your own."""

from common import options, train_and_run

from helpers import load_frames

if __name__ == "__main__":
    given = options(__doc__, 50)
    train_and_run(
        load_frames("water", "train", 50)[: given.frames],
        given.output,
        validation=load_frames("water", "validate")[:10],
        timestep_fs=0.5,
    )
