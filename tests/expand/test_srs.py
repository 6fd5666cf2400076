"""``${srs_encode}`` and ``inbound_srs``: the answers of Exim 4.96 on day 20780, and live beside it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mta.config.builtin_macros import builtin
from mta.errors import ExpansionFailed
from mta.expand.compiler import compile_text
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from tests.expand.scopes import empty_scope

DAY = 1795399867.0  # 20780 days: "jm"


@pytest.fixture(autouse=True)
def _on_that_day(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "oracle" not in request.keywords:
        monkeypatch.setattr("mta.expand.items.srs_encode.time.time", lambda: DAY)


def expand(text: str, scope: Scope | None = None) -> str:
    return compile_text(text)(scope or empty_scope())


ENCODED = [
    ("{secret}{user@Example.COM}{fwd.test}", "SRS0=b3d4=jm=Example.COM=user@fwd.test"),
    ("{secret}{User@example.com}{fwd.test}", "SRS0=b3d4=jm=example.com=User@fwd.test"),
    ("{secret}{}{fwd.test}", ""),
    ("{secret}{nodomain}{fwd.test}", "SRS0=a1a7=jm==nodomain@fwd.test"),
    ('{secret}{"a b"@example.com}{fwd.test}', '"SRS0=e74c=jm=example.com=a b"@fwd.test'),
    ("{secret}{SRS0=abcd=AB=x.test=y@z.test}{fwd.test}", "SRS0=9e98=jm=z.test=SRS0=abcd=AB=x.test=y@fwd.test"),
    ("{}{a@b.c}{fwd.test}", "SRS0=bab4=jm=b.c=a@fwd.test"),
    ("{secret}{a@b.c}{}", "SRS0=a979=jm=b.c=a@"),
    ("{secret}{a=b+c@b.c}{fwd.test}", "SRS0=a758=jm=b.c=a=b+c@fwd.test"),
    ('{secret}{"a@b"@b.c}{"x"}', '"SRS0=391a=jm=b.c=a@b"@"x"'),
    ('{secret}{"a.b"@b.c}{fwd.test}', '"SRS0=f4ae=jm=b.c=a.b"@fwd.test'),
    ("{secret}{<a@b.c>}{x}", "SRS0=e159=jm=b.c=a@x"),
    ("{secret}{a@b.c (x)}{x}", "SRS0=1c52=jm=b.c=a@x"),
]


@pytest.mark.parametrize(("arguments", "result"), ENCODED)
def test_srs_05_encode(arguments: str, result: str) -> None:
    assert expand(f"${{srs_encode {arguments}}}") == result


FAULTS = [
    ("{secret}{@b.c}{x}", "no local part"),
    ("{secret}{a@b@c}{x}", "malformed address: @c may not follow a@b"),
    ("{secret}{ab cd}{x}", 'missing or malformed local part (expected word or "<")'),
]


@pytest.mark.parametrize(("arguments", "message"), FAULTS)
def test_srs_05_what_is_no_address(arguments: str, message: str) -> None:
    with pytest.raises(ExpansionFailed) as caught:
        expand(f"${{srs_encode {arguments}}}")
    assert caught.value.message == message


def test_srs_05_three_arguments() -> None:
    with pytest.raises(ExpansionFailed, match=r"Not enough arguments for 'srs_encode' \(min is 3\)"):
        expand("${srs_encode {secret}{a@b.c}}")


def test_srs_05_the_senders_taint_stays() -> None:
    scope = empty_scope()
    scope.message.sender = Tainted("a@b.c")
    assert expand("${srs_encode {s}{$sender_address}{x}}", scope)
    assert scope.tainted


INBOUND = [
    ("{SRS0=b3d4=jm=Example.COM=user}{secret}", True, "user@example.com"),
    ("{srs0=b3d4=jm=Example.COM=User}{secret}", True, "user@example.com"),
    ("{SRS0=b3d5=jm=Example.COM=user}{secret}", False, "user@example.com"),
    ("{SRS0=B3D4=jm=Example.COM=user}{secret}", False, "user@example.com"),
    ("{SRS0=b3d4=JM=Example.COM=user}{secret}", False, "user@example.com"),
    ("{SRS0=b3d4xyz=jm=Example.COM=user}{secret}", False, "user@example.com"),
    ("{SRS0=b3d=jm=Example.COM=user}{secret}", False, "user@example.com"),
    ("{SRS0=b3d4=jn=Example.COM=user}{secret}", False, "user@example.com"),  # tomorrow
    ("{SRS0=b3d4=jl=Example.COM=user}{secret}", True, "user@example.com"),
    ("{SRS0=b3d4=jc=Example.COM=user}{secret}", True, "user@example.com"),  # ten days
    ("{SRS0=b3d4=jb=Example.COM=user}{secret}", False, "user@example.com"),  # eleven
    ("{SRS0=b3d4=jm=Example.COM=user}{}", True, "user@example.com"),
    ("{SRS0=b3d4=aa=Example.COM=user}{}", True, "user@example.com"),  # only the form
    ("{SRS0=e74c=jm=example.com=a b}{secret}", True, '"a b"@example.com'),
    ('{"SRS0=e74c=jm=example.com=a b"}{secret}', False, None),
    ("{SRS0=a758=jm=b.c=a=b+c}{secret}", True, "a=b+c@b.c"),
    ("{SRS0=391a=jm=b.c=a@b}{secret}", True, '"a@b"@b.c'),
    ("{SRS0=f4ae=jm=b.c=a.b}{secret}", False, "a.b@b.c"),
    ("{SRS0=a1a7=jm==nodomain}{secret}", False, "nodomain@"),
    ("{SRS0=391a=jm=b.c=a..b}{}", True, "a..b@b.c"),
    ("{SRS0=391a=jm=b.c=a(b}{}", True, '"a(b"@b.c'),
    ("{SRS0=391a=jm=b.c=}{}", True, "@b.c"),
    ("{SRS0=391a=jm==}{}", True, "@"),
    ("{SRS0=b3d4=j1=Example.COM=user}{}", False, None),
    ("{SRS0=b3d4=jm=Example.COM}{}", False, None),
    ("{SRS0==jm=Example.COM=x}{}", False, None),
    ("{xSRS0=b3d4=jm=Example.COM=x}{}", False, None),
    ("{SRS0=3=3d4=jm=Example.COM=user}{}", False, None),
    ("{}{}", False, None),
]


@pytest.mark.parametrize(("arguments", "answer", "recipient"), INBOUND)
def test_srs_06_inbound(arguments: str, answer: bool, recipient: str | None) -> None:
    scope = empty_scope()
    assert expand(f"${{if inbound_srs {arguments}}}", scope) == ("true" if answer else "")
    assert scope.vars.get("srs_recipient") == recipient


def test_srs_06_recipient_stays_and_is_tainted() -> None:
    scope = empty_scope()
    assert expand("${if inbound_srs {SRS0=b3d4=jm=Example.COM=user}{secret}{$srs_recipient}{no}}", scope)
    assert scope.tainted
    assert expand("${if inbound_srs {other}{secret}{yes}{$srs_recipient}}", scope) == "user@example.com"


QUOTED = "".join(
    chr(code) for code in range(32, 127) if not chr(code).isalnum() and chr(code) not in "!#$%&'*+-./=?^_`{|}~"
)


def test_srs_06_quotes_where_needed() -> None:
    from mta.emailauth.srs import decode

    for code in range(32, 127):
        found = decode(f"SRS0=x=jm=b.c=a{chr(code)}b", "", now=DAY)
        assert found is not None
        assert found.recipient.startswith('"') == (chr(code) in QUOTED), chr(code)


def test_srs_06_chains_come_back() -> None:
    """A forwarder behind a forwarder: SRS1 keeps the first one's address whole."""
    scope = empty_scope()
    scope.site.options.srs_chains = True
    first = expand("${srs_encode {a-secret}{user@origin.ex}{a.ex}}", scope)
    second = expand(f"${{srs_encode {{b-secret}}{{{first}}}{{b.ex}}}}", scope)
    third = expand(f"${{srs_encode {{c-secret}}{{{second}}}{{c.ex}}}}", scope)
    rest = first.removeprefix("SRS0").removesuffix("@a.ex")
    assert second.endswith(f"=a.ex={rest}@b.ex")
    assert third.endswith(f"=a.ex={rest}@c.ex")
    assert second[:5] == third[:5] == "SRS1="
    for address, secret in ((second, "b-secret"), (third, "c-secret")):
        local = address.rpartition("@")[0]
        assert expand(f"${{if inbound_srs {{{local}}}{{{secret}}}{{$srs_recipient}}{{no}}}}", scope) == first
        assert expand(f"${{if inbound_srs {{{local}}}{{wrong}}{{yes}}{{no}}}}", scope) == "no"


def test_srs_07_macros() -> None:
    assert builtin("_HAVE_SRS") == builtin("_HAVE_NATIVE_SRS") == "y"
    assert builtin("_HAVE_SPF") == builtin("_HAVE_DMARC") == "y"


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("exim4") is None, reason="exim4 is not installed")
def test_srs_05_06_live(tmp_path: Path) -> None:
    """Exim reads what we write today, and the other way round."""
    config = tmp_path / "exim.conf"
    config.write_text("primary_hostname = mx.test\nkeep_environment =\n")
    for sender in ("user@Example.COM", '"a b"@example.com', "a=b+c@b.c"):
        ours = expand(f"${{srs_encode {{s3}}{{{sender}}}{{fwd.ex}}}}")
        local = ours.rpartition("@")[0].strip('"')
        texts = [
            f"${{srs_encode {{s3}}{{{sender}}}{{fwd.ex}}}}",
            f"${{if inbound_srs {{{local}}}{{s3}}{{$srs_recipient}}{{no}}}}",
        ]
        run = subprocess.run(["exim4", "-C", str(config), "-be", *texts], capture_output=True, text=True, check=True)
        theirs, decoded = run.stdout.splitlines()
        if time.time() % 86400 > 86390:  # the day may have turned between the two
            continue
        assert theirs == ours
        assert decoded == sender.lower()
