"""Who is let in: passwords on every route, other sites, other names, too large bodies, public addresses."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from dragkit.studio.app import build
from dragkit.studio.desk import Desk
from dragkit.studio.security import AUTH, Gate, is_loopback, refuse_open, users

ROUTES = [
    ("GET", "/"), ("GET", "/studio.js"), ("GET", "/openapi.json"), ("GET", "/api/about"), ("GET", "/api/scenes/0"),
    ("GET", "/api/scenes/0.png"), ("GET", "/api/pictures/x.png"), ("GET", "/api/results/x.png"), ("GET", "/api/jobs/x"),
    ("GET", "/api/workspace/x"),
    ("GET", "/api/jobs/x/events"), ("POST", "/api/jobs"), ("POST", "/api/preview"), ("POST", "/api/pick"),
    ("POST", "/api/field"), ("POST", "/api/landmarks"), ("POST", "/api/pictures"), ("POST", "/api/drawings"),
    ("DELETE", "/api/jobs/x"), ("POST", "/mcp"), ("GET", "/nosuch"),
]  # fmt: skip


@pytest.fixture
def locked(desk: Desk) -> TestClient:
    return TestClient(build(desk.settings, desk, {"anna": "süß:1"}, "0.0.0.0"), base_url="http://studio.example")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_the_password(locked, method, path):
    for auth in (None, ("anna", "wrong"), ("bert", "süß:1"), ("", "")):
        answer = locked.request(method, path, auth=auth)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
    right = locked.request(method, path, auth=("anna", "süß:1".encode()))
    assert right.status_code != 401


def test_a_list_of_routes_that_is_complete(desk):
    app = build(desk.settings, desk, {})
    told = set(app.openapi()["paths"])
    tried = {path.replace("/x", "/{}").replace("/0", "/{}") for _, path in ROUTES}
    assert {path.replace("{number}", "{}").replace("{name}", "{}").replace("{sha256}", "{}") for path in told} <= tried


@pytest.mark.parametrize("given", ["Basic !!!", "Bearer x", "Basic", "Basic YW5uYQ==", "Basic /w=="])
def test_broken_credentials_are_refused(locked, given):
    assert locked.get("/", headers={"authorization": given}).status_code == 401


def test_another_name_or_another_site_is_refused(desk):
    app = build(desk.settings, desk, {})
    assert TestClient(app, base_url="http://127.0.0.1:8765").get("/api/about").status_code == 200
    assert TestClient(app, base_url="http://localhost:8765").get("/api/about").status_code == 200
    assert TestClient(app, base_url="http://[::1]:8765").get("/api/about").status_code == 200
    assert TestClient(app, base_url="http://evil.example").get("/api/about").status_code == 421
    client = TestClient(app, base_url="http://localhost")
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert client.get("/api/about", headers={"sec-fetch-site": site}).status_code == status


def test_too_much_is_refused_announced_or_not(desk):
    app = build(desk.settings, desk, {})
    gates = [entry for entry in app.user_middleware if entry.cls is Gate]
    gates[0].kwargs["most"] = 1000
    client = TestClient(app, base_url="http://localhost")
    assert client.post("/api/pictures", content=bytes(2000)).status_code == 413

    def drops():
        for _ in range(20):
            yield bytes(100)

    assert client.post("/api/pictures", content=drops()).status_code == 413
    assert client.get("/api/about").status_code == 200


def test_every_answer_says_what_the_page_may_load(desk):
    client = TestClient(build(desk.settings, desk, {}), base_url="http://localhost")
    for path in ("/", "/api/about", "/nosuch"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_names_no_other_machine(desk):
    client = TestClient(build(desk.settings, desk, {}), base_url="http://localhost")
    for path in ("/", "/studio.js", "/index.css"):
        answer = client.get(path)
        assert answer.status_code == 200
        text = answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.5", False), ("studio.example", False)],
)  # fmt: skip
def test_public_addresses_need_a_password(host, local):
    assert is_loopback(host) == local
    refuse_open(host, {"anna": "x"}, False)
    refuse_open(host, {}, True)
    if local:
        refuse_open(host, {}, False)
    else:
        with pytest.raises(ValueError, match="--auth-file"):
            refuse_open(host, {}, False)


def test_names_and_passwords_of_a_file_and_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(AUTH, raising=False)
    assert users(None) == {}
    file = tmp_path / "auth"
    file.write_text("anna:a:b\n\nbert:c\n")
    assert users(file) == {"anna": "a:b", "bert": "c"}
    monkeypatch.setenv(AUTH, "carl:d")
    assert users(file)["carl"] == "d"
    monkeypatch.setenv(AUTH, "carl")
    with pytest.raises(ValueError, match="name:password"):
        users(None)
    monkeypatch.delenv(AUTH)
    file.write_text("\n")
    with pytest.raises(ValueError, match="names nobody"):
        users(file)
    with pytest.raises(ValueError, match="no file"):
        users(tmp_path / "nosuch")


def test_pixels_survive_the_way_through_the_server(desk):
    client = TestClient(build(desk.settings, desk, {}), base_url="http://localhost")
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    sent = client.post("/api/pictures", content=buffer.getvalue()).json()
    back = client.get(f"/api/pictures/{sent['sha256']}.png").content
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(back))), pixels)
