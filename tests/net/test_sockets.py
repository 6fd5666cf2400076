"""Listening, connecting, and the deadlines of talking."""

import errno
import socket

import pytest

from mta.errors import ConfigError, PeerGone
from mta.net.interfaces import interface_addresses, local_addresses
from mta.net.sockets import Endpoint, connect, endpoints, listen, listen_all, receive, send

ALL = "<; ::0 ; 0.0.0.0"


@pytest.mark.parametrize(
    ("interfaces", "ports", "override", "expected"),
    [
        (ALL, "smtp", "", [("::0", 25), ("0.0.0.0", 25)]),
        (ALL, "25 : 587", "", [("::0", 25), ("::0", 587), ("0.0.0.0", 25), ("0.0.0.0", 587)]),
        ("0.0.0.0 : 127.0.0.1.26", "smtp", "", [("0.0.0.0", 25), ("127.0.0.1", 26)]),
        ("<; [192.168.23.65]:1234 ; [::1]:99", "25", "", [("192.168.23.65", 1234), ("::1", 99)]),
        ("<; 3ffe:ffff:836f::fe86:a061.1234", "25", "", [("3ffe:ffff:836f::fe86:a061", 1234)]),
        (ALL, "smtp", "1225", [("::0", 1225), ("0.0.0.0", 1225)]),
        (ALL, "smtp", "192.168.34.5.1125", [("192.168.34.5", 1125)]),
        (ALL, "smtp", "127.0.0.1:26", [("127.0.0.1", 26)]),
        ("127.0.0.1 : 127.0.0.1", "25", "", [("127.0.0.1", 25)]),
        ("127.0.0.1", "25", "<, 127.0.0.1.0", [("127.0.0.1", 25)]),
    ],
)
def test_endpoints(interfaces: str, ports: str, override: str, expected: list[tuple[str, int]]) -> None:
    assert endpoints(interfaces, ports, override) == expected


def test_endpoints_without_ipv6() -> None:
    assert endpoints(ALL, "25", disable_ipv6=True) == [("0.0.0.0", 25)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("abc", 'TCP port "abc" not found'),
        ("-1", 'TCP port "-1" not found'),
        ("99999", '"99999" is not a valid port number'),
        ("1.2.3", 'Malformed IP address "1.2.3" in -oX data'),
        ("[127.0.0.1", 'Malformed IP address "[127.0.0.1" in -oX data'),
        ("[127.0.0.1]25", 'Malformed IP address "[127.0.0.1]25" in -oX data'),
        ("[127.0.0.1].25", 'Malformed IP address "[127.0.0.1].25" in -oX data'),
        ("localhost.x", 'Malformed IP address "localhost.x" in -oX data'),
    ],
)
def test_endpoints_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        endpoints(ALL, "smtp", override)
    assert caught.value.message == message


def test_local_addresses() -> None:
    mine = interface_addresses()
    assert "127.0.0.1" in mine
    assert local_addresses("192.0.2.1.25") == ["192.0.2.1"]
    assert set(local_addresses(ALL)) == set(mine)
    assert local_addresses("192.0.2.1", "0.0.0.0")[0] == "192.0.2.1"
    assert "127.0.0.1" in local_addresses("192.0.2.1", "0.0.0.0")


def test_connect_talk_and_lose() -> None:
    with listen(Endpoint("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = connect("127.0.0.1", port, 5, interface="127.0.0.2")
        server, address = listener.accept()
        assert address[0] == "127.0.0.2"
        with server:
            send(client, b"hello", 5)
            assert receive(server, 5) == b"hello"
            with pytest.raises(PeerGone) as caught:
                receive(server, 0.01, timed_out="data-timeout")
            assert caught.value.reason == "data-timeout"
            client.close()
            with pytest.raises(PeerGone) as caught:
                receive(server, 5)
            assert caught.value.reason == "connection-lost"


def test_a_peer_that_does_not_read_costs_the_time_out_only() -> None:
    left, right = socket.socketpair()
    with left, right:
        with pytest.raises(PeerGone, match="timed out while sending"):
            send(left, b"x" * 10_000_000, 0.05)
        right.close()
        with pytest.raises(PeerGone):
            send(left, b"x", 5)


def test_connect_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError) as caught:
            connect("127.0.0.1", unused.getsockname()[1], 5)
    assert caught.value.errno == errno.ECONNREFUSED


def test_listen_all_closes_what_it_opened_when_one_fails() -> None:
    with listen(Endpoint("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listen_all([Endpoint("127.0.0.1", 0), Endpoint("127.0.0.1", port)])
