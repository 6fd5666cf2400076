"""decode: write the content of the MIME part to a file (manual section 45.4)."""

from __future__ import annotations

from mta.acl.log_lines import log_text, with_id
from mta.acl.run import Run
from mta.acl.scanning import PARTS, is_false, is_tainted
from mta.acl.statements import Act, Clause, Result, condition
from mta.scan.copy import ScanFailed, copy_of
from mta.scan.mime import CURRENT, decode
from mta.text.ascii import strip


@condition("decode", PARTS)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        name = strip(argument)
        part = run.scope.message.acl_memory.get(CURRENT)
        if part is None or (name and is_false(name)):
            return Result.FAIL
        if is_tainted(argument) and name not in ("", "default"):
            shown = name if name.startswith("/") else f"{copy_of(run.scope).folder}/{name}"
            run.scope.services.log_panic(with_id(run.scope, f"Tainted filename '{log_text(shown)}'"))
            return run.defer(None)
        try:
            decode(run.scope, part, "" if name == "default" else name)
        except ScanFailed as error:
            return run.defer(error.message)
        return Result.OK

    return act
