from .command import run_handout as run_handout
from .command import run_own_data as run_own_data
from .stages import Outcome as Outcome
from .stages import Stage as Stage
from .stages import run_stages as run_stages
