"""What an egress list becomes in a sandbox, and back: who connects to such an address means such a host."""

from __future__ import annotations

from faasioflex.runtime.egress.plan import PLATFORM_PORT, PROXY_PORT, Listener, plan_fetch, plan_instance

LISTED = (
    "db.internal:5432",
    "api.example.org",
    "10.1.2.3:6379",
    "[2001:db8::1]:443",
    "localhost:9999",
    "db.internal:5433",
)


def test_an_empty_list_has_the_platform_and_names_that_do_not_exist() -> None:
    made = plan_instance((), platform=True)
    assert made.listeners == (Listener("127.0.0.1", PLATFORM_PORT), Listener("127.0.0.1", 53, udp=True))
    assert made.environment == {}
    assert made.hosts == "127.0.0.1 localhost function\n::1 localhost\n"
    assert plan_instance((), platform=False).listeners == (Listener("127.0.0.1", 53, udp=True),)


def test_listed_hosts_have_addresses_of_their_own() -> None:
    made = plan_instance(LISTED, platform=False)
    assert made.names == {"127.1.0.1": "db.internal", "127.1.0.2": "api.example.org"}
    assert "127.1.0.1 db.internal\n127.1.0.2 api.example.org\n" in made.hosts
    assert made.addresses == ("10.1.2.3", "2001:db8::1")
    ports = {(one.address, one.port) for one in made.listeners}
    assert {("0.0.0.0", 5432), ("0.0.0.0", 5433), ("0.0.0.0", 443), ("0.0.0.0", 6379), ("::", 443)} <= ports  # noqa: S104
    assert ("::", 5432) not in ports
    assert ("127.0.0.1", PROXY_PORT) not in ports


def test_what_a_connection_means() -> None:
    made = plan_instance(LISTED, platform=False)
    assert made.meant("127.1.0.1", 5432) == "db.internal"
    assert made.meant("10.1.2.3", 6379) == "10.1.2.3"
    assert made.meant("2001:db8::1", 443) == "2001:db8::1"
    assert made.meant("127.0.0.1", 9999) == "localhost"
    assert made.meant("::1", 9999) == "localhost"
    assert made.meant("127.0.0.1", 443) is None
    assert made.meant("127.1.0.9", 443) is None


def test_wildcards_bring_a_proxy() -> None:
    made = plan_instance(("*.example.org",), platform=False)
    assert made.environment["HTTPS_PROXY"] == "http://127.0.0.1:30081"
    assert "127.0.0.1" in made.environment["NO_PROXY"]
    assert Listener("127.0.0.1", PROXY_PORT) in made.listeners
    assert plan_fetch(("a.example.org:443",)).environment["https_proxy"] == "http://127.0.0.1:30081"


def test_many_hosts_of_few_ports_need_few_listeners() -> None:
    made = plan_instance(tuple(f"h{number}.example.org" for number in range(100)), platform=True)
    assert len(made.listeners) < 40
    assert len(set(made.names.values())) == 100
