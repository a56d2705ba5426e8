"""TLS: the server's certificate is checked, and what is wrong with it is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.codec import make_entry
from clew.errors import ClewError, UnsupportedError
from clew.records import Append
from clew.schemes import open_backend
from servers import Server
from tests.conftest import Pool
from tests.support import fresh_partition

KINDS = ("redis-7.0-tls", "redis-8.2-tls")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
async def test_a_store_is_reached_through_tls(kind: str, scheme: str, url_of: Callable[..., str]) -> None:
    backend, partition = await open_backend(url_of(kind).replace("rediss", scheme, 1)), fresh_partition()
    try:
        await backend.commit(partition, [Append("items", make_entry("a", b"x" * 200_000))])
        assert [len(entry.data) for entry in (await backend.read(partition, "items")).entries] == [200_000]
    finally:
        await backend.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_that_nobody_vouches_for_is_refused_by_name(kind: str, pool: Pool) -> None:
    server = pool.get(kind)
    assert isinstance(server, Server)
    with pytest.raises(UnsupportedError, match="ssl_ca_certs"):
        await open_backend(f"rediss://{server.address}/0?timeout=1")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_may_go_unchecked_when_the_url_says_so(kind: str, pool: Pool) -> None:
    server = pool.get(kind)
    assert isinstance(server, Server)
    backend = await open_backend(f"rediss://{server.address}/0?ssl_cert_reqs=none&ssl_check_hostname=false")
    try:
        assert await backend.revision(fresh_partition()) == 0
    finally:
        await backend.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plain_url_on_a_tls_port_fails_in_time(kind: str, pool: Pool) -> None:
    server = pool.get(kind)
    assert isinstance(server, Server)
    with pytest.raises(ClewError):
        await open_backend(f"redis://{server.address}/0?timeout=1")
