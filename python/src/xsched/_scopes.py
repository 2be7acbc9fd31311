"""Values that hold for as long as somebody wants them to: scopes within scopes, ended in any order, by any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Scopes:
    """The scopes of one target. The latest that has not ended holds; without any, what was there before the first."""

    def __init__(self, apply: Callable[[int], None], restore: Callable[[], None]) -> None:
        self._apply = apply
        self._restore = restore
        self._lock = threading.Lock()
        self._open: list[tuple[object, int]] = []

    def enter(self, token: object, value: int) -> None:
        """Begins one. If the value is refused, there is none."""
        with self._lock:
            self._apply(value)
            self._open.append((token, value))

    def leave(self, token: object) -> None:
        """Ends one."""
        with self._lock:
            was_latest = bool(self._open) and self._open[-1][0] is token
            self._open = [scope for scope in self._open if scope[0] is not token]
            if not was_latest:
                return
            if self._open:
                self._apply(self._open[-1][1])
            else:
                self._restore()

    @property
    def is_open(self) -> bool:
        """Whether any has not ended."""
        return bool(self._open)


class Scope:
    """A value for some targets, for the time of a ``with``. May be used again after it has ended, and by several threads at a time."""

    def __init__(self, value: int, targets: list[Scopes]) -> None:
        self._value = value
        self._targets = targets
        self._tokens: list[object] = []

    def __enter__(self) -> Scope:
        token = object()
        entered: list[Scopes] = []
        try:
            for target in self._targets:
                target.enter(token, self._value)
                entered.append(target)
        except BaseException:
            for target in reversed(entered):
                target.leave(token)
            raise
        self._tokens.append(token)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token = self._tokens.pop()
        for target in reversed(self._targets):
            target.leave(token)
