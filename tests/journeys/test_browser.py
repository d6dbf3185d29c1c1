"""The course in JupyterLab, in a real browser that reaches nothing but this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

from helpers.grading import Course, grade

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

OWN = Course()
FIRST = "01_first_look"
LESSONS = [source.stem for source in OWN.sources()]
TOKEN = "for-this-test"
# chemiscope counts its uses at the first and shows all without an answer; nbgrader's page for
# marking asks the second for MathJax, and shows formulas as they were typed without it.
NOT_NEEDED = ("https://plausible.io/", "https://cdnjs.cloudflare.com/ajax/libs/mathjax/")
# What a browser would run if it were not shown as text.
PROBE = (
    """<img src="nothing" onerror="document.title = 'reached'; document.cookie = 'reached=1';"""
    """ fetch('/reached')">"""
)
STUDENTS = ("anna", "ben")
PATIENCE = 300_000  # ms: machines that run tests are busy


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course, in which students handed in what a browser might run."""
    root = tmp_path_factory.mktemp("desk")
    shutil.copy(OWN.root / "nbgrader_config.py", root)
    for folder in ("notebooks", "solutions"):
        shutil.copytree(OWN.root / folder, root / folder)
    notebook = nbformat.read(root / "notebooks" / FIRST / f"{FIRST}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.id == "text1-6":
            cell.source = f"It is noise of the *grid*: $a<b$. {PROBE}"
        elif cell.id == "ex1-1":
            cell.source = f"from IPython.display import HTML, display\ndisplay(HTML({PROBE!r}))"
    for student in STUDENTS:
        path = root / "grading" / "submitted" / student / FIRST / f"{FIRST}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    grade(Course(root), FIRST, progress=False)
    return Course(root)


@pytest.fixture(scope="module")
def lab(course, tmp_path_factory, shared_cache):
    """JupyterLab as `make desk` starts it; its address."""
    settings = tmp_path_factory.mktemp("settings")
    tracker = settings / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    # All cells at once in the page, not only those in view.
    tracker.write_text(json.dumps({"windowingMode": "none"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTER_RUNTIME_DIR": str(tmp_path_factory.mktemp("runtime")),
        "MLMD_CACHE": str(shared_cache),
        "JUPYTER_CONFIG_PATH": str(OWN.root / "tools" / "jupyter"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}"]
    log = tmp_path_factory.mktemp("log") / "lab.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            command, cwd=course.root, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api", server, log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


def wait_for(url, server, log):
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError(f"JupyterLab does not answer: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, lab):
    """A page of a browser without internet. In the end: had it wanted to leave the machine?"""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    wanted = []

    def here_only(route):
        if route.request.url.startswith((lab, "data:", "blob:")):
            route.continue_()
        else:
            wanted.append(route.request.url)
            route.abort()

    context.route("**/*", here_only)
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    yield opened
    context.close()
    assert [url for url in wanted if not url.startswith(NOT_NEEDED)] == []


def open_notebook(page, lab, edition, lesson):
    page.goto(f"{lab}/lab/tree/{edition}/{lesson}/{lesson}.ipynb?reset&token={TOKEN}")
    page.locator(".jp-Notebook h1").first.wait_for()
    page.get_by_text("| Idle").wait_for()


def run_all(page):
    """Run all cells and wait until each has its number, or one fails."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => document.querySelector('.jp-OutputArea-output[data-mime-type*=error]') ||
            [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].every(
                prompt => /\\d/.test(prompt.textContent))"""
    )


def validate(page):
    page.get_by_text("Validate", exact=True).first.click()
    dialog = page.locator(".jp-Dialog").filter(has_text="Validation Results")
    dialog.wait_for()
    return dialog.inner_text()


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_lesson_opens_with_its_formulas(page, lab, lesson):
    open_notebook(page, lab, "notebooks", lesson)
    page.locator("mjx-container").first.wait_for(state="attached")
    shown = page.locator(".jp-Notebook").inner_text()
    assert "$$" not in shown, "a formula that was not typeset"
    assert page.locator("mjx-merror").count() == 0
    assert page.get_by_text("Validate", exact=True).first.is_visible()


@pytest.mark.parametrize(
    "lesson",
    [FIRST, *(pytest.param(one, marks=pytest.mark.long) for one in LESSONS if one != FIRST)],
)
def test_each_solution_runs_and_shows_its_figures(page, lab, lesson):
    """All are run for tests/grading, too; here by JupyterLab, the first one always."""
    open_notebook(page, lab, "solutions", lesson)
    run_all(page)
    assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
    texts = page.eval_on_selector_all(
        ".jp-OutputArea img[alt]", "all => all.map(one => [one.alt, one.naturalWidth])"
    )
    assert len(texts) >= 2 and all(len(alt) > 20 and width > 300 for alt, width in texts)
    if lesson == FIRST:
        page.locator(".jp-OutputArea canvas").first.wait_for()  # molecules to turn
        assert "Success! Your notebook passes all the tests." in validate(page)


def test_a_student_who_has_done_nothing_is_told_what_to_do(page, lab):
    open_notebook(page, lab, "notebooks", FIRST)
    told = validate(page)
    assert "failed" in told and "n_lines" in told


def test_the_sliders_of_the_explorer_move_with_the_keyboard(page, lab):
    open_notebook(page, lab, "notebooks", "04_overfitting")
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    words = page.locator(".jp-OutputArea .widget-html-content", has_text="Energies: training")
    for _ in range(8):  # goals, imports, a picture (3), theory, what to see, the explorer
        page.keyboard.press("Shift+Enter")
    words.wait_for()
    picture = page.locator(".widget-image").get_attribute("src")
    page.locator(".noUi-handle").first.focus()
    for _ in range(8):  # from 1e-3 to 1e-1 eV/atom: less overfitted
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        """() => [...document.querySelectorAll('.widget-html-content')].some(
            one => parseFloat(one.innerText.split('validation / training = ')[1]) < 5)"""
    )
    assert page.locator(".widget-image").get_attribute("src") != picture


def test_an_instructor_marks_an_answer_in_formgrader(page, lab, course):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{lab}/lab?reset&token={TOKEN}")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_text("Formgrader", exact=True).first.click()
    frame = page.frame_locator("iframe").first
    frame.get_by_role("link", name=FIRST).first.wait_for()
    frame.get_by_role("link", name="Manage Students").first.click()
    frame.get_by_text("anna").first.wait_for()
    frame.get_by_role("link", name="Manual Grading").first.click()
    for place in (f"gradebook/{FIRST}", f"gradebook/{FIRST}/{FIRST}"):  # lesson, its notebook
        frame.locator(f"a[href$='{place}']").last.click()
    frame.get_by_role("link", name="Submission #1").click()
    score = frame.locator("input.score.needs_manual_grade#text1-6")  # once the page knows marks
    score.fill("1.5")
    score.press("Tab")
    marks = until_marked(course)
    assert sorted(marks.values(), key=str) == [1.5, None]
    for student, mark in marks.items():
        with course.api().gradebook as gradebook:
            number = gradebook.find_submission_notebook(FIRST, FIRST, student).id
        page.goto(f"{lab}/formgrader/submissions/{number}/?index=0")
        page.get_by_text("<img src=").first.wait_for()  # shown as text
        page.wait_for_function(
            "mark => document.querySelector('input.score#text1-6').value === mark",
            arg="" if mark is None else "1.5",
        )
        assert page.locator("img[src=nothing]").count() == 0
        assert "reached" not in [one.title() for one in page.frames]
    assert "reached" not in {cookie["name"] for cookie in page.context.cookies()}
    assert len(asked) > 20 and [url for url in asked if "reached" in url] == []


def until_marked(course):
    """Return the marks for the free-text question, once one is in the gradebook."""
    for _ in range(60):
        with course.api().gradebook as gradebook:
            marks = {
                student: gradebook.find_grade("text1-6", FIRST, FIRST, student).manual_score
                for student in STUDENTS
            }
        if any(mark is not None for mark in marks.values()):
            return marks
        time.sleep(0.5)
    raise AssertionError("the mark did not reach the gradebook")


def test_a_feedback_page_shows_formulas_and_runs_nothing(browser, course):
    """Opened as a file, without a network: only what the page itself holds is loaded."""
    path = course.root / "grading" / "feedback" / "anna" / FIRST / f"{FIRST}.html"
    context = browser.new_context()
    opened, wanted = context.new_page(), []
    opened.on("request", lambda request: wanted.append(request.url))
    opened.goto(path.as_uri())
    opened.get_by_text("<img src=").first.wait_for()
    assert opened.title() != "reached" and opened.locator("script").count() == 0
    assert context.cookies() == [] and opened.evaluate("document.cookie") == ""
    formulas = opened.eval_on_selector_all(
        "img[src^='data:image/svg']", "all => all.map(one => [one.alt, one.naturalWidth])"
    )
    assert len(formulas) > 5 and all(alt and width > 3 for alt, width in formulas)
    assert "a<b" in [alt for alt, _ in formulas]
    assert [url for url in wanted if not url.startswith(("data:", path.as_uri()))] == []
    context.close()
