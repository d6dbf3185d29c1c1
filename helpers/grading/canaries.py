"""Is a test still a test? What every hidden test asks before it asks anything else.

A notebook can be made to pass by changing what tests are made of: an AST transformer that strips
asserts, another ``numpy.testing``, another ``helpers``. Canaries notice. They raise the bar; real
protection is to check plain data outside the student's process.
"""

from __future__ import annotations

import inspect


def check_canaries() -> None:
    """Raise `RuntimeError` unless asserts, NumPy's checks and the kit are what they should be."""
    import sys

    import numpy as np
    from IPython import get_ipython

    shell = get_ipython()
    if shell.ast_transformers or shell.input_transformers_post:
        raise RuntimeError("this notebook changes code before it runs; remove the transformers")
    try:
        assert str(1) == "2"
    except AssertionError:
        pass
    else:
        raise RuntimeError("asserts do nothing in this notebook; restart the kernel")
    try:
        np.testing.assert_allclose([1.0], [2.0])
    except AssertionError:
        pass
    else:
        raise RuntimeError("numpy.testing was changed in this notebook; restart the kernel")
    # Until this cell ends, `helpers` is imported anew: nothing that was done to it counts.
    theirs = {name: module for name, module in sys.modules.items() if name.startswith("helpers")}
    for name in theirs:
        del sys.modules[name]

    def give_back(*_: object) -> None:
        shell.events.unregister("post_run_cell", give_back)
        sys.modules.update(theirs)

    shell.events.register("post_run_cell", give_back)


def canary_code() -> str:
    """Return the code that the build puts at the beginning of a hidden test.

    The function itself, not an import of it: what is imported could have been changed before.
    """
    source = inspect.getsource(check_canaries).replace(" -> None", "").replace(": object", "")
    return f"{source}\n\ncheck_canaries()\n"
