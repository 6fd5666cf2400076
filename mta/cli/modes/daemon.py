"""``-bd``, ``-bdf``, ``-q``: the daemon, and single queue runs without one."""

from __future__ import annotations

import os

from mta.cli.arguments import QueueRun, Selection
from mta.cli.call import Call


def run(call: Call) -> int:
    """The daemon when there is something to listen for or a time between queue runs; otherwise one queue run."""
    arguments = call.arguments
    if arguments.mode == "oPX":
        return remove_pid_file(call)
    if not allowed(call):
        call.error("mta: permission denied")
        return 1
    periodic = [run for run in arguments.queue_runs if run.interval is not None]
    if arguments.listen or periodic:
        return daemon(call, periodic)
    code = 0
    for queue_run in arguments.queue_runs:
        code = max(code, run_once(call, queue_run))
    return code


def allowed(call: Call) -> bool:
    """Queue runs and the daemon are for admin users; queue runs for all when prod_requires_admin is off."""
    if call.is_admin():
        return True
    return not call.arguments.listen and not call.config().main.prod_requires_admin


def daemon(call: Call, runs: list[QueueRun]) -> int:
    """Until the daemon ends."""
    from mta.config.load import load
    from mta.daemon.generation import Generation, make_generation
    from mta.daemon.master import DaemonOptions, start

    arguments = call.arguments
    # Children and reloads must find the file again from any folder.
    file = os.path.abspath(call.config().file) if arguments.config_file is not None else None

    def generation() -> Generation:
        config = load(file, arguments.macros)
        call.override(config)
        return make_generation(config)

    options = DaemonOptions(
        foreground=arguments.foreground or arguments.debug is not None,
        listen=arguments.listen,
        queue_interval=runs[0].interval or 0.0 if runs else 0.0,
        override_interfaces=arguments.interfaces[-1] if arguments.interfaces else "",
        pid_file=arguments.pid_file or "",
        tls_on_connect=arguments.tls_on_connect,
        no_socket=arguments.no_socket,
    )
    return start(options, generation)


def run_once(call: Call, queue_run: QueueRun) -> int:
    """One queue run in this process."""
    from mta.deliver.agent import give_up_root
    from mta.deliver.runner import Pick, QueueOptions, run_queue
    from mta.transport.remote.pool import close_idle

    if queue_run.queue_name:
        call.error("mta: named queues are not implemented in mta yet")
        return 1

    def pick(selection: Selection | None) -> Pick | None:
        return None if selection is None else Pick(selection.text, selection.regex)

    options = QueueOptions(
        two_pass=queue_run.two_pass,
        first_only=queue_run.first_only,
        forced=queue_run.force,
        frozen=queue_run.force_frozen,
        local_only=queue_run.local_only,
        start=queue_run.start_id,
        stop=queue_run.stop_id,
        recipients=pick(queue_run.recipients),
        senders=pick(queue_run.senders),
    )
    give_up_root(call.runtime())
    run_queue(call.runtime(), options)
    close_idle(call.runtime().services)
    return 0


def remove_pid_file(call: Call) -> int:
    """-oPX: the daemon's pid file goes."""
    from mta.daemon.places import pid_file

    if not call.is_admin():
        call.error("mta: permission denied")
        return 1
    path = call.arguments.pid_file or pid_file(call.runtime())
    try:
        os.unlink(path)
    except OSError as error:
        call.error(f"mta: cannot remove {path}: {error.strerror}")
        return 1
    return 0
