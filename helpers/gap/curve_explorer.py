"""The one-dimensional explorer: two sliders, and the curve that a Gaussian process fits.

Every position of the sliders is a new fit (`helpers.gap.one_dimension`). Sliders take the keyboard:
Tab to reach one, arrow keys to move it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from helpers.gap.one_dimension import CurveFit, fit_curve
from helpers.gap.plots import curve_figure
from helpers.plots.style import as_png

# Powers of ten that the sliders reach: eV, Å.
SIGMA, LENGTH = (-3.0, 1.0), (-2.0, 0.5)
STEPS_PER_DECADE = 8
START = (0.01, 0.04)
EXAMPLES = {"overfitted": (0.01, 0.04), "about right": (0.25, 0.3), "underfitted": (10.0, 0.3)}


@dataclass(frozen=True)
class CurveExplorer:
    """Sliders for sigma and the length scale. Made by `explore_curve`.

    Shown as the result of a notebook cell, it is the interactive explorer. Where widgets cannot
    run, a figure of three fits stands in their place: overfitted, about right, underfitted.
    """

    def static_figure(self) -> Any:
        """Return a figure with one panel for each of the three examples."""
        return curve_figure(_examples())

    def widget(self) -> Any:
        """Return the sliders with their figure, an ipywidgets box.

        Raises
        ------
        ImportError
            If ipywidgets is not installed.
        """
        import ipywidgets

        def slider(value: float, reach: tuple[float, float], name: str) -> Any:
            return ipywidgets.FloatLogSlider(
                value=value,
                base=10,
                min=reach[0],
                max=reach[1],
                step=1 / STEPS_PER_DECADE,
                description=name,
                readout_format=".2g",
                style={"description_width": "10em"},
                layout={"width": "36em"},
            )

        start = fit_curve(*START)
        sigma = slider(start.sigma_eV, SIGMA, "sigma, eV")
        length = slider(start.length_A, LENGTH, "length scale, Å")
        image = ipywidgets.Image(value=_png({"": start}), format="png")
        words = ipywidgets.HTML(value=str(start))  # for those who cannot see the figure

        def redraw(_: Any) -> None:
            fit = fit_curve(sigma.value, length.value)
            image.value, words.value = _png({"": fit}), str(fit)

        for one in (sigma, length):
            one.observe(redraw, names="value")
        return ipywidgets.VBox([sigma, length, words, image])

    def __str__(self) -> str:
        fits = (f"{name} ({fit})" for name, fit in _examples().items())
        return f"A Gaussian process through noisy energies of a bond: {', '.join(fits)}."

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Offer the sliders and the static figure: each front end takes what it can show."""
        picture = base64.b64encode(_png(_examples())).decode()
        bundle = {"text/plain": str(self), "image/png": picture}
        try:
            bundle |= self.widget()._repr_mimebundle_() | {"text/plain": str(self)}
        except ImportError:
            pass
        return bundle


def explore_curve() -> CurveExplorer:
    """Return the explorer of a curve: what sigma and the length scale do to a fit."""
    return CurveExplorer()


def _examples() -> dict[str, CurveFit]:
    return {name: fit_curve(*settings) for name, settings in EXAMPLES.items()}


def _png(fits: dict[str, CurveFit]) -> bytes:
    return as_png(curve_figure(fits))
