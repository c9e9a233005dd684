"""What an HTTP service answered, and what the answer means for the step."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import httpx

CLIENT_ERROR_CODES: Final = range(400, 500)
SERVER_ERROR_CODES: Final = range(500, 600)
NON_RETRYABLE_STATUS_CODES: Final = {400, 401, 403, 404, 405, 406, 410, 422}
RETRYABLE_STATUS_CODES: Final = {408, 429, 500, 502, 503, 504}

_ERROR_TYPES: Final = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    410: "gone",
    422: "unprocessable_entity",
    429: "rate_limited",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}
_MESSAGE_KEYS: Final = ("error", "message", "detail", "error_message", "msg")
_MAX_EXCERPT_CHARS: Final = 4096
_MAX_MESSAGE_CHARS: Final = 500
_MAX_DIGITS: Final = 9
_SECRET_HEADERS: Final = {"set-cookie", "authorization", "proxy-authorization"}


class ApiResponse:
    """An answer: `body` is decoded JSON where the service says that it is JSON, or else text.

    `raw_response` is the `httpx.Response`.
    """

    def __init__(self, response: "httpx.Response", body: Any = None) -> None:
        self.status_code: int = response.status_code
        self.headers: dict[str, str] = dict(response.headers)
        self.raw_response = response
        self.body: Any = _body_of(response) if body is None else body

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def is_client_error(self) -> bool:
        return self.status_code in CLIENT_ERROR_CODES

    @property
    def is_server_error(self) -> bool:
        return self.status_code in SERVER_ERROR_CODES

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later: 408, 429, 500, 502, 503, 504."""
        return self.status_code in RETRYABLE_STATUS_CODES

    @property
    def retry_after(self) -> int | None:
        """The seconds that the service asks to wait, from `Retry-After` as a number or as a date,
        rounded up; None where it does not say, or says it in no known way."""
        return seconds_until(self.headers.get("retry-after"), datetime.now(UTC))

    @property
    def error_type(self) -> str:
        """The word for the status: `not_found`, `rate_limited`, …, or that of its class."""
        if self.status_code in _ERROR_TYPES:
            return _ERROR_TYPES[self.status_code]
        if self.is_client_error:
            return "client_error"
        return "server_error" if self.is_server_error else "http_error"

    @property
    def error_message(self) -> str:
        """The status, and what the body says about it or else the status's own phrase."""
        return f"HTTP {self.status_code}: {_said(self.body) or _phrase(self.status_code)}"

    def kept_headers(self) -> dict[str, str]:
        """The headers without those that carry secrets, for a step's record."""
        return {k: v for k, v in self.headers.items() if k.lower() not in _SECRET_HEADERS}

    def excerpt(self) -> Any:
        """The body, or the beginning of its text where it is long: what an error's record holds."""
        text = self.raw_response.text
        return self.body if len(text) <= _MAX_EXCERPT_CHARS else f"{text[:_MAX_EXCERPT_CHARS]}…"

    def to_dict(self) -> dict[str, Any]:
        return {"status_code": self.status_code, "headers": self.headers, "body": self.body}


def seconds_until(header: str | None, now: datetime) -> int | None:
    """What a `Retry-After` header asks for, in seconds from `now`, which knows its time zone.

    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> seconds_until("120", noon), seconds_until("Thu, 01 Jan 2026 12:01:00 GMT", noon)
    (120, 60)
    >>> seconds_until("soon", noon)
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= _MAX_DIGITS else None
    try:
        due = parsedate_to_datetime(text)
    except ValueError:
        return None
    due = due if due.tzinfo else due.replace(tzinfo=UTC)
    return max(0, math.ceil((due - now).total_seconds()))


def _body_of(response: "httpx.Response") -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return response.json()
        except ValueError:
            return response.text  # it says JSON and is none
    return response.text


def _said(body: Any) -> str | None:
    """The service's own words, where its error body is of one of the common shapes."""
    if not isinstance(body, dict):
        return None
    for key in _MESSAGE_KEYS:
        said = body.get(key)
        if isinstance(said, dict):
            said = said.get("message")
        if isinstance(said, str) and said:
            return said[:_MAX_MESSAGE_CHARS]
    return None


def _phrase(status_code: int) -> str:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return "HTTP Error"
