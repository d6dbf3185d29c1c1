"""Say plainly whether the Python running this file can run the workshop.

Written so that any Python, however old, can read it.  Exit status 0 is yes.
"""

from __future__ import print_function

import os
import platform
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def supported(pyproject):
    """Return the first supported (major, minor) and the first unsupported one."""
    with open(pyproject) as file:
        bounds = re.search(r'requires-python = ">=(\d+)\.(\d+),<(\d+)\.(\d+)"', file.read())
    numbers = [int(number) for number in bounds.groups()]
    return tuple(numbers[:2]), tuple(numbers[2:])


def complaint():
    """Return what is wrong with this Python, or None."""
    here = sys.version_info[:2]
    system, machine = platform.system(), platform.machine()
    first, end = supported(os.path.join(HERE, "..", "pyproject.toml"))
    if not first <= here < end:
        return "it is Python %d.%d, and the workshop needs %d.%d to %d.%d" % (
            here + first + (end[0], end[1] - 1)
        )
    # quippy-ase has wheels for these; on Intel Macs JAX and others have none.
    if system == "Linux" and machine == "x86_64":
        pass
    elif system == "Darwin" and machine == "arm64":
        release = platform.mac_ver()[0]
        if int(release.split(".")[0]) < 14:
            return "the workshop needs macOS 14 or newer, and this is %s" % release
    else:
        return (
            "it is for %s on %s, and the workshop's packages are published for "
            "Linux on x86_64 and macOS on Apple silicon only" % (system, machine)
        )

    # In an offline kit the wheels are for one Python on one kind of machine.
    wheelhouse = os.environ.get("WHEELHOUSE")
    if wheelhouse:
        note = os.path.join(wheelhouse, "made-for.txt")
        if not os.path.exists(note):
            return "the kit is unfinished (%s is missing); make it again" % note
        with open(note) as file:
            made_for = file.read().strip()
        if made_for != identity():
            return "it is %s, and the wheels here are for %s" % (identity(), made_for)
    return None


def identity():
    """Name what compiled wheels depend on, such as 'Python 3.12 on Linux x86_64'."""
    version = "%d.%d" % sys.version_info[:2]
    return "Python %s on %s %s" % (version, platform.system(), platform.machine())


if __name__ == "__main__":
    if "--identity" in sys.argv:
        print(identity())
    else:
        wrong = complaint()
        if wrong:
            print("%s will not do: %s." % (sys.executable, wrong))
            sys.exit(1)
