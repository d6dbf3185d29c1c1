"""The box around a student's kernel: what the kernel may see, use and change.

Where bubblewrap works, the kernel has processes, a network and a file system of its own: Python
and the kit can be read, without solutions, tests, gradebook or anybody's hand-in, and one folder
can be written to. Without bubblewrap (macOS, some containers) only the limits remain; `why_no_box`
tells why, and `UNPROTECTED` what that means.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

KIT = Path(__file__).resolve().parents[2]
SEEN = ("helpers", "data", "workshop")  # of the kit
WORK = Path("notebooks", "lesson")  # as in a student's checkout: ../../data leads to the data
UNPROTECTED = (
    "the code of students runs with your rights: it can read and change your files, other "
    "hand-ins and the gradebook, use the network, and leave processes behind. Marks are still "
    "decided in a process of their own. Grade on a machine without valuable data"
)


@dataclass(frozen=True)
class Limits:
    """What the notebook of one student may use.

    Attributes
    ----------
    cell_s, total_s : float
        Seconds for one cell, and for all.
    memory_bytes : int
        Of all processes of the kernel together.
    file_bytes, folder_bytes : int
        Size of one file, and of everything that is written.
    processes : int
        How many processes at a time.
    output_bytes : int
        What is kept of the output of one cell.
    """

    cell_s: float = 480.0
    total_s: float = 600.0
    memory_bytes: int = 4_000_000_000
    file_bytes: int = 100_000_000
    folder_bytes: int = 500_000_000
    processes: int = 64
    output_bytes: int = 200_000


@dataclass(frozen=True)
class Places:
    """The folders of one kernel.

    Attributes
    ----------
    scratch : Path
        All that the notebook may write to; it runs in `WORK` inside.
    asked, told : Path
        Requests for the kernel, and its replies.
    connection : Path
        The folder of Jupyter's connection file and sockets.
    """

    scratch: Path
    asked: Path
    told: Path
    connection: Path

    @classmethod
    def make(cls, base: Path) -> Places:
        """Make the folders inside `base`."""
        places = cls(*(base / name for name in ("work", "asked", "told", "c")))
        for folder in (places.scratch, places.asked, places.told, places.connection):
            folder.mkdir(parents=True, exist_ok=True)
        (places.scratch / ".tmp").mkdir(exist_ok=True)
        places.work.mkdir(parents=True, exist_ok=True)
        for name, folder in _seen().items():
            if not (places.scratch / name).is_symlink():
                (places.scratch / name).symlink_to(folder)
        return places

    @property
    def work(self) -> Path:
        """The folder in which the notebook runs."""
        return self.scratch / WORK


@functools.cache
def why_no_box() -> str | None:
    """Return why kernels cannot be put into a box on this machine, or None if they can."""
    if sys.platform != "linux":
        return f"bubblewrap works on Linux only, and this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (the package 'bubblewrap' of most Linux systems)"
    command = [*_bubblewrap(), sys.executable, "-I", "-c", "print('in the box')"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"bubblewrap cannot be started: {error}"
    if done.stdout.strip() != "in the box":
        told = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"bubblewrap does not work here: {told}"
    return None


def kernel_command(places: Places, limits: Limits, *, boxed: bool) -> list[str]:
    """Return the command that starts a kernel; ``{connection_file}`` is for Jupyter to fill in."""
    # Threads count; and outside a box, all processes of the user.
    processes = 8 * limits.processes if boxed else 10**6
    memory = max(2 * limits.memory_bytes, 8_000_000_000)  # reserved addresses are not used memory
    numbers = [str(number) for number in (memory, limits.file_bytes, processes)]
    limited = [sys.executable, "-I", "-S", str(Path(__file__).with_name("limits.py")), *numbers]
    kernel = [sys.executable, "-P"] if sys.version_info >= (3, 11) else [sys.executable]
    kernel += ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel += ["--HistoryManager.enabled=False"]
    if not boxed:
        return [*limited, *kernel]
    return [*_bubblewrap(places), *limited, *kernel]


def judge_command(program: list[str], folder: Path, cache: Path) -> list[str]:
    """Return the command that starts the deciding process, in a box where that works.

    No line of a student runs in it; but it reads files that students made.
    """
    if why_no_box() is not None:
        return program
    cache.mkdir(parents=True, exist_ok=True)
    shared = ["--bind", str(folder), str(folder), "--bind", str(cache), str(cache)]
    return [*_bubblewrap(more=shared), *program]


def kernel_environment(places: Places, seed: int, *, boxed: bool) -> dict[str, str]:
    """Return the environment of a kernel: nothing of the instructor's."""
    home = "/scratch" if boxed else str(places.scratch.resolve())
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
    return {
        **({"MLMD_DATA": str(_seen()["data"])} if _seen()["data"] != KIT / "data" else {}),
        "PATH": path,
        "HOME": home,
        "TMPDIR": f"{home}/.tmp",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "IPYTHONDIR": f"{home}/.ipython",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(KIT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": str(seed % 2**32),
        "MLMD_WORK": home,
        "MLMD_ASKED": "/asked" if boxed else str(places.asked),
        "MLMD_TOLD": "/told" if boxed else str(places.told),
        "MLMD_JAX_CACHE": f"{home}/.jax",
    }


def network_attempts(process: int) -> int:
    """Return how often the box that a process lives in wanted to reach a computer.

    A box has a network of its own, which leads nowhere, and Linux counts in it what found no way:
    connections and messages without a route, and those to its own loopback that nobody answered,
    such as questions to a name server. Code that swallows the error is counted, too.

    Parameters
    ----------
    process : int
        Number of a process inside the box.

    Raises
    ------
    OSError
        If the process has ended, or the system does not count.
    """
    counted = 0
    lines = Path(f"/proc/{process}/net/snmp").read_text("ascii").splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        kind, *counters = zip(names.split(), values.split(), strict=False)
        counted += sum(int(v) for name, v in counters if (kind[0] + name) in _COUNTERS)
    with contextlib.suppress(OSError):  # a system without IPv6
        for line in Path(f"/proc/{process}/net/snmp6").read_text("ascii").splitlines():
            name, value = line.split()
            counted += int(value) if name in _COUNTERS else 0
    return counted


_COUNTERS = {
    "Ip:OutNoRoutes",
    "Tcp:AttemptFails",
    "Udp:NoPorts",
    "Ip6OutNoRoutes",
    "Udp6NoPorts",
}


def _seen() -> dict[str, Path]:
    """Return the folders that a kernel may read, by their names in a checkout."""
    folders = {name: KIT / name for name in SEEN}
    if os.environ.get("MLMD_DATA"):
        folders["data"] = Path(os.environ["MLMD_DATA"]).absolute()
    return folders


def _bubblewrap(places: Places | None = None, more: list[str] | None = None) -> list[str]:
    """Return the beginning of a command that runs in a box, with a kernel's folders or none."""
    box = ["bwrap", "--unshare-all", "--unshare-user", "--new-session", "--die-with-parent"]
    box += ["--uid", "1000", "--gid", "1000", "--hostname", "box", "--unsetenv", "JPY_PARENT_PID"]
    if places is not None:  # first, because Python or the kit may lie inside
        box += ["--bind", str(places.scratch / ".tmp"), "/tmp"]
    for folder in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if Path(folder).is_symlink():
            box += ["--symlink", os.readlink(folder), folder]
        elif Path(folder).exists():
            box += ["--ro-bind", folder, folder]
    for part in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "alternatives"):
        box += ["--ro-bind-try", f"/etc/{part}", f"/etc/{part}"]
    box += ["--proc", "/proc", "--dev", "/dev"]
    box += ["--size", str(64 * 2**20), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    for folder in dict.fromkeys([sys.base_prefix, sys.prefix]):
        if not Path(folder).is_relative_to("/usr"):
            box += ["--ro-bind", folder, folder]
    for path in dict.fromkeys([*(KIT / name for name in SEEN), *_seen().values()]):
        box += ["--ro-bind-try", str(path), str(path)]
    if places is not None:
        box += ["--bind", str(places.scratch), "/scratch", "--ro-bind", str(places.asked), "/asked"]
        box += ["--bind", str(places.told), "/told"]
        box += ["--bind", str(places.connection), str(places.connection)]
        box += ["--chdir", f"/scratch/{WORK.as_posix()}"]
    return [*box, *(more or []), "--remount-ro", "/"]
