"""The socket of `clew serve`: what is written to a connection goes out at once."""

from __future__ import annotations

import socket

import pytest

from clew.errors import UnavailableError
from clew.service.serving import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_answer_waits_for_an_acknowledgement(host: str) -> None:
    with listen(host, 0) as listening, socket.create_connection(listening.getsockname()[:2]):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_port_that_is_taken_is_told() -> None:
    with (
        listen("127.0.0.1", 0) as listening,
        pytest.raises(UnavailableError, match="choose another one"),
        listen("127.0.0.1", listening.getsockname()[1]),
    ):
        pass
