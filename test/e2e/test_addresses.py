"""Which addresses are connected to, on machines of their own where some lead nowhere."""

import pytest

from support import images
from support.archive import Archive
from support.hawser import NETWORK, OK, USAGE
from support.namespace import Namespace
from support.pki import NAME

SERVER, SERVER_6, CLIENT, SECOND = "192.0.2.1", "2001:db8::1", "192.0.2.10", "192.0.2.11"
NOWHERE, NOWHERE_6 = "198.51.100.1", "2001:db8:ffff::1"


@pytest.fixture(scope="module")
def machines():
    """The server's machine, and ours, where the interface `hole` swallows all that goes to NOWHERE."""
    server, client = Namespace(), Namespace()
    client.connect_to(server, "link0")
    server.ip("address", "add", f"{SERVER}/24", "dev", "link0")
    server.ip("address", "add", f"{SERVER_6}/64", "dev", "link0", "nodad")
    client.ip("address", "add", f"{CLIENT}/24", "dev", "link0")
    client.ip("address", "add", f"{SECOND}/24", "dev", "link0")
    client.ip("address", "add", "2001:db8::10/64", "dev", "link0", "nodad")
    client.black_hole(server, "hole", NOWHERE, NOWHERE_6)
    for program, address in (("iptables", NOWHERE), ("ip6tables", NOWHERE_6)):
        client.run(program, "-A", "OUTPUT", "-d", address, "-p", "tcp", "--syn")
    yield server, client
    for each in (client, server):
        each.stop()


class Remote:
    """A registry as the client's machine sees it, by a name."""

    def __init__(self, machines, registry):
        self._server, self._client = machines
        self.registry = registry
        self.image = images.many_layers(8)
        self.port = registry.port
        self.reference = registry.push("addresses/image", self.image, "v1").replace(registry.host,
                                                                                    f"{NAME}:{self.port}")
        self.clients = self._server.forward(SERVER, self.port, registry.port)
        self.clients_6 = self._server.forward(SERVER_6, self.port, registry.port)

    def resolve(self, *addresses):
        return ["--resolve", f"{NAME}:{self.port}:{','.join(addresses)}"]

    def attempts(self) -> int:
        """How many times a connection to NOWHERE was begun so far."""
        lines = [line for program in ("iptables", "ip6tables")
                 for line in self._client.run(program, "-nvxL", "OUTPUT").splitlines() if NOWHERE in line
                 or NOWHERE_6 in line]
        assert len(lines) == 2
        return sum(int(line.split()[0]) for line in lines)


@pytest.fixture(scope="module")
def remote(machines, registries):
    return Remote(machines, registries())


@pytest.fixture
def there(hawser, machines):
    """hawser on the client's machine."""
    hawser.inside(machines[1])
    return hawser


def pull(hawser, remote, *arguments, expect=OK, **how):
    """Pulls what must be there in far less time than the minute that a connection may take."""
    result = hawser.pull(remote.registry, "--no-cache", "--connect-timeout", "60s", "--retries", "0", *arguments,
                         remote.reference, expect=expect, **how)
    assert result.seconds < 40
    if expect == OK:
        Archive(hawser.directory / "image.tar").check_image(remote.image)
    return result


@pytest.mark.parametrize("addresses", [(NOWHERE_6, SERVER), (NOWHERE, SERVER_6), (NOWHERE, SERVER)])
def test_an_address_that_leads_nowhere_is_tried_once(there, remote, addresses):
    before = remote.attempts()
    pull(there, remote, "--max-connections", "4", *remote.resolve(*addresses))
    # One connection is begun in advance, more once it is there. What is not answered is sent again after a second.
    assert 1 <= remote.attempts() - before <= 4


def test_a_name_with_a_family_that_leads_nowhere(there, remote):
    """As the system's resolver has it: IPv6 first."""
    etc = there.directory / "home" / "hosts"
    etc.write_text(f"{NOWHERE_6} {NAME}\n{SERVER} {NAME}\n")
    there.in_place_of("/etc/hosts", etc)
    before = remote.attempts()
    pull(there, remote)
    assert remote.attempts() > before


def test_one_family_alone(there, remote):
    before, clients, clients_6 = remote.attempts(), len(remote.clients), len(remote.clients_6)
    pull(there, remote, "-4", *remote.resolve(NOWHERE_6, SERVER))
    assert remote.attempts() == before and len(remote.clients) > clients and len(remote.clients_6) == clients_6
    pull(there, remote, "--ipv6", *remote.resolve(SERVER, SERVER_6))
    assert len(remote.clients_6) > clients_6
    result = pull(there, remote, "-6", *remote.resolve(SERVER), expect=NETWORK)
    assert f"{NAME} has no IPv6 address, and --ipv6 allows no other" in result.err


def test_resolve_takes_any_host(hawser, registry):
    image = images.many_layers(2)
    reference = registry.push("addresses/any", image, "v1").replace("127.0.0.1", NAME)
    hawser.pull(registry, "--resolve", f"other.test:{registry.port}:192.0.2.1", "--resolve",
                f"*:{registry.port}:127.0.0.1", reference)
    Archive(hawser.directory / "image.tar").check_image(image)


def test_a_name_server_that_never_answers_for_ipv6(there, machines, remote):
    """The system's resolver would wait for that for 15 seconds."""
    names = machines[1].name_server(SERVER, silent=True)
    files = {"/etc/resolv.conf": "nameserver 127.0.0.1\n", "/etc/hosts": ""}
    for path, text in files.items():
        file = there.directory / "home" / path.rpartition("/")[2]
        file.write_text(text)
        there.in_place_of(path, file)
    assert pull(there, remote).seconds < 8
    assert set(names.questions) == {1, 28}


def test_interface(there, remote):
    for interface, seen in (("link0", CLIENT), (SECOND, SECOND)):
        before = len(remote.clients)
        pull(there, remote, "--interface", interface, *remote.resolve(SERVER))
        assert set(remote.clients[before:]) == {seen}
    before = len(remote.clients)
    result = there.pull(remote.registry, "--connect-timeout", "1s", "--retries", "0", "--interface", "hole",
                        *remote.resolve(SERVER), remote.reference, expect=NETWORK)
    assert f"cannot connect to http://{NAME}:{remote.port}" in result.err and len(remote.clients) == before
    result = pull(there, remote, "--interface", SECOND, *remote.resolve(SERVER_6), expect=NETWORK)
    assert f"{NAME} has no IPv4 address, and --interface {SECOND} allows no other" in result.err


def test_an_interface_that_is_not_there(hawser):
    result = hawser.run("pull", "--interface", "nowhere0", "-o", "image.tar", "a/b")
    assert result.code == USAGE, result.err
    assert "there is no network interface nowhere0" in result.err
