"""AUTH exchanges, server and client; the server's replies and log reasons are Exim 4.96's in -bh."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from mta.expand.compiler import compile_text
from mta.sasl.base import Auth, Authenticator, AuthenticatorOptions, mechanisms
from mta.sasl.client import authenticate
from mta.sasl.server import advertised, find, server_exchange
from mta.scope.expansion import Tainted
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from mta.smtp.replies import Reply

PLAIN = {
    "public_name": "PLAIN",
    "server_prompts": ":",
    "server_condition": "${if and{{eq{$auth2}{u}}{eq{$auth3}{pw}}}}",
    "server_set_id": "$auth2",
}
LOGIN = {
    "public_name": "LOGIN",
    "server_prompts": "User Name : Password",
    "server_condition": "${if and{{eq{$auth1}{u}}{eq{$auth2}{pw}}}}",
    "server_set_id": "$auth1",
}
CRAM = {"public_name": "CRAM-MD5", "server_secret": "${if eq{$auth1}{u}{pw}fail}", "server_set_id": "$auth1"}
EXTERNAL = {
    "public_name": "EXTERNAL",
    "server_param2": "foo",
    "server_param3": "bar",
    "server_condition": "${if eq{$auth1$auth2$auth3}{ufoobar}}",
    "server_set_id": "$auth1",
}
PLAINTEXT_KEYS = {"public_name", "client_send", "client_ignore_invalid_base64"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode("latin-1")).decode()


def make(driver: str, values: dict[str, str], name: str = "a") -> Authenticator:
    generic = AuthenticatorOptions.__dataclass_fields__
    compiled = {key: value if (key in PLAINTEXT_KEYS and driver == "plaintext") or key == "public_name"
                else compile_text(value) for key, value in values.items()}  # fmt: skip
    options = AuthenticatorOptions(**{key: value for key, value in compiled.items() if key in generic})  # type: ignore[arg-type]
    own = mechanisms[driver](**{key: value for key, value in compiled.items() if key not in generic})
    return Authenticator(name, driver, options, own)


def scope() -> Scope:
    made = Scope(Site(MainOptions()), Services())
    made.site.options.primary_hostname = "mx.test.ex"
    return made


# driver, options, initial, the client's answers, code, id, prompts
SERVER = [
    ("plaintext", PLAIN, b64("\0u\0pw"), [], 235, "u", []),
    ("plaintext", PLAIN, b64("\0u\0px"), [], 535, "u", []),
    ("plaintext", PLAIN, None, [b64("\0u\0pw")], 235, "u", [""]),
    ("plaintext", PLAIN, None, ["*"], 501, "", [""]),
    ("plaintext", PLAIN, "=", [], 535, "", []),
    ("plaintext", PLAIN, "!!!", [], 501, "", []),
    ("plaintext", PLAIN, "AB=C", [], 501, "", []),
    ("plaintext", PLAIN, b64("\0u"), [], 535, "u", []),
    ("plaintext", PLAIN, b64("\0u\0"), [], 535, "u", []),
    ("plaintext", PLAIN, b64("\0u\0pw\0more"), [], 235, "u", []),
    ("plaintext", LOGIN, None, [b64("u"), b64("pw")], 235, "u", ["User Name", "Password"]),
    ("plaintext", LOGIN, None, [b64("u"), b64("px")], 535, "u", ["User Name", "Password"]),
    ("plaintext", LOGIN, b64("u"), [b64("pw")], 235, "u", ["Password"]),
    ("plaintext", LOGIN, b64("u\0pw"), [], 235, "u", []),
    ("plaintext", LOGIN, None, ["", ""], 535, "", ["User Name", "Password"]),
    ("plaintext", LOGIN, "=", ["="], 501, "", ["Password"]),
    ("plaintext", LOGIN, None, ["*"], 501, "", ["User Name"]),
    ("cram_md5", CRAM, "abcd", [], 553, "", []),
    ("external", EXTERNAL, b64("u"), [], 235, "u", []),
    ("external", EXTERNAL, None, [b64("u")], 235, "u", [""]),
    ("external", EXTERNAL, "=", [], 535, "", []),
]


@pytest.mark.parametrize(("driver", "options", "initial", "answers", "code", "set_id", "prompts"), SERVER)
def test_server(
    driver: str,
    options: dict[str, str],
    initial: str | None,
    answers: list[str],
    code: int,
    set_id: str,
    prompts: list[str],
) -> None:
    asked: list[str] = []
    left = list(answers)

    def challenge(text: str) -> str:
        asked.append(base64.b64decode(text).decode())
        return left.pop(0)

    result = server_exchange(make(driver, options), initial, challenge, scope())
    assert (result.code, result.id, asked, left) == (code, set_id, prompts, [])


CONDITIONS = [
    ("foo", 435, "Unable to authenticate at present: foo", "foo"),
    ("${if eq{a}{b}{x}fail}", 535, "Incorrect authentication data", ""),
    ("${if eq{a}{a}{0}}", 535, "Incorrect authentication data", ""),
    ("no", 535, "Incorrect authentication data", ""),
    ("1", 235, "Authentication succeeded", ""),
    ("YES", 235, "Authentication succeeded", ""),
]


@pytest.mark.parametrize(("condition", "code", "text", "log"), CONDITIONS)
def test_server_condition(condition: str, code: int, text: str, log: str) -> None:
    auth = make("plaintext", {**PLAIN, "server_condition": condition})
    result = server_exchange(auth, b64("\0v\0pw"), lambda _: "", scope())
    assert (result.code, result.text, result.log, result.id) == (code, text, log, "v")
    assert isinstance(result.id, Tainted)


@pytest.mark.parametrize(
    ("user", "secret", "digits", "code"),
    [("u", "pw", 32, 235), ("u", "px", 32, 535), ("x", "pw", 32, 535), ("u", "pw", 31, 535), ("u", "pw", 0, 535)],
)
def test_cram_md5_server(user: str, secret: str, digits: int, code: int) -> None:
    def challenge(text: str) -> str:
        asked = base64.b64decode(text)
        assert asked.startswith(b"<")
        assert asked.endswith(b"@mx.test.ex>")
        return b64(f"{user} {hmac.digest(secret.encode(), asked, hashlib.md5).hex()[:digits]}".rstrip(" "))

    result = server_exchange(make("cram_md5", CRAM), None, challenge, scope())
    assert (result.code, result.id) == (code, user)


def test_cram_md5_checks_the_generic_condition_too() -> None:
    def challenge(text: str) -> str:
        return b64("u " + hmac.digest(b"pw", base64.b64decode(text), hashlib.md5).hex())

    auth = make("cram_md5", {**CRAM, "server_condition": "no"})
    assert server_exchange(auth, None, challenge, scope()).status is Auth.FAIL


@pytest.mark.parametrize(
    ("condition", "shown"),
    [("no", False), ("foo", True), ("${if eq{a}{b}{x}fail}", False), ("", False), ("${extract{x}{y=z}{a}{}}", False)],
)
def test_advertised(condition: str, shown: bool) -> None:
    auth = make("plaintext", {**PLAIN, "server_advertise_condition": condition})
    assert (advertised([auth], scope()) == [auth]) is shown


def test_no_server_without_its_option() -> None:
    plain = make("plaintext", {"public_name": "PLAIN", "server_prompts": ":"})
    cram = make("cram_md5", {"public_name": "CRAM-MD5"})
    assert advertised([plain, cram], scope()) == []
    assert find([plain], "PLAIN") is None


def test_find_is_caseless() -> None:
    auth = make("plaintext", PLAIN)
    assert find([auth], "plain") is auth
    assert find([auth], "FOO") is None


class Server:
    """Answers commands from a list; keeps what it was told, decoded."""

    def __init__(self, *replies: tuple[int, str]) -> None:
        self.replies = [Reply(code, text) for code, text in replies]
        self.told: list[str] = []

    def __call__(self, line: str) -> Reply:
        self.told.append(line)
        return self.replies.pop(0)


OK = (235, "ok")


def test_client_plain_sends_nuls() -> None:
    server = Server(OK)
    auth = make("plaintext", {"public_name": "PLAIN", "client_send": "^us^^er^pw", "client_set_id": "me"}, "p")
    assert authenticate([auth], scope(), ["PLAIN"], server) == ("p", "me")
    assert server.told == ["AUTH PLAIN " + b64("\0us^er\0pw")]


def test_client_login_sees_the_prompts() -> None:
    server = Server((334, b64("User:")), (334, b64("Pass:")), OK)
    auth = make("plaintext", {"public_name": "LOGIN", "client_send": ": u$auth1 : p$auth2"}, "l")
    assert authenticate([auth], scope(), ["LOGIN"], server) == ("l", "")
    assert server.told == ["AUTH LOGIN", b64("uUser:"), b64("pPass:")]


def test_client_cancels_what_is_no_base64() -> None:
    server = Server((334, "!!"), (501, "cancelled"))
    auth = make("plaintext", {"public_name": "LOGIN", "client_send": ": u : p"}, "l")
    assert (
        authenticate([auth], scope(), ["LOGIN"], server) == "l authenticator: invalid base64 string in server response"
    )
    assert server.told == ["AUTH LOGIN", "*"]


def test_client_cram_md5() -> None:
    # RFC 2195's example
    server = Server((334, b64("<1896.697170952@postoffice.reston.mci.net>")), OK)
    auth = make("cram_md5", {"public_name": "CRAM-MD5", "client_name": "tim", "client_secret": "tanstaaftanstaaf"}, "c")
    assert authenticate([auth], scope(), ["CRAM-MD5"], server) == ("c", "")
    assert server.told[1] == b64("tim b913a602c7eda7a495b4e6e7334d3890")


def test_client_tries_the_next_after_a_refusal_and_a_forced_failure() -> None:
    server = Server((535, "no"), OK)
    skipped = make("plaintext", {"public_name": "A", "client_send": "${if eq{a}{b}{x}fail}"}, "a")
    refused = make("plaintext", {"public_name": "B", "client_send": "x"}, "b")
    taken = make("external", {"public_name": "C", "client_send": "me"}, "c")
    unwanted = make("plaintext", {"public_name": "D", "client_send": "x", "client_condition": "no"}, "d")
    assert authenticate([skipped, refused, unwanted, taken], scope(), ["a", "B", "c", "d"], server) == ("c", "")
    assert server.told == ["AUTH B " + b64("x"), "AUTH C " + b64("me")]


def test_client_stops_at_a_temporary_refusal() -> None:
    server = Server((454, "later"))
    one = make("plaintext", {"public_name": "A", "client_send": "x"}, "a")
    two = make("plaintext", {"public_name": "B", "client_send": "x"}, "b")
    assert authenticate([one, two], scope(), ["A", "B"], server) == "a authenticator failed: 454 later"


def test_client_without_common_mechanism() -> None:
    auth = make("plaintext", {"public_name": "A", "client_send": "x"})
    assert "no common mechanisms" in str(authenticate([auth], scope(), ["B"], Server()))
