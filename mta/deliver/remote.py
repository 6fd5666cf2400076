"""Remote deliveries of one message: batches in threads, at most remote_max_parallel at once; outcomes as they come."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Iterator

from mta.config.runtime import Runtime
from mta.deliver.child import call
from mta.deliver.slots import FULL, slot
from mta.errors import Deferred, ExpansionFailed
from mta.mail.outcome import Outcome, Status
from mta.scope.scope import Scope
from mta.transport.base import Batch, Transport

Job = tuple[Transport, Batch, Scope]


def run_remote(runtime: Runtime, jobs: list[Job], parallel: int) -> Iterator[list[Outcome]]:
    """The outcomes of each batch, in the order in which they end. Each job has a scope of its own."""
    if len(jobs) <= 1 or parallel <= 1:
        for job in jobs:
            yield _one(runtime, job)
        return
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    done: queue.SimpleQueue[list[Outcome]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            done.put(_one(runtime, job))

    for _ in range(min(parallel, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    for _ in jobs:
        yield done.get()


def _one(runtime: Runtime, job: Job) -> list[Outcome]:
    transport, batch, scope = job
    try:
        with slot(runtime, transport, scope) as free:
            if free:
                return call(transport, batch, scope)
        return [Outcome(one, Status.DEFERRED, FULL, errno=-1) for one in batch.recipients]
    except (ExpansionFailed, Deferred) as error:
        return [Outcome(one, Status.DEFERRED, str(error), errno=-1) for one in batch.recipients]
    except Exception:
        runtime.log.panic(f"{batch.message.id} bug in {transport.name} transport: {traceback.format_exc()}")
        return [Outcome(one, Status.DEFERRED, "internal error in the transport", errno=-1) for one in batch.recipients]
