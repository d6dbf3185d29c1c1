from .bootstrap import compare_errors as compare_errors
from .errors import WorkshopError as WorkshopError
from .evaluation import evaluate as evaluate
from .evaluation import evaluate_together as evaluate_together
from .frames import load_frames as load_frames
from .frames import read_frames as read_frames
from .gap.config import GapConfig as GapConfig
from .gap.config import TwoBody as TwoBody
from .gap.fit import fit_gap as fit_gap
from .gap.potential import load_potential as load_potential
from .md.runs import run_nve as run_nve
from .md.runs import run_nvt as run_nvt
from .own_models import own_or_stored as own_or_stored
from .raman.spectrum import raman_spectrum as raman_spectrum
from .sagpr.ridge import SymmetryAdaptedKernelRidge as SymmetryAdaptedKernelRidge
from .sweeps.explorer import explore_sigmas as explore_sigmas
from .sweeps.run import learning_curve as learning_curve
from .sweeps.run import sweep as sweep

__version__: str
