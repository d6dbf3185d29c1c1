from .plots import plot_raman as plot_raman
from .spectrum import raman_spectrum as raman_spectrum
