"""What went wrong between here and a server, in words.

The causes are exceptions in exceptions of three libraries. Only the innermost says what
happened, and none of their messages is shown whole: they may hold an address with a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.archive.addresses import printable, shown
from rdcompose.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OTHER_MIRROR: Final = "try again later, or name another mirror with --mirror"
_NETWORK: Final = "check the network, and the proxy in http_proxy or https_proxy if there is one"
# EAI_NONAME of getaddrinfo(3): nobody knows the name, while EAI_AGAIN may pass.
_NO_SUCH_NAME: Final = -2


class TransientError(Exception):
    """A failure that may pass. ``pause`` is how many seconds the server asked for."""

    def __init__(self, message: str, *, pause: float = 0, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.pause = pause
        self.hint = hint


def failure(
    name: str, error: Exception, timeouts: tuple[float, float], *, doing: str = "fetch"
) -> FetchError | TransientError:
    """Return the error to raise for what ``requests`` or ``urllib3`` raised.

    ``name`` is the address for messages, ``doing`` what was tried with it; ``timeouts`` are the
    seconds to wait for a connection and for an answer.
    """
    import ssl

    chain = tuple(_causes(error))
    last = chain[-1]
    message = f"cannot {doing} {name}: "
    if isinstance(last, ssl.SSLCertVerificationError):
        return FetchError(
            f"{message}the server's certificate is not trusted: {last.verify_message}",
            hint="set REQUESTS_CA_BUNDLE to a file with the certificates to trust",
        )
    # An address that makes no sense, of the server or of the proxy.
    if isinstance(error, ValueError):
        return FetchError(message + shown(str(error)))
    message += printable(_reason(chain, timeouts))
    if isinstance(last, OSError) and last.errno == _NO_SUCH_NAME:
        return FetchError(message, hint=_NETWORK)
    return TransientError(message, hint=_NETWORK)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was made of, innermost last."""
    # Not __context__: at the end of the chain that is what a caller was just handling.
    current: object = error
    while isinstance(current, BaseException):
        yield current
        inner = (getattr(current, "reason", None), current.__cause__, *reversed(current.args))
        current = next((part for part in inner if isinstance(part, BaseException)), None)


def _reason(chain: Sequence[BaseException], timeouts: tuple[float, float]) -> str:
    from urllib3.exceptions import ProxyError, ReadTimeoutError

    last = chain[-1]
    proxy = "the proxy: " if any(isinstance(cause, ProxyError) for cause in chain) else ""
    # The kernel gives up on a connection with the same error, but with a number.
    if isinstance(last, TimeoutError) and last.errno is None:
        if any(isinstance(cause, ReadTimeoutError) for cause in chain):
            return f"{proxy}nothing came for {timeouts[1]:g} s"
        return f"{proxy}no connection within {timeouts[0]:g} s"
    if isinstance(last, OSError):
        return proxy + (last.strerror or str(last))
    return f"{proxy}the answer is damaged or cut off ({type(last).__name__})"
