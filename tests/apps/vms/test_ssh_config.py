"""/vms/<id>/ssh-config/: the VM as an entry for ~/.ssh/config, to download."""

import re

import pytest
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import IMPOSSIBLE_IDS, READ_FAULTS, alert, body
from tests.conftest import text_of

VM = "BRK-123456D"
URL = f"/vms/{VM}/ssh-config/"
ENTRY = """\
# ml-training-server (BRK-123456D)
Host ml-training-server
    HostName 198.51.100.20
    User ubuntu
    IdentityFile ~/.ssh/your_private_key
    IdentitiesOnly yes
"""


@pytest.mark.feature("VM-26", "VM-27")
def test_it_is_a_file_to_download(operator: Client, sandbox: Sandbox) -> None:
    response = operator.get(URL)
    assert response.status_code == 200
    assert body(response) == ENTRY
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="ml-training-server.ssh-config"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "private" in response["Cache-Control"]
    assert [call.operation for call in sandbox.log.calls()] == ["get_instance"]
    # and its headers can be asked for alone
    assert operator.head(URL)["Content-Disposition"] == response["Content-Disposition"]


@pytest.mark.feature("VM-27")
@pytest.mark.parametrize(("image", "named"), [("Rocky Linux 9", "Rocky Linux 9"), (None, "not named")])
def test_it_says_that_the_user_name_is_a_guess(
    operator: Client, sandbox: Sandbox, image: str | None, named: str
) -> None:
    sandbox.world.instances[VM]["image"] = {"name": image}
    lines = body(operator.get(URL)).splitlines()
    assert f"    # The user name depends on the image ({named}): another one may be needed." in lines
    assert "    User root" in lines


@pytest.mark.parametrize("role", ["viewer", "billing", "admin"])
def test_it_is_for_everybody_who_is_signed_in(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    assert body(browser.get(URL)) == ENTRY


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"].startswith("/account/login/")
    assert sandbox.log.calls() == []


@pytest.mark.feature("VM-26")
@pytest.mark.parametrize("address", [None, "", " ", "0.0.0.0", "127.0.0.1", "$(reboot)", "8.8.8.8\n    ProxyCommand x"])
def test_it_has_no_file_without_a_usable_public_ip(operator: Client, sandbox: Sandbox, address: str | None) -> None:
    sandbox.world.instances[VM]["public_ip"] = address
    response = operator.get(URL)
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)
    assert "Content-Disposition" not in response
    assert "ProxyCommand" not in body(response)


@pytest.mark.parametrize("address", ["2001:db8::20", "::ffff:198.51.100.9"])
def test_it_takes_an_address_of_ipv6(operator: Client, sandbox: Sandbox, address: str) -> None:
    sandbox.world.instances[VM]["public_ip"] = address
    assert f"    HostName {address.removeprefix('::ffff:')}\n" in body(operator.get(URL))


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("two  words", "two-words"),
        ("evil\nHost *\n    ProxyCommand rm -rf ~", "evil-Host-ProxyCommand-rm-rf"),
        ("../../etc/passwd", "etc-passwd"),
        ('x"; filename="y.exe', "x-filename-y.exe"),
        ("-oProxyCommand=x", "oProxyCommand-x"),
        ("*", VM),
        ("!?", VM),
        ("🚀", VM),
        ("\u202egnp.exe", "gnp.exe"),
        ("", VM),
        ("n" * 300, "n" * 64),
    ],
)
def test_it_is_one_harmless_entry_whatever_the_name(operator: Client, sandbox: Sandbox, name: str, alias: str) -> None:
    sandbox.world.instances[VM]["vm_name"] = name
    response = operator.get(URL)
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{alias}.ssh-config"'
    lines = body(response).splitlines()
    assert lines[0].startswith("# ")
    assert len(lines[0]) < 250
    assert lines[1:] == [f"Host {alias}", *ENTRY.splitlines()[2:]]
    assert body(response).isascii()


@pytest.mark.parametrize("missing", [*IMPOSSIBLE_IDS, "a%2Fb", "BRK-999999D"])
def test_it_has_no_file_for_a_vm_that_is_not_there(operator: Client, sandbox: Sandbox, missing: str) -> None:
    response = operator.get(f"/vms/{missing}/ssh-config/")
    assert response.status_code == 404
    assert "Content-Disposition" not in response
    assert {call.path for call in sandbox.log.calls("get_instance")} <= {"/instances/BRK-999999D"}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_says_so_when_the_api_is_down(operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "Content-Disposition" not in response
    assert re.match(r"text/html", response["Content-Type"])


def test_it_gives_the_older_copy_while_the_api_is_down(operator: Client, sandbox: Sandbox) -> None:
    assert body(operator.get(URL)) == ENTRY
    sandbox.faults.arm("get_instance", "refuse", times=None)
    response = operator.get(URL)
    assert response.status_code == 200
    assert body(response) == ENTRY
