"""Handlers of every form run by the engine: classes, methods, functions, resolvers, HTTP."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_AUTHOR = Path(__file__).with_name("author.py.txt")


class _Service(BaseHTTPRequestHandler):
    """Unavailable at first, as services are."""

    def do_GET(self):
        self.server.asked += 1
        status = 503 if self.server.asked == 1 else 200
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b'{"name": "Ada"}' if status == 200 else b'{"error": "maintenance"}')

    def log_message(self, *args):
        pass


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.asked = 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def step(name, handler, *parents, attempts=1):
    retry = {"max_attempts": attempts, "backoff": "none"}
    return {"name": name, "dependencies": list(parents), "handler": handler, "retry": retry}


def test_every_form_of_handler_runs(folder, service):
    text = _AUTHOR.read_text().replace("URL", service)
    (folder.root / "handlers" / "author.py").write_text(text)
    money = {"callable": "providers:money", "initialization": {"currency": "EUR"}}
    folder.template(
        "good",
        step("charge", money),
        step("refund", {"callable": "handlers.author.Money", "method": "refund"}, "charge"),
        step("double", {"callable": "handlers.author.double"}, "charge"),
        step("view", {"callable": "registered_by_code", "resolver": "explicit_mapping"}, "charge"),
        step("fetch", {"callable": "fetch"}, attempts=2),
    )
    folder.template(
        "bad",
        step("charge", money),
        step("broken", {"callable": "providers:broken"}),
        step("mismatch", {"callable": "mismatch"}, "charge"),
    )
    with folder.running() as running:
        good, bad = running.wait(
            [*running.submit("good", amount=7), *running.submit("bad", amount=7)]
        )
    assert good.state == "complete"
    assert good.results == {
        "charge": {"charged": 7, "currency": "EUR"},
        "refund": {"refunded": 7},
        "double": {"double": 14, "amount": 7},
        "view": {"view": 7},
        "fetch": {"name": "Ada"},
    }
    assert bad.state == "error"
    assert bad.results == {"charge": {"charged": 7, "currency": "EUR"}}
    errors = {step.name: step.error for step in bad.steps if step.error}
    assert "the resolver 'providers' failed: KeyError" in str(errors["broken"])
    assert "the result of step 'charge': charged is 7: expected" in str(errors["mismatch"])
    assert not any(error["retryable"] for error in errors.values())
