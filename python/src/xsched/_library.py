"""libxsched as Python sees it: which one, and its functions with their types.

There is one libxsched in a process, whoever opened it: the stand-in for a vendor's library does at its first call. So the one that is there
already is taken, or else the one that the stand-in will take, and only then any other. Nothing is opened before it is needed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from ._errors import LibraryNotFoundError, NotSupportedError, check
from ._generated import Result

NAME = "libxsched.so"
#: Names of vendors' libraries under which a stand-in may be here; libxsched lies beside each.
STAND_INS = ("libOpenCL.so", "libcuda.so", "libze_loader.so")

#: XResult (*)(HwQueueHandle, void *)
LaunchCallback = CFUNCTYPE(c_int, c_uint64, c_void_p)

_FUNCTIONS: dict[str, list[Any]] = {
    "XQueueCreate": [POINTER(c_uint64), c_uint64, c_int64, c_int64],
    "XQueueDestroy": [c_uint64],
    "XQueueGet": [POINTER(c_uint64), c_uint64],
    "XQueueSetPreemptLevel": [c_uint64, c_int],
    "XQueueSetLaunchConfig": [c_uint64, c_int64, c_int64],
    "XQueueSubmit": [c_uint64, c_uint64],
    "XQueueWait": [c_uint64, c_uint64],
    "XQueueWaitAll": [c_uint64],
    "XQueueQuery": [c_uint64, POINTER(c_int)],
    "XQueueSuspend": [c_uint64, c_int64],
    "XQueueResume": [c_uint64, c_int64],
    "XQueueProfileHwCommandCount": [c_uint64, POINTER(c_int64)],
    "HwQueueDestroy": [c_uint64],
    "HwQueueLaunch": [c_uint64, c_uint64],
    "HwQueueSynchronize": [c_uint64],
    "HwCommandCreateCallback": [POINTER(c_uint64), LaunchCallback, c_void_p],
    "HwCommandDestroy": [c_uint64],
    "XHintSetScheduler": [c_int, c_int],
    "XHintPriority": [c_uint64, c_int32],
    "XHintUtilization": [c_uint64, c_int32],
    "XHintTimeslice": [c_int64],
    "XHintLaxity": [c_uint64, c_int64, c_int32, c_int32],
    "XHintDeadline": [c_uint64, c_int64],
    "XHintKDeadline": [c_size_t],
    "XProcessHint": [c_uint32, c_int64],
    "XProcessUnhint": [c_uint32],
    "OclQueueCreate": [POINTER(c_uint64), c_void_p],
    "CudaQueueCreate": [POINTER(c_uint64), c_void_p],
    "CudaQueueGet": [POINTER(c_uint64), c_void_p],
    "ZeQueueCreate": [POINTER(c_uint64), c_void_p, c_void_p],
    "ZeListreate": [POINTER(c_uint64), c_void_p, c_void_p],
}


class Library:
    """The functions of one libxsched. Each call releases the interpreter's lock for as long as it takes."""

    def __init__(self, path: str) -> None:
        #: Where it is.
        self.path = path
        self._library = ctypes.CDLL(path, mode=os.RTLD_NOW)

    def call(self, name: str, *arguments: Any, hint: str = "") -> None:
        """Calls a function; raises what it answers if that is not success."""
        check(name, self.answer(name, *arguments), hint)

    def answer(self, name: str, *arguments: Any) -> int:
        """Calls a function; answers what it answers."""
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise NotSupportedError(name, Result.ERROR_NOT_SUPPORTED, f"{self.path} does not have it") from None
        function.argtypes, function.restype = _FUNCTIONS[name], c_int
        return int(function(*arguments))

    def handle(self, name: str, *arguments: Any, hint: str = "") -> int:
        """Calls a function whose first argument is where a handle goes; answers that."""
        handle = c_uint64()
        self.call(name, ctypes.byref(handle), *arguments, hint=hint)
        return handle.value


_library: Library | None = None
_lock = threading.Lock()


def library() -> Library:
    """The libxsched of this process; opened at the first call."""
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                _library = _find()
    return _library


def _find() -> Library:
    tried = []
    for path, why in _places():
        try:
            return Library(path)
        except OSError as error:
            tried.append(f"{path} ({why}): {error}")
    raise LibraryNotFoundError(tried)


def _places() -> Iterator[tuple[str, str]]:
    mapped = list(_mapped())
    for path in mapped:
        if os.path.basename(path).startswith(NAME):
            yield path, "in this process"
    for path in mapped:
        beside = os.path.join(os.path.dirname(path), NAME)
        if os.path.basename(path).startswith(STAND_INS) and os.path.exists(beside):
            yield beside, "beside a stand-in in this process"
    named = os.environ.get("XSCHED_LIB")
    if named:
        yield named, "named by XSCHED_LIB"
        return
    for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        if folder and os.path.exists(os.path.join(folder, NAME)):
            yield os.path.join(folder, NAME), "in LD_LIBRARY_PATH"
    xcli = shutil.which("xcli")
    if xcli:
        bin_folder = os.path.dirname(os.path.realpath(xcli))
        yield os.path.normpath(os.path.join(bin_folder, "..", "lib", "xsched", NAME)), "installed with xcli"
    yield NAME, "as the loader finds it"


def _mapped() -> Iterator[str]:
    """The files that are mapped into this process, each once."""
    seen = set()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                # Addresses, rights, offset, device and inode come before it.
                path = "".join(line.rstrip("\n").split(maxsplit=5)[5:])
                if path.startswith("/") and path not in seen:
                    seen.add(path)
                    yield path
    except OSError:
        return

