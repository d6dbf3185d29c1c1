"""Let quippy's calculator have a name in this environment, whoever imports it.

    python tools/complete_quippy.py

See helpers/quippy_name.py, of which this puts a copy into site-packages, and a line that imports it
whenever Python starts. make setup runs it, mlmd doctor tells when it is missing.
"""

import shutil
import sysconfig
from pathlib import Path

NAME = "mlmd_quippy_name"

site_packages = Path(sysconfig.get_path("purelib"))
source = Path(__file__).resolve().parents[1] / "helpers" / "quippy_name.py"
shutil.copyfile(source, site_packages / f"{NAME}.py")
(site_packages / f"{NAME}.pth").write_text(f"import {NAME}\n")
