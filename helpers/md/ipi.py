"""i-PI with the energy, forces and virial of any ASE calculator, through a socket.

i-PI moves the atoms (path integrals, many thermostats and barostats); this side answers with
energies, forces and, unlike ASE's `SocketClient.run` by default, with the virial: without it i-PI
takes a virial of zero for true, and a run at constant pressure is wrong.
"""

from __future__ import annotations

from typing import Any

from ase import Atoms
from ase.calculators.socketio import SocketClient

from helpers import checks
from helpers.errors import ConfigError, PredictionError
from helpers.gap.calculator import check_atoms


def serve_ipi(
    atoms: Atoms,
    calculator: Any,
    *,
    address: str = "localhost",
    port: int | None = None,
    virial: bool = True,
    timeout_s: float | None = None,
) -> None:
    """Answer i-PI until it ends the run. Start i-PI first; then this, in its own process.

    Parameters
    ----------
    atoms : ase.Atoms
        The atoms in the order in which i-PI has them; positions and cell come from i-PI.
    calculator : ASE calculator
        Such as ``load_potential("gap.xml")``.
    address : str
        As in i-PI's input: ``<address>``.
    port : int, optional
        As in i-PI's input for ``<ffsocket mode='inet'>``; by default ``mode='unix'``.
    virial : bool
        Send the virial. False is for molecules at constant volume.
    timeout_s : float, optional
        Seconds to wait for i-PI's next question.

    Raises
    ------
    ConfigError
        If the virial is wanted, and the calculator knows no stress or the atoms are not periodic.
    PredictionError
        If there is nobody at this address, or the calculator cannot be asked about these atoms.
    """
    if port is not None:
        checks.whole("port", port, 1, 65535)
    check_atoms(atoms, None, "")
    if hasattr(calculator, "check_frames"):
        calculator.check_frames([atoms])
    if virial and "stress" not in calculator.implemented_properties:
        raise ConfigError(
            f"{type(calculator).__name__} knows no stress, and i-PI would take it for zero",
            fix="virial=False, for a run at constant volume only",
        )
    if virial and not atoms.pbc.all():
        raise ConfigError(
            "The virial is wanted of atoms that are not periodic",
            found=f"pbc {atoms.pbc.tolist()}",
            fix="virial=False, for a run at constant volume only",
        )
    place = {"unixsocket": address} if port is None else {"host": address, "port": port}
    try:
        client = SocketClient(**place, timeout=timeout_s)
    except OSError as error:
        raise PredictionError(
            f"There is no i-PI at {address}{'' if port is None else f':{port}'} ({error})",
            fix="start i-PI first, with the same address and mode",
        ) from error
    asked = atoms.copy()
    asked.set_constraint()
    asked.calc = calculator
    client.run(asked, use_stress=virial)
