"""Start a program with limits: ``python -I limits.py MEMORY FILE PROCESSES PROGRAM ARGUMENT …``.

It is a file of its own, without imports of the kit, because it runs before anything else does.
"""

import os
import resource
import sys


def main() -> None:
    """Set the limits (bytes, bytes, a number) and become the program."""
    memory, file, processes = (int(text) for text in sys.argv[1:4])
    wanted = [
        ("RLIMIT_AS", memory),
        ("RLIMIT_FSIZE", file),
        ("RLIMIT_NPROC", processes),
        ("RLIMIT_NOFILE", 1024),
        ("RLIMIT_CORE", 0),
    ]
    for name, value in wanted:
        kind = getattr(resource, name, None)  # not all systems have all of them
        if kind is not None:
            _, most = resource.getrlimit(kind)
            limit = value if most == resource.RLIM_INFINITY else min(value, most)
            try:
                resource.setrlimit(kind, (limit, limit))
            except (ValueError, OSError) as error:
                print(f"{name} cannot be set: {error}", file=sys.stderr)
    os.execv(sys.argv[4], sys.argv[4:])


if __name__ == "__main__":
    main()
