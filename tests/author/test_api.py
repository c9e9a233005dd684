import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from stepping import context_of, run, value_of

from tasker_mp import ApiHandler, StepHandler, errors
from tasker_mp.step_handler import api_handler
from tasker_mp.step_handler.mixins import APIMixin, ApiResponse
from tasker_mp.step_handler.mixins.api_response import seconds_until


class Asking(APIMixin, StepHandler):
    base_url = "https://api.example.com/v1"
    default_headers = {"x-key": "k"}  # noqa: RUF012  as authors write it

    def call(self, context):
        response = self.get("/users")
        return self.api_success(response) if response.ok else self.api_failure(response)


@contextmanager
def answered(answer, handler=None):
    """A handler whose requests `answer` answers, in place of a network."""
    handler = handler or Asking()
    handler._client = httpx.Client(
        transport=httpx.MockTransport(answer), base_url=handler.base_url, headers={"x-key": "k"}
    )
    try:
        yield handler
    finally:
        handler.close()


def response(status, **kwargs):
    return ApiResponse(httpx.Response(status, **kwargs))


def test_every_verb_asks_as_it_says():
    asked = []

    def answer(request):
        asked.append((request.method, str(request.url), request.headers["x-key"], request.content))
        return httpx.Response(204)

    with answered(answer) as handler:
        handler.get("/a", params={"page": 2})
        handler.post("/a", json={"b": 1}, headers={"y": "z"})
        handler.put("/a", data={"b": 1})
        handler.patch("/a", json=[])
        handler.delete("/a")
        handler.request("HEAD", "/a", timeout=1)
    url = "https://api.example.com/v1/a"
    assert asked == [
        ("GET", f"{url}?page=2", "k", b""),
        ("POST", url, "k", b'{"b":1}'),
        ("PUT", url, "k", b"b=1"),
        ("PATCH", url, "k", b"[]"),
        ("DELETE", url, "k", b""),
        ("HEAD", url, "k", b""),
    ]


def test_a_body_is_json_where_the_service_says_so():
    assert response(200, json={"a": 1}).body == {"a": 1}
    problem = {"content-type": "application/problem+json; charset=utf-8"}
    assert response(400, content=b'{"a": 1}', headers=problem).body == {"a": 1}
    liar = {"content-type": "application/json"}
    assert response(200, content=b"oops", headers=liar).body == "oops"
    assert response(200, text='{"a": 1}').body == '{"a": 1}'
    assert response(200, text="x").to_dict()["status_code"] == 200


@pytest.mark.parametrize(
    ("status", "error_type", "retryable"),
    [
        (400, "bad_request", False),
        (401, "unauthorized", False),
        (403, "forbidden", False),
        (404, "not_found", False),
        (408, "request_timeout", True),
        (409, "conflict", False),
        (418, "client_error", False),
        (422, "unprocessable_entity", False),
        (429, "rate_limited", True),
        (500, "internal_server_error", True),
        (501, "server_error", False),
        (503, "service_unavailable", True),
        (504, "gateway_timeout", True),
        (302, "http_error", False),
    ],
)
def test_what_a_status_means(status, error_type, retryable):
    result = Asking().api_failure(response(status))
    assert not result.is_success
    assert (result.error_type, result.retryable) == (error_type, retryable)
    assert result.metadata["status_code"] == status
    assert result.error_message.startswith(f"HTTP {status}: ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "no such user"}, "HTTP 404: no such user"),
        ({"error": {"message": "gone"}}, "HTTP 404: gone"),
        ({"error": {}, "detail": "not here"}, "HTTP 404: not here"),
        ({"other": 1}, "HTTP 404: Not Found"),
        ([1], "HTTP 404: Not Found"),
    ],
)
def test_the_services_own_words_are_told(body, message):
    assert Asking().api_failure(response(404, json=body)).error_message == message
    assert Asking().api_failure(response(404, json=body), "mine").error_message == "mine"
    assert Asking().api_failure(response(599)).error_message == "HTTP 599: HTTP Error"


def test_an_answer_becomes_a_result():
    result = Asking().api_success(response(200, json={"a": 1}, headers={"set-cookie": "secret"}))
    assert result.result == {"a": 1}
    assert result.metadata["status_code"] == 200
    assert "secret" not in str(result.metadata)
    assert Asking().api_success(response(200, json=[1])).result == {"data": [1]}
    own = Asking().api_success(response(200), {"mine": 1}, include_response=False)
    assert (own.result, own.metadata) == ({"mine": 1}, {})


def test_a_long_body_does_not_cost_the_rest_of_the_record():
    result = Asking().api_failure(response(500, text="x" * 1_000_000))
    assert len(result.metadata["response_body"]) < 5000


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("30", 30),
        (" 0 ", 0),
        ("-5", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("soon", None),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOON - timedelta(seconds=90), usegmt=True), 0),
        ("Thu, 01 Jan 2026 12:00:05 -0000", 5),
    ],
)
def test_retry_after_is_a_number_or_a_date(header, seconds):
    assert seconds_until(header, NOON) == seconds


def test_the_next_attempt_waits_as_long_as_the_service_asks():
    def answer(request):
        return httpx.Response(429, headers={"Retry-After": "17"}, json={"error": "slow down"})

    with answered(answer) as handler:
        outcome = run(handler)
    assert (outcome.error.message, outcome.error.retryable) == ("HTTP 429: slow down", True)
    assert outcome.error.retry_after == 17


@pytest.mark.parametrize(
    ("theirs", "ours", "error_type", "retryable"),
    [
        (httpx.ReadTimeout, errors.TimeoutError, "timeout", True),
        (httpx.ConnectTimeout, errors.TimeoutError, "timeout", True),
        (httpx.ConnectError, errors.NetworkError, "retryable_error", True),
        (httpx.RemoteProtocolError, errors.NetworkError, "retryable_error", True),
        (httpx.UnsupportedProtocol, errors.ConfigurationError, "permanent_error", False),
    ],
)
def test_no_answer_is_an_error_to_httpx_and_to_the_engine(theirs, ours, error_type, retryable):
    def answer(request):
        raise theirs("it broke", request=request)

    with answered(answer) as handler:
        with pytest.raises(theirs, match="it broke") as caught:
            handler.get("/users")
        assert isinstance(caught.value, ours)
        assert caught.value.request.url.path == "/v1/users"
        outcome = run(handler)
    assert (outcome.error.error_type, outcome.error.retryable) == (error_type, retryable)


def test_a_timeout_is_never_called_a_broken_connection():
    timed_out = Asking().connection_error(httpx.ConnectTimeout("slow"), "fetching users")
    assert (timed_out.error_type, timed_out.retryable) == ("timeout", True)
    assert timed_out.error_message == "Request timeout while fetching users: slow"
    broken = Asking().connection_error(ConnectionResetError("reset"))
    assert (broken.error_type, broken.error_message) == (
        "connection_error",
        "Connection error: reset",
    )
    assert broken.metadata == {"exception_type": "ConnectionResetError"}
    assert Asking().timeout_error(ValueError("x")).error_type == "timeout"


class _Service(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            self.server.let_go.wait(10)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"name": "Ada", "key": "%s"}' % self.headers["x-key"].encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.let_go = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.let_go.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_function_asks_a_real_service(service):
    @api_handler("fetch", base_url=service, timeout=0.2, default_headers={"x-key": "k"})
    def fetch(api, context):
        response = api.get(context.get_input("path"))
        return api.api_success(response, include_response=False)

    handler = fetch._handler_class()
    assert value_of(run(handler, context_of(context={"path": "/users"}))) == {
        "name": "Ada",
        "key": "k",
    }
    slow = run(handler, context_of(context={"path": "/slow"})).error
    assert (slow.error_type, slow.retryable) == ("timeout", True)
    handler.close()
    assert value_of(run(handler, context_of(context={"path": "/users"})))["name"] == "Ada"
    handler.close()


def test_the_base_class_says_what_it_can():
    assert ApiHandler().capabilities == ["process", "http", "api"]
