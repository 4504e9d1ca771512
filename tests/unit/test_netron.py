"""Netron's handler: the model and Netron's own files, nothing else, and a page that no date can switch off."""

import http.client
import json
import re
import subprocess
import sys
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from pocketlab.errors import ModelFileError
from pocketlab.ui import netron

STATIC = Path(str(files("netron")))


@pytest.fixture(scope="module")
def server():
    server = netron.NetronServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "my model.tflite"
    path.write_bytes(b"the model")
    (tmp_path / "secret.txt").write_text("secret")
    return path


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "net.mlpackage"
    (folder / "Data/com.apple.CoreML/weights").mkdir(parents=True)
    (folder / "Manifest.json").write_text(json.dumps({"itemInfoEntries": {}}))
    (folder / "Data/com.apple.CoreML/model.mlmodel").write_bytes(b"the program")
    (folder / "Data/com.apple.CoreML/weights/weight.bin").write_bytes(b"the weights")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def get(server, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    return response, response.read()


def test_it_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"


def test_serves_the_page_netrons_files_and_the_model(server, model):
    token = server.token_for(model)
    for path, wanted in [("", b"<!DOCTYPE html>"), ("view.js", b"import"), ("data/my%20model.tflite", b"the model")]:
        response, body = get(server, f"/{token}/{path}?cb=1")
        assert response.status == 200
        assert wanted in body
        assert int(response.headers["Content-Length"]) == len(body)


def test_serves_a_package_by_its_inner_paths(server, package):
    token = server.token_for(package)
    assert b'content="/data/Manifest.json"' in get(server, f"/{token}/")[1]
    for inner in ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"):
        response, body = get(server, f"/{token}/data/{inner}")
        assert response.status == 200
        assert body == (package / inner).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "data/secret.txt",
        "data/../secret.txt",
        "data/%2e%2e/secret.txt",
        "data/..%2fsecret.txt",
        "data//etc/passwd",
        "data/link.txt",
        "data/",
        "data",
        "../netron/view.js",
        "..%2f__init__.py",
        "server.py",
        "__init__.py",
        "/etc/passwd",
        "%00",
    ],
)
def test_nothing_else_is_reachable(server, model, package, path):
    for token in (server.token_for(model), server.token_for(package)):
        assert get(server, f"/{token}/{path}")[0].status == 404


def test_nothing_is_reachable_without_the_token(server, model):
    server.token_for(model)
    for path in ("/", "/index.html", "/view.js", "/data/my%20model.tflite", "/wrong/", "//", "/%C3%A9/"):
        assert get(server, path)[0].status == 404


def test_one_models_token_does_not_open_another(server, model, package):
    assert server.token_for(model) != server.token_for(package)
    assert server.token_for(model) == server.token_for(model)
    assert get(server, f"/{server.token_for(package)}/data/my%20model.tflite")[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_only_get_is_answered(server, model, method):
    assert get(server, f"/{server.token_for(model)}/", method)[0].status == 501


@pytest.mark.parametrize("path", ["", "view.js", "data/my%20model.tflite", "missing"])
def test_every_answer_forbids_other_hosts(server, model, path):
    headers = get(server, f"/{server.token_for(model)}/{path}")[0].headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["script-src"] == "'self'"
    assert not re.search(r"https?:|\*", headers["Content-Security-Policy"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Set-Cookie"] is None


def test_the_page_knows_no_date_reports_nothing_and_links_nowhere(model):
    shipped = (STATIC / "index.html").read_text("utf-8")
    assert '<meta name="date"' in shipped   # otherwise the rewriting below proves nothing
    page = netron.index_page(shipped, model).decode()
    assert 'name="date"' not in page
    assert re.findall(r'<meta name="version" content="([^"]*)">', page) == ["0.0.0"]
    assert '<meta name="file" content="/data/my%20model.tflite">' in page
    assert re.findall(r"<script[^>]*>", page)[0] == '<script src="pocketlab.js">'
    assert "http://" not in page
    assert "https://" not in page


def test_the_switches_are_still_where_the_page_rewrites_them():
    """Netron reads date, version and consent as this version's browser.js does; an upgrade has to be looked at."""
    source = (STATIC / "browser.js").read_text("utf-8")
    for line in (
        "this._meta.version[0] !== '0.0.0'",
        "if (this._environment.packaged) {",
        "if (this._getCookie('consent') || this._getCookie('_ga')) {",
        ": new Date(),",
    ):
        assert line in source


def test_show_gives_a_titled_frame_behind_the_notebook_server(model, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    view = netron.show(model, height=300)
    html = view._repr_html_()
    assert re.fullmatch(r"/user/ada/proxy/\d+/[\w-]{20,}/", view.proxied)
    assert f'src="{view.proxied}"' in html
    assert 'title="Netron: the graph of my model.tflite"' in html
    assert 'height="300"' in html
    assert netron.show(model).url == view.url


def test_without_a_notebook_server_it_says_where_to_look(model, monkeypatch, tmp_path):
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    view = netron.show(model)
    assert "<iframe" not in view._repr_html_()
    assert view.url in view._repr_html_()
    assert view.url in repr(view)


def test_a_file_name_is_escaped(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/")
    path = tmp_path / r'"><script>\g<1>.onnx'
    path.write_bytes(b"x")
    assert "<script>" not in netron.show(path)._repr_html_()
    page = netron.index_page((STATIC / "index.html").read_text("utf-8"), path).decode()
    assert "<script>" not in page


def test_a_missing_model_is_a_sentence(tmp_path):
    with pytest.raises(ModelFileError, match="no model at"):
        netron.show(tmp_path / "missing.tflite")
    with pytest.raises(ModelFileError, match=r"without a Manifest\.json"):
        netron.show(tmp_path)


def test_the_server_ends_with_its_process(model):
    code = f"from pocketlab.ui import netron; print(netron.show({str(model)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    port = int(re.search(r"127\.0\.0\.1:(\d+)/", done.stdout).group(1))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with pytest.raises(ConnectionRefusedError):
        connection.connect()
