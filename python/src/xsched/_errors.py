"""What can go wrong, one class for each answer of the C interface that is not success."""

from __future__ import annotations

from ._generated import Result


class Error(Exception):
    """A call of libxsched answered an error."""

    #: What it answered.
    result: Result = Result.ERROR_UNKNOWN

    def __init__(self, call: str, result: Result | int | None = None, hint: str = "") -> None:
        if result is not None:
            self.result = _known(result)
        number = "" if result is None or int(result) == int(self.result) else f" ({int(result)})"
        what = self.result.name.removeprefix("ERROR_").lower().replace("_", " ")
        super().__init__(f"{call}: {what}{number}{f'; {hint}' if hint else ''}")
        #: The function that answered it.
        self.call = call


class HardwareError(Error):
    """The vendor's library, or the device, failed."""

    result = Result.ERROR_HARDWARE


class InvalidValueError(Error, ValueError):
    """A value is out of its range."""

    result = Result.ERROR_INVALID_VALUE


class NotFoundError(Error, LookupError):
    """No such queue, stream or command (any more), or one that is not known to XSched."""

    result = Result.ERROR_NOT_FOUND


class NotAllowedError(Error):
    """Not in this state, or not from here: the call would wait for itself."""

    result = Result.ERROR_NOT_ALLOWED


class NotSupportedError(Error):
    """The device, or this libxsched, cannot do that."""

    result = Result.ERROR_NOT_SUPPORTED


class BadResponseError(Error):
    """The other side answered something that makes no sense."""

    result = Result.ERROR_BAD_RESPONSE


class LibraryNotFoundError(Error, ImportError):
    """There is no libxsched: it is neither in this process, nor named, nor installed."""

    result = Result.ERROR_NOT_FOUND

    def __init__(self, tried: list[str]) -> None:
        places = "".join(f"\n  {place}" for place in tried)
        Exception.__init__(
            self,
            "libxsched.so is not in this process and was not found; start the program with `xcli run`, or name the library "
            f"by XSCHED_LIB. Looked at:{places}",
        )
        self.call = "libxsched.so"


def _known(result: Result | int) -> Result:
    try:
        return Result(result)
    except ValueError:
        return Result.ERROR_UNKNOWN


_CLASSES: dict[Result, type[Error]] = {
    error.result: error
    for error in (
        HardwareError,
        InvalidValueError,
        NotFoundError,
        NotAllowedError,
        NotSupportedError,
        BadResponseError,
    )
}


def check(call: str, result: int, hint: str = "") -> None:
    """Raises what ``result`` means, if it is not success."""
    if result != Result.SUCCESS:
        raise _CLASSES.get(_known(result), Error)(call, result, hint)
