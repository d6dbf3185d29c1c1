"""Checks at the beginning of every hidden test that the tests themselves still work.

A notebook can change what tests rely on, by accident or on purpose: `assert`, ``numpy.testing`` or
``helpers`` itself. The canaries are assertions that must fail; if one of them passes, the test
ends with an error. This makes tampering harder, but it is no protection: the student's code runs
in the same process.
"""

from __future__ import annotations

import sys
from types import ModuleType

# The build puts this at the beginning of every hidden test. It first sets aside the modules of the
# kit that were imported, so that the test imports them, this one included, afresh from their files.
CANARIES = """\
# Canaries: an assert and an assert_allclose that must fire, no AST transformers, helpers anew.
import sys

_theirs = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("helpers")}
from helpers.grading import check_canaries

check_canaries(_theirs)
try:
    assert not "a canary"
except AssertionError:
    pass
else:
    raise RuntimeError("asserts do nothing in this notebook; restart the kernel")

"""


def check_canaries(theirs: dict[str, ModuleType]) -> None:
    """Check that NumPy's checks and code itself are what they should be.

    Until the cell ends, `helpers` is imported anew: nothing that was done to it counts.

    Parameters
    ----------
    theirs : dict of modules
        The modules of the kit as the notebook knows them; it has them back when the cell ends.

    Raises
    ------
    RuntimeError
        If this notebook tampers with what tests are made of.
    """
    import numpy as np
    from IPython import get_ipython

    shell = get_ipython()

    def give_back(*_: object) -> None:
        shell.events.unregister("post_run_cell", give_back)
        sys.modules.update(theirs)

    shell.events.register("post_run_cell", give_back)
    if shell.ast_transformers or shell.input_transformers_post:
        raise RuntimeError("this notebook changes code before it runs; remove the transformers")
    try:
        np.testing.assert_allclose([1.0], [2.0])
    except AssertionError:
        return
    raise RuntimeError("numpy.testing was changed in this notebook; restart the kernel")
