"""Is a test still a test? What every hidden test asks before it asks anything else.

A notebook can be made to pass by changing what tests are made of: an AST transformer that strips
asserts, another ``numpy.testing``, another ``helpers``. Canaries notice. They raise the bar; real
protection is to check plain data outside the student's process.
"""

from __future__ import annotations

import sys
from types import ModuleType

# What the build puts at the beginning of every hidden test. Whatever was done to the kit's modules
# is put aside first, so that this very module, too, comes fresh from its file.
CANARIES = """\
# Canaries: an assert and an assert_allclose that must fire, no AST transformers, helpers anew.
import sys

_theirs = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("helpers")}


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
