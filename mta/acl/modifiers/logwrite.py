"""logwrite: a line for the main log, or for the logs that ``:main,reject,panic:`` in front names."""

from __future__ import annotations

from mta.acl.log_lines import log_text
from mta.acl.modifiers.log_reject_target import LOGS
from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, modifier
from mta.text.ascii import WHITESPACE


@modifier("logwrite")
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        services = run.scope.services
        writers = {"main": services.log_main, "reject": services.log_reject, "panic": services.log_panic}
        names, text = ["main"], argument
        if argument.startswith(":"):
            listed, colon, rest = argument[1:].partition(":")
            names = [name.strip(WHITESPACE) for name in listed.split(",")]
            if not colon or any(name not in LOGS for name in names):
                fault = f'unknown log name in "{argument}" in "logwrite" in {run.place} ACL'
                services.log_panic(fault)
                return Result.OK
            text = rest
        line = log_text(text.lstrip(WHITESPACE))
        if run.scope.message.id:
            line = f"{run.scope.message.id} {line}"
        if "panic" in names:  # a line of the panic log goes to the main log, too
            names = [name for name in names if name != "main"]
        for name in names:
            writers[name](line)
        return Result.OK

    return act
