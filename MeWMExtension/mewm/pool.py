"""Processes that work on cases side by side and leave Ctrl-C to the process that started them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import Any


@contextmanager
def case_pool(
    processes: int,
    *,
    threads: int = 1,
    context: BaseContext | None = None,
    begin: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[ProcessPoolExecutor]:
    """Start processes for cases; at the end, also after an error or Ctrl-C, what has not begun is not begun.

    Args:
        processes: how many.
        threads: threads of SimpleITK in each; the cases are what runs in parallel.
        context: how processes are started; the platform's way by default.
        begin: called in each process before its first case.
        arguments: arguments of ``begin``.
    """
    pool = ProcessPoolExecutor(processes, context, _begin, (threads, begin, arguments))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int, begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    import SimpleITK as sitk

    # Ctrl-C reaches every process of a terminal. One that it ends while it takes a task leaves the pool waiting for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    if begin is not None:
        begin(*arguments)
