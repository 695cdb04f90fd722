"""Ctrl-C and the signals that ask a process to end: all are answered in the same way, also while Ray runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

Answer = Callable[[int, FrameType | None], None]


def interrupt(signum: int, frame: FrameType | None) -> None:
    """The answer that Python itself gives to Ctrl-C.

    Raises:
        KeyboardInterrupt: always, in the main thread.
    """
    raise KeyboardInterrupt(signal.Signals(signum).name)


def leave_to_system() -> None:
    """From here on the signals end the process at once and silently: its last message is printed."""
    for number in _handlers():
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def answered(answer: Answer) -> Iterator[None]:
    """Answer all of the signals; those that the process was started to ignore, as by nohup, stay ignored.

    Only the main thread may set handlers; elsewhere nothing changes.
    """

    def safely(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGHUP:
            _leave_dead_terminal()
        answer(signum, frame)

    before = _handlers() if threading.current_thread() is threading.main_thread() else {}
    for number in before:
        signal.signal(number, safely)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def kept_from_ray() -> Iterator[None]:
    """Restore the handlers after the start of a session, in which Ray answers SIGTERM with a stack trace.

    The session's processes are in the terminal's process group, but only this process must answer the
    signals that the terminal sends to all of it. Ray blocks Ctrl-C for them; this blocks the other two.

    Raises:
        KeyboardInterrupt: for a SIGTERM meanwhile, which Ray turns into an exit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handlers()
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGQUIT})
    try:
        yield
    except SystemExit as end:
        raise KeyboardInterrupt("SIGTERM") from end
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def _leave_dead_terminal() -> None:
    """Print to /dev/null after the terminal was closed: an error there would hide how the run ended."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _handlers() -> dict[signal.Signals, Callable[..., object] | int]:
    """The handlers of the signals that are not ignored."""
    handlers = {number: signal.getsignal(number) for number in ENDING}
    return {n: handler for n, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
