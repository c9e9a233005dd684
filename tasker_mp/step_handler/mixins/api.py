"""How a handler asks an HTTP service, and makes a result of the answer."""

from threading import Lock
from typing import TYPE_CHECKING, Any

from tasker_mp.mixed_in import Results
from tasker_mp.result import ErrorType, StepHandlerResult
from tasker_mp.step_handler.mixins.api_response import ApiResponse

if TYPE_CHECKING:
    import httpx


class APIMixin(Results):
    """An HTTP client for `base_url`, kept for the life of the handler; times are in seconds.

    An answer of any status is an `ApiResponse`; no answer is an exception of httpx, which the
    engine also knows: a timeout is recorded as `timeout`, anything else as a broken connection,
    both retryable. Requests block: in an `async` handler use `httpx.AsyncClient` instead.

        class FetchUser(APIMixin, StepHandler):
            base_url = "https://api.example.com"

            def call(self, context):
                response = self.get(f"/users/{context.get_input('user')}")
                return self.api_success(response) if response.ok else self.api_failure(response)
    """

    base_url: str = ""
    default_timeout: float = 30.0
    default_headers: dict[str, str] = {}  # noqa: RUF012  authors replace it, nobody changes it

    _client: "httpx.Client | None" = None
    _client_lock = Lock()

    @property
    def api_capabilities(self) -> list[str]:
        return ["http", "api"]

    @property
    def client(self) -> "httpx.Client":
        """The `httpx.Client`, made on first use: in the worker, which is forked with none."""
        with self._client_lock:
            if self._client is None:
                import httpx  # noqa: PLC0415  slow, and few handlers ask HTTP services

                self._client = httpx.Client(
                    base_url=self.base_url,
                    timeout=self.default_timeout,
                    headers=self.default_headers,
                )
        return self._client

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def get(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("GET", path, params=params, headers=headers, **kwargs)

    def post(
        self,
        path: str,
        json: Any = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("POST", path, json=json, data=data, headers=headers, **kwargs)

    def put(
        self,
        path: str,
        json: Any = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("PUT", path, json=json, data=data, headers=headers, **kwargs)

    def patch(
        self,
        path: str,
        json: Any = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("PATCH", path, json=json, data=data, headers=headers, **kwargs)

    def delete(
        self, path: str, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> ApiResponse:
        return self.request("DELETE", path, headers=headers, **kwargs)

    def request(self, method: str, path: str, **kwargs: Any) -> ApiResponse:
        """Ask, with `path` behind `base_url`; `kwargs` are those of `httpx.Client.request`."""
        client = self.client
        # Imports httpx, as the line above has done.
        from tasker_mp.step_handler.mixins.http_errors import known_to_the_engine  # noqa: PLC0415

        with known_to_the_engine():
            return ApiResponse(client.request(method, path, **kwargs))

    def api_success(
        self,
        response: ApiResponse,
        result: dict[str, Any] | None = None,
        include_response: bool = True,
    ) -> StepHandlerResult:
        """A success: `result`, or else the body (`{"data": body}` where it is no object); status
        and headers go into the metadata."""
        if result is None:
            result = response.body if isinstance(response.body, dict) else {"data": response.body}
        return self.success(result, _told(response) if include_response else None)

    def api_failure(self, response: ApiResponse, message: str | None = None) -> StepHandlerResult:
        """A failure of the kind that the status means; the next attempt waits at least as long as
        `Retry-After` says."""
        metadata = _told(response)
        if response.retry_after is not None:
            metadata["retry_after_seconds"] = response.retry_after
        if response.body:
            metadata["response_body"] = response.excerpt()
        failed = self.failure(
            message or response.error_message,
            response.error_type,
            response.is_retryable,
            metadata,
        )
        failed.retry_after = response.retry_after
        return failed

    def connection_error(self, error: Exception, context: str | None = None) -> StepHandlerResult:
        """No answer came, retryable; `context` says what was being done. httpx counts timeouts
        among the broken connections, so one of those is a `timeout_error` here too."""
        if _is_timeout(error):
            return self.timeout_error(error, context)
        return self._no_answer("Connection error", "connection_error", error, context)

    def timeout_error(self, error: Exception, context: str | None = None) -> StepHandlerResult:
        """No answer came in time, retryable; `context` says what was being done."""
        return self._no_answer("Request timeout", ErrorType.TIMEOUT, error, context)

    def _no_answer(
        self, what: str, error_type: str, error: Exception, context: str | None
    ) -> StepHandlerResult:
        doing = f" while {context}" if context else ""
        metadata = {"exception_type": type(error).__name__}
        return self.failure(f"{what}{doing}: {error}", error_type, True, metadata)


def _told(response: ApiResponse) -> dict[str, Any]:
    return {"status_code": response.status_code, "headers": response.kept_headers()}


def _is_timeout(error: Exception) -> bool:
    # By name, so that a handler that never asked anything need not import httpx.
    return any(
        kind.__name__ == "TimeoutException" and kind.__module__.partition(".")[0] == "httpx"
        for kind in type(error).__mro__
    )
