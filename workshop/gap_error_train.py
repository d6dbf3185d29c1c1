#!/usr/bin/env python
"""Errors of the potential on the frames that it was trained on.

Prints the RMSE of energies and forces and writes train_errors.csv with the true and predicted
values. Run it after gap_fit, in the folder of gap_config.cfg:

    python gap_error_train.py
"""

import sys

from helpers.gap import error_script

if __name__ == "__main__":
    sys.exit(error_script(__doc__, split="train", csv="train_errors.csv"))
