"""verify = helo, reverse_host_lookup, certificate: who the client says that it is."""

from __future__ import annotations

from mta.acl.run import Run
from mta.acl.statements import Result
from mta.acl.verify_options import VerifyOptions
from mta.errors import Deferred, ExpansionFailed
from mta.net.records import addresses
from mta.text.ascii import lower


def verify_certificate(run: Run) -> Result:
    """A client certificate came and was verified."""
    return Result.OK if run.scope.peer.tls.certificate_verified else run.fail("no verified certificate")


def verify_reverse_host_lookup(run: Run, options: VerifyOptions) -> Result:
    """The client's address has a name that leads back to it; local callers need none."""
    peer = run.scope.peer
    if not peer.address or peer.host_name:
        return Result.OK
    run.trace("looking up host name to force name/address consistency check")
    _look_up(run)
    if peer.host_name:
        return Result.OK
    if peer.host_lookup_deferred:
        if options.defer_ok:
            return Result.OK
        return run.defer("host lookup deferred for reverse lookup check")
    run.log = "host lookup failed for reverse lookup check (failed to find host name from IP address)"
    return Result.FAIL


def verify_helo(run: Run) -> Result:
    """The name in HELO is the client's address, its name, or a name with its address (manual, helo_verify_hosts)."""
    peer = run.scope.peer
    if not peer.address or peer.helo_verified:
        return Result.OK
    if peer.helo_verify_failed:
        return Result.FAIL
    run.trace(f'verifying EHLO/HELO argument "{peer.helo_name or "NULL"}"')
    if not peer.helo_name:
        run.trace("no EHLO/HELO command was issued")
        return Result.FAIL
    answer = _helo_is_client(run)
    if answer is None:
        return run.defer("host lookup deferred in EHLO/HELO verification")
    peer.helo_verified, peer.helo_verify_failed = answer, not answer
    return Result.OK if answer else Result.FAIL


def _helo_is_client(run: Run) -> bool | None:
    peer = run.scope.peer
    name = lower(peer.helo_name)
    if name.startswith("[") and name.endswith("]"):
        literal = name[1:-1].removeprefix("ipv6:").removeprefix("ipv4:")
        return literal == lower(peer.address)
    if not peer.host_name:
        _look_up(run)
    if name in (lower(peer.host_name), *(lower(alias) for alias in peer.host_aliases)):
        return True
    resolver = run.scope.services.resolver
    if resolver is None:
        return False
    run.trace(f"getting IP address for {peer.helo_name}")
    found = addresses(resolver, peer.helo_name, hosts_file=True)
    if found.status == "again":
        return None
    return peer.address in found.values


def _look_up(run: Run) -> None:
    if run.scope.peer.host_lookup_done:
        return
    try:
        run.scope.services.lookup_host_name(run.scope)
    except (Deferred, ExpansionFailed):
        run.scope.peer.host_lookup_deferred = True
