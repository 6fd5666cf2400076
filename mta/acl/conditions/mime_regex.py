"""mime_regex: the beginning of the decoded MIME part matches one of the patterns, as one text (manual section 45.5)."""

from __future__ import annotations

from mta.acl.log_lines import with_id
from mta.acl.run import Run
from mta.acl.scanning import PARTS, matched
from mta.acl.statements import Act, Clause, Result, condition
from mta.errors import ExpansionFailed
from mta.scan.copy import ScanFailed
from mta.scan.mime import CURRENT, decode
from mta.text.lists import split_list
from mta.text.patterns import pattern

MAX_CONTENT = 1 << 15


@condition("mime_regex", PARTS)
def make(_clause: Clause) -> Act:
    def act(run: Run, argument: str) -> Result:
        scope = run.scope
        part = scope.message.acl_memory.get(CURRENT)
        if part is None:
            return Result.FAIL
        try:
            path = scope.vars.get("mime_decoded_filename") or decode(scope, part, "")
            with open(path, "rb") as file:
                content = file.read(MAX_CONTENT).decode("latin-1")
        except (ScanFailed, OSError) as error:
            return run.defer(f"mime_regex acl condition: {error}")
        for source in split_list(argument):
            try:
                compiled = pattern(source)
            except ExpansionFailed as error:
                complaint = f"regex acl condition warning - {error.message}, skipped."
                scope.services.log_main(with_id(scope, complaint))
                continue
            found = compiled.search(content)
            if found is not None:
                return matched(run, compiled, found)
        return Result.FAIL

    return act
