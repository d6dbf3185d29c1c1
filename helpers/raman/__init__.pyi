from .plots import plot_raman as plot_raman
from .plots import plot_raman_comparison as plot_raman_comparison
from .plots import plot_scattered_light as plot_scattered_light
from .spectrum import raman_spectrum as raman_spectrum
