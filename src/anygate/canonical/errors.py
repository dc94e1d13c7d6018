"""Every error that a client can see. Each class is one row of docs/errors.md."""


class GatewayError(Exception):
    """Base: a status, a stable code and a sentence that says what to do.

    Attributes:
        message: for the client; never holds a secret, an upstream address or a trace.
        param: the request field at fault, if one is.
        retry_after: seconds until a repeat can succeed, if that is known.
    """

    status: int = 500
    code: str = "internal_error"
    kind: str = "server_error"
    failover: bool = False  # may the relay try the next channel?
    retry: bool | None = None  # value of x-should-retry; None: not sent

    def __init__(self, message: str = "", *, param: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().split("\n")[0])
        self.message = str(self)
        self.param = param
        self.retry_after = retry_after


class InternalError(GatewayError):
    """The gateway failed on this request; nothing was charged. Report the request id to the operator."""


class InvalidApiKey(GatewayError):
    """The API key is missing, unknown, disabled or expired, or may not be used from this address."""

    status, code, kind = 401, "invalid_api_key", "invalid_request_error"


class InvalidRequest(GatewayError):
    """The request cannot be read."""

    status, code, kind = 400, "invalid_request", "invalid_request_error"


class PreviousNotFound(GatewayError):
    """The answer that the request continues is not there, has expired, or is not this user's."""

    status, code, kind = 400, "previous_response_not_found", "invalid_request_error"


class UnsupportedContent(GatewayError):
    """A part of the request cannot be carried to the model's provider. The field is named."""

    status, code, kind, failover = 400, "unsupported_content", "invalid_request_error", True


class RequestTooLarge(GatewayError):
    """The request is larger than this gateway accepts."""

    status, code, kind = 413, "request_too_large", "invalid_request_error"


class HeadersTooLarge(GatewayError):
    """The request's URL or headers are larger than this gateway accepts."""

    status, code, kind = 431, "request_too_large", "invalid_request_error"


class RequestTimeout(GatewayError):
    """The request did not arrive in time."""

    status, code, kind = 408, "request_timeout", "invalid_request_error"


class NotFound(GatewayError):
    """There is nothing at this path."""

    status, code, kind = 404, "not_found", "invalid_request_error"


class MethodNotAllowed(GatewayError):
    """This path does not take this method."""

    status, code, kind = 405, "method_not_allowed", "invalid_request_error"


class ModelNotAllowed(GatewayError):
    """This key may not use the model."""

    status, code, kind = 403, "model_not_allowed", "permission_error"


class ModelNotFound(GatewayError):
    """No channel serves the model."""

    status, code, kind = 404, "model_not_found", "invalid_request_error"


class ModelNotPriced(GatewayError):
    """The model has no price, so it is not sold."""

    status, code, kind = 404, "model_not_priced", "invalid_request_error"


class InsufficientQuota(GatewayError):
    """The balance behind this key does not cover the request."""

    status, code, kind, retry = 429, "insufficient_quota", "insufficient_quota", False


class RateLimited(GatewayError):
    """The key is over one of its limits."""

    status, code, kind = 429, "rate_limit_exceeded", "rate_limit_exceeded"


class LedgerUnavailable(GatewayError):
    """The ledger cannot be written, so nothing can be sold. Repeat the request later."""

    status, code = 503, "ledger_unavailable"


class ShuttingDown(GatewayError):
    """This process is shutting down. Repeat the request."""

    status, code = 503, "shutting_down"


class Overloaded(GatewayError):
    """This process has as many connections as it may. Repeat the request later."""

    status, code = 503, "overloaded"


class UpstreamError(GatewayError):
    """The upstream failed in a way of its own. Repeat the request later."""

    status, code, failover = 502, "upstream_error", True


class UpstreamRefusal(GatewayError):
    """The upstream refused this very request; its own words, in the shape of the client's protocol."""

    status, code, kind = 400, "upstream_refused", "invalid_request_error"

    def __init__(self, status: int = 400, message: str = "", code: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code or self.code
        self.kind = kind or self.kind


class UpstreamUnreachable(UpstreamError):
    """No connection to the upstream could be made, or it broke."""

    code = "upstream_unreachable"


class UpstreamCertificate(UpstreamUnreachable):
    """The upstream's certificate does not verify."""


class UpstreamInvalid(UpstreamError):
    """The upstream's answer cannot be understood."""

    code = "upstream_invalid_answer"


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time."""

    status, code = 504, "upstream_timeout"


class UpstreamRefusedKey(UpstreamError):
    """The upstream refused the operator's credentials or account."""

    code = "upstream_refused_key"


class UpstreamBusy(UpstreamError):
    """Every channel for the model is at its concurrency limit."""

    status, code = 503, "upstream_busy"


class ProtocolViolation(GatewayError):
    """The upstream said something its protocol does not know."""

    status, code = 502, "upstream_invalid_answer"


class ClientGoneError(GatewayError):
    """The client closed the connection."""

    status, code = 499, "client_gone"
