"""The overfitting explorer: its numbers, its sliders, and the picture that stands in for them."""

import base64
import builtins

import numpy as np
import pytest

from helpers import evaluate, explore_sigmas, load_frames
from helpers.errors import ConfigError, DataError
from helpers.gap.xml import write_model
from helpers.sweeps.explorer import STRETCH_A, in_words, stretched_bond
from helpers.sweeps.explorer_figure import two_digits

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def validation():
    return load_frames("water", "validate")[::25]


@pytest.fixture(scope="module")
def explorer(tiny_fit, tiny_config, _frames10, validation):
    return explore_sigmas(tiny_fit.model_path, _frames10, validation, config=tiny_config)


@pytest.mark.slow
def test_a_view_shows_what_the_model_with_these_sigmas_gives(
    explorer, validation, frames10, tmp_path
):
    view = explorer.view(0.003, 0.1)
    path = write_model(explorer.family.model(0.003, 0.1), tmp_path / "gap.xml")
    for name, frames in {"training": frames10, "validation": validation}.items():
        expected = evaluate(path, frames, processes=1)
        assert view.rmse_energy[name] == pytest.approx(expected.rmse_energy_meV_per_atom, rel=1e-5)
        assert view.rmse_forces[name] == pytest.approx(expected.rmse_forces_meV_per_A, rel=1e-5)
        shown = view.predicted[name] - view.true[name]
        errors = 1000 * (expected.energies["predicted"] - expected.energies["true"])
        assert np.allclose(shown, errors, rtol=0, atol=1e-5)
    here = np.argmin(abs(np.log(view.sigmas / 0.003)))
    nearest = explorer.view(view.sigmas[here], 0.1)
    assert view.curve["training"][here] == pytest.approx(nearest.rmse_energy["training"])


def test_small_sigma_learns_by_heart(explorer):
    small, large = explorer.view(1e-5, 0.02), explorer.view(0.1, 0.02)
    assert small.rmse_energy["training"] < 0.1 * small.rmse_energy["validation"]
    assert large.rmse_energy["training"] > 0.5 * large.rmse_energy["validation"]
    assert np.all(np.diff(small.curve["training"]) > 0), "the curve falls with sigma"


def test_the_stretch_moves_one_hydrogen_along_its_bond(explorer, validation):
    copies = stretched_bond(validation[0])
    moved = [np.flatnonzero(abs(c.positions - validation[0].positions).max(1)) for c in copies]
    (hydrogen,) = {int(index) for indices in moved for index in indices}
    oxygen = int(np.flatnonzero(validation[0].symbols == "O")[0])
    assert validation[0].symbols[hydrogen] == "H"
    found = [copy.get_distance(oxygen, hydrogen, mic=True) for copy in copies]
    assert np.allclose(found, STRETCH_A)
    view = explorer.view(*explorer.start)
    lowest = view.distance_A[np.argmin(view.energy_eV)]
    assert 0.85 < lowest < 1.15 and view.energy_eV.min() == 0
    with pytest.raises(DataError, match="no O–H bond to stretch"):
        stretched_bond(validation[0][validation[0].symbols == "O"])


@pytest.mark.slow
def test_sliders_can_be_focused_and_redraw_figure_and_words(explorer):
    import ipywidgets

    energy, force, words, image = explorer.widget().children
    for slider in (energy, force):  # real sliders: Tab and arrow keys reach and move them
        assert isinstance(slider, ipywidgets.FloatLogSlider)
        assert slider.tabbable is not False and not slider.disabled and slider.continuous_update
    before = bytes(image.value), words.value
    energy.value = 10**-4.5
    assert bytes(image.value).startswith(PNG) and image.value != before[0]
    assert words.value == in_words(explorer.view(energy.value, force.value)) != before[1]
    force.value = 10.0
    assert words.value == in_words(explorer.view(energy.value, 10.0))
    energy.value, force.value = explorer.start
    assert (bytes(image.value), words.value) == before, "the same sigmas, the same picture"


def test_all_views_have_the_same_axes_and_nothing_leaves_them(explorer):
    panels = explorer.static_figure([(1e-5, 10.0), explorer.start, (0.1, 10.0)]).axes
    for column in range(3):
        limits = {(ax.get_xlim(), ax.get_ylim()) for ax in panels[column::3]}
        assert len(limits) == 1
    for ax in (ax for k, ax in enumerate(panels) if k % 3 < 2):
        low, high = ax.get_ylim()
        for line in ax.get_lines():
            assert np.all((line.get_ydata() >= low) & (line.get_ydata() <= high))


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "> 1000"), (271.0, "270"), (1.268, "1.3"), (0.004, "< 0.01")]
)
def test_numbers_have_two_digits(value, text):
    assert two_digits(value) == text


def test_sliders_can_start_elsewhere(explorer):
    energy, force, words, _ = explorer.widget((1e-3, 10.0)).children
    assert (energy.value, force.value) == (1e-3, 10.0)
    assert words.value == in_words(explorer.view(1e-3, 10.0))


@pytest.mark.slow
def test_a_front_end_without_widgets_gets_a_picture(explorer, monkeypatch):
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(PNG)
    real = builtins.__import__

    def without(name, *rest):
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert set(explorer._repr_mimebundle_()) == {"text/plain", "image/png"}


def test_every_panel_has_a_title_and_units(explorer):
    panels = explorer.static_figure().axes
    assert len(panels) == 9, "three views of three panels"
    assert len(explorer.static_figure([(1e-5, 1.0)]).axes) == 3
    of_energies = [float(ax.get_lines()[1].get_xdata()[0]) for ax in panels[::3]]
    assert of_energies == sorted(of_energies) and len(set(of_energies)) == 3
    for ax in panels:
        assert ax.get_title()
        assert "eV" in ax.get_ylabel() and ("eV" in ax.get_xlabel() or "Å" in ax.get_xlabel())


def test_sigma_zero_is_refused(explorer):
    with pytest.raises(ConfigError, match="sigma_energy_eV_per_atom=0 cannot be used"):
        explorer.view(0, 0.02)
