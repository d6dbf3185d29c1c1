"""A class on a real JupyterHub on this machine: release, fetch, submit, collect, feedback."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from helpers.grading import grade

sys.path.append(str(Path(__file__).parents[1] / "grading"))
from probes.course import LESSON, new_course  # noqa: E402
from probes.hand_ins import RIGHT  # noqa: E402

pytest.importorskip("jupyterhub")
PROXY = shutil.which("configurable-http-proxy")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROXY is None, reason="configurable-http-proxy is not installed"),
]
# nbgrader calls students by their accounts on the system, and here all have that of the tests.
WHO = pwd.getpwuid(os.getuid()).pw_name
TOKEN = "0123456789abcdef" * 4
SETTINGS = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{base}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.env_keep = ["PATH", "PYTHONPATH", "LANG"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [{{"name": "test", "scopes": scopes, "services": ["test"]}}]
"""
STUDENT = """
c = get_config()
c.CourseDirectory.course_id = "mlmd"
c.Exchange.root = {exchange!r}
"""


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The home folders: the instructor's is the course, the student's knows the exchange."""
    base = tmp_path_factory.mktemp("hub")
    (base / "instructor").mkdir()
    made = new_course(base / "instructor")
    made.release(LESSON, database=True)
    (base / "anna").mkdir()
    exchange = str(made.grading / "exchange")
    Path(exchange).chmod(0o777)
    (base / "anna" / "nbgrader_config.py").write_text(STUDENT.format(exchange=exchange))
    return made


@pytest.fixture(scope="module")
def ask(course):
    """A function: path, what to send → what the server of a user answers."""
    base = course.root.parent
    port, hub, api = free_ports(3)
    settings = base / "jupyterhub_config.py"
    settings.write_text(
        SETTINGS.format(
            port=port, hub=hub, api=api, proxy=PROXY, base=base, python=sys.executable, token=TOKEN
        )
    )
    log = (base / "hub.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", str(settings)],
        cwd=base,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN},
    )

    def request(path, method="GET", **data):
        send = urllib.parse.urlencode(data).encode() if method == "POST" else None
        headers = {"Authorization": f"token {TOKEN}"}
        url = f"http://127.0.0.1:{port}{path}"
        opened = urllib.request.Request(url, data=send, headers=headers, method=method)
        with urllib.request.urlopen(opened, timeout=120) as reply:
            text = reply.read().decode()
        return json.loads(text) if text else None

    def until(path):
        for _ in range(300):
            assert server.poll() is None, (base / "hub.log").read_text()[-3000:]
            try:
                return request(path)
            except (OSError, ValueError):
                time.sleep(1)
        raise AssertionError((base / "hub.log").read_text()[-3000:])

    try:
        until("/hub/api/")
        for user in ("instructor", "anna"):
            request(f"/hub/api/users/{user}", "POST")
            request(f"/hub/api/users/{user}/server", "POST")
        for user in ("instructor", "anna"):
            until(f"/user/{user}/api/status")
        yield request
    finally:
        for user in ("instructor", "anna"):
            try:
                request(f"/hub/api/users/{user}/server", "DELETE")
            except OSError:
                pass
        server.terminate()
        try:
            server.wait(timeout=120)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


def test_a_lesson_goes_to_a_student_and_comes_back_with_feedback(course, ask):
    anna = course.root.parent / "anna"
    lesson = {"course_id": "mlmd", "assignment_id": LESSON}
    instructor = f"/user/instructor/formgrader/api/assignment/{LESSON}"

    def done(reply):
        assert reply["success"], reply
        return True

    def listed():
        found = ask("/user/anna/assignments?course_id=mlmd")
        assert done(found)
        return {one["status"] for one in found["value"]}

    assert done(ask(f"{instructor}/release", "POST"))
    assert listed() == {"released"}
    assert done(ask("/user/anna/assignments/fetch", "POST", **lesson))
    path = anna / LESSON / f"{LESSON}.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = RIGHT.get(cell["id"], cell["source"])
    path.write_text(json.dumps(notebook), "utf-8")
    assert done(ask("/user/anna/assignments/submit", "POST", **lesson))
    assert listed() == {"fetched", "submitted"}
    assert done(ask(f"{instructor}/collect", "POST"))
    assert (course.grading / "submitted" / WHO / LESSON / "timestamp.txt").is_file()

    table = grade(course, LESSON, progress=False).set_index("student")
    assert table["score"].to_dict() == {WHO: 10}
    assert done(ask(f"{instructor}/{WHO}/release_feedback", "POST"))
    assert done(ask("/user/anna/assignments/fetch_feedback", "POST", **lesson))
    (page,) = anna.glob(f"{LESSON}/feedback/*/{LESSON}.html")
    assert "Score: 10.0 / 11.0" in page.read_text("utf-8")
