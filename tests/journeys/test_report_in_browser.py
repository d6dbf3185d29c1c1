"""The report in a real browser: the run can be turned, and nothing is loaded from anywhere."""

import shutil

import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.report import ReportFigure, ReportTable, ReportView, Section, add_section

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def test_views_are_shown_and_paper_has_figures_in_their_place(tmp_path, frames10):
    import chemiscope

    for atoms in frames10:
        atoms.wrap()
        atoms.info, atoms.arrays = {}, {n: atoms.arrays[n] for n in ("numbers", "positions")}
    times = {"target": "structure", "values": list(range(10)), "units": "fs"}
    curve = chemiscope.create_input(properties={"x": list(range(20)), "y": list(range(20))})
    run = chemiscope.create_input(frames10, properties={"time": times, "again": times})
    figure = Figure()
    figure.add_subplot().plot([0, 1], [0, 1])
    section = Section(
        "run",
        40,
        "A run",
        views=(ReportView(run, "default", "The run."), ReportView(curve, "map", "A curve.")),
        figures=(ReportFigure(figure, "A figure.", "A line"),),
        tables=(ReportTable(pd.DataFrame({"x": [1.5]}), "Behind a fold", folded=True),),
    )
    page_path = add_section(section, tmp_path)
    asked, errors = [], []
    with playwright.sync_playwright() as started:
        options = ["--no-sandbox", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card
        browser = started.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_path.as_uri())
        for view in page.query_selector_all(".view"):
            view.scroll_into_view_if_needed()
        page.wait_for_function(
            "[...document.querySelectorAll('.view')].every(view => view.dataset.shown)",
            timeout=120_000,
        )
        assert page.query_selector("#run-view-1-structure canvas") or page.evaluate(
            "document.querySelector('#run-view-1-structure > *').shadowRoot.querySelector('canvas')"
            " !== null"
        )
        page.emulate_media(media="print")
        assert not page.query_selector(".interactive").is_visible()
        assert page.query_selector("#run .figures img").is_visible()
        browser.close()
    assert errors == []
    elsewhere = [url for url in asked if not url.startswith(("data:", "blob:", "file:"))]
    assert elsewhere == [] and sum(url.startswith("file:") for url in asked) == 1
