#!/usr/bin/env python
"""Errors of the potential on frames that were not used for training.

Prints the RMSE of energies and forces and writes validation_errors.csv with the true and
predicted values. Run it after gap_fit, in the folder of gap_config.cfg:

    python gap_error_validate.py
"""

import sys

from helpers.gap import error_script

if __name__ == "__main__":
    sys.exit(error_script(__doc__, split="validate", csv="validation_errors.csv"))
