"""What sender authentication costs: DKIM verifying and signing on one core, canonical forms in both twins.

python -m bench.emailauth [--seconds N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial

from mta.emailauth.asker import TableAsker
from mta.emailauth.dkim_canon import hash_body
from mta.emailauth.dkim_sign import SIGN_HEADERS, Plan, sign
from mta.emailauth.dkim_verify import verify_message
from mta.emailauth.message_file import parse_message
from mta.wire import _canon, canon_py
from tests.emailauth.signing import DOMAIN, HEAD, key, records

LINE = b"Some words of a line, with  two blanks and a tab\tin it; seventy-odd bytes.\n"
CHUNK = 1 << 16


def text(size: int) -> bytes:
    """A body of about ``size`` bytes with LF line ends."""
    return LINE * (size // len(LINE) + 1)


def pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


def rate(run: Callable[[], object], seconds: float) -> float:
    """Calls a second of CPU time."""
    run()
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        run()
        count += 1
    return count / spent


def signed(kind: str, body: bytes) -> list[str]:
    """Header lines with a signature on top."""
    header, _ = parse_message(HEAD + b"\r\n")
    plan = Plan(DOMAIN, kind, key(kind), headers=SIGN_HEADERS.split(":"))
    return [sign(plan, header, hash_body([body], [plan.body_form]), time.time()), *header]


def sign_one(kind: str, header: list[str], body: bytes, relaxed: bool) -> str:
    plan = Plan(DOMAIN, kind, key(kind), relaxed, headers=SIGN_HEADERS.split(":"))
    return sign(plan, header, hash_body(pieces(body), [plan.body_form]), 1.0)


def verify_one(lines: list[str], body: bytes, asker: TableAsker) -> None:
    found = verify_message(lines, lambda: pieces(body), asker, time.time())
    assert found.results[0].status == "pass"


def canonical(module: object, body: bytes, relaxed: bool) -> None:
    form = module.Body(relaxed)  # type: ignore[attr-defined]
    for piece in pieces(body):
        form.feed(piece, len)
    form.finish(len)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    asker = TableAsker(records())
    small, large = text(10_000), text(1 << 20)
    header, _ = parse_message(HEAD + b"\r\n")
    print("DKIM, one core, CPU time")
    for kind in ("rsa", "ed"):
        for relaxed in (True, False):
            speed = rate(partial(sign_one, kind, header, small, relaxed), seconds)
            print(f"  sign   {kind:4} {'relaxed' if relaxed else 'simple':8} 10 KB  {speed:9.0f} messages/s")
        lines = signed(kind, small)
        speed = rate(partial(verify_one, lines, small, asker), seconds)
        print(f"  verify {kind:4} relaxed  10 KB  {speed:9.0f} messages/s")
        lines = signed(kind, large)
        speed = rate(partial(verify_one, lines, large, asker), seconds) * len(large) / 1e6
        print(f"  verify {kind:4} relaxed   1 MB  {speed:9.0f} MB/s")
    private, data = key("rsa"), b"x" * 2000
    print(f"  (RSA of 2048 bits alone       {rate(lambda: private.sign(data, 'sha256'), seconds):9.0f} signatures/s)")
    for relaxed in (True, False):
        for name, module in (("c", _canon), ("py", canon_py)):
            speed = rate(partial(canonical, module, large, relaxed), seconds) * len(large) / 1e6
            print(f"  body   {name:4} {'relaxed' if relaxed else 'simple':8}  1 MB  {speed:9.0f} MB/s")


if __name__ == "__main__":
    main()
