"""The file with which a deployment changes facts of the API, and what it is told about its mistakes."""

from pathlib import Path

import httpx
import pytest

from barrack_web.client import (
    OPERATIONS,
    BadOverrides,
    Broken,
    ChatMessage,
    DeploymentRequest,
    Instance,
    Overrides,
    load_overrides,
    overrides,
)
from barrack_web.client.operations import WITH_A_BODY
from barrack_web.client.structs import RESULTS

from .conftest import BASE, Cloud, instance_row


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "overrides.toml"


def loaded(file: Path, content: str | bytes) -> Overrides:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_overrides(file)


def complaint(file: Path, content: str | bytes) -> str:
    """What the admin reads, without the file's name, which it always starts with."""
    with pytest.raises(BadOverrides) as raised:
        loaded(file, content)
    message = str(raised.value)
    assert message.startswith(str(file))
    assert message.isprintable()  # one line
    assert raised.value.__suppress_context__  # and no traceback of the parser's above it
    return message.removeprefix(str(file))


def test_it_takes_the_example_of_the_documentation(file: Path, cloud: Cloud) -> None:
    changed = loaded(file, (overrides.__doc__ or "").partition("\n\n")[2])
    row = {"instance_id": "BRK-1D", "name": "trainer", "status": "ACTIVE", "region": "US-1"}
    client = cloud.client(
        lambda _request: httpx.Response(200, json={"servers": [row]}),
        operations=changed.operations,
        names=changed.names,
    )
    assert [found.vm_name for found in client.instances.list()] == ["trainer"]
    assert str(cloud.requests[0].url) == BASE + "/servers?per_page=100&page=1"


def test_it_changes_method_path_query_and_result_of_one_call_and_no_other(file: Path, cloud: Cloud) -> None:
    changed = loaded(
        file,
        """
        [operations.delete_volume]
        method = "POST"
        path = "/disks/{volume_id}/remove"

        [operations.list_volumes]
        query = { page = "", limit = "size" }
        result = "disks"
        """,
    )
    client = cloud.client(
        lambda _request: httpx.Response(200, json={"disks": []}),
        operations=changed.operations,
        names=changed.names,
    )
    client.volumes.delete("BRK-1V")
    assert (cloud.requests[-1].method, str(cloud.requests[-1].url)) == ("POST", BASE + "/disks/BRK-1V/remove")
    assert len(client.volumes.list()) == 0
    assert str(cloud.requests[-1].url) == BASE + "/volumes?size=100"
    others = {name for name in OPERATIONS if changed.operations[name] == OPERATIONS[name]}
    assert set(OPERATIONS) - others == {"delete_volume", "list_volumes"}


def test_it_keeps_the_query_names_that_are_not_in_the_file(file: Path) -> None:
    row = loaded(file, '[operations.list_volumes.query]\npage = "p"').operations["list_volumes"]
    assert row.query == OPERATIONS["list_volumes"].query | {"page": "p"}
    assert (row.path, row.safe, row.kind) == ("/volumes", True, "read")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing yet\n\n",
        "[operations]\n[structs]\n",
        "\ufeff[operations]\r\n",
        '[operations.get_instance_billing]\nresult = ""',
    ],
    ids=["empty", "comment", "empty tables", "of a Windows editor", "empty result"],
)
def test_it_takes_a_file_that_changes_little_or_nothing(file: Path, content: str) -> None:
    changed = loaded(file, content)
    assert set(changed.operations) == set(OPERATIONS)
    assert changed.names.on_the_wire(Instance)["vm_name"] == "vm_name"


def test_it_changes_nothing_without_a_file(cloud: Cloud) -> None:
    plain = Overrides()
    client = cloud.client(
        lambda _request: httpx.Response(200, json={"instances": [instance_row()]}),
        operations=plain.operations,
        names=plain.names,
    )
    assert plain.operations is OPERATIONS
    assert len(client.instances.list()) == 1


# What is wrong: the file, the line that is named, and words of the reason.
MISTAKES: dict[str, tuple[str, int, str]] = {
    "no TOML": ('[operations.get_image]\n\npath "/x"\n', 3, "this is not TOML: Expected '='"),
    "no TOML at the end": ('[operations.get_image]\npath = "/x', 2, "this is not TOML: "),
    "a key twice": ('[structs.Image]\nname = "a"\nname = "b"\n', 3, "this is not TOML: Cannot overwrite"),
    "unknown table": ("\n[operation.get_image]\n", 2, "there is no table operation; perhaps operations was meant"),
    "unknown key at the top": (
        "timeout = 5\n",
        1,
        "there is no table timeout; there is instance_actions, operations, structs",
    ),
    "tables in a list": ("# c\n[[operations]]\n", 2, "operations must be a table"),
    "a text for a table": ('structs = "x"\n', 1, "structs must be a table"),
    "a text for an operation": ('[operations]\nget_image = "/x"\n', 2, "get_image must be a table"),
    "unknown operation": (
        '[structs]\n[operations.list_instance]\npath = "/x"\n',
        2,
        "there is no operation list_instance; perhaps list_instances",
    ),
    "operation like no other": ('[operations.xyzzy]\npath = "/x"\n', 1, "there is no operation xyzzy"),
    "unknown operation, only its query": (
        '[operations.zz.query]\npage = "p"\n',
        1,
        "there is no operation zz",
    ),
    "operation that is never called": (
        '\n[operations.get_snapshot_billing]\npath = "/x"\n',
        2,
        "get_snapshot_billing is never called, but get_snapshots_billing in its place",
    ),
    "unknown key": (
        '[operations.get_image]\npath = "/x" # path\n\n# pathe\npaht = "/y"\n',
        5,
        "there is no key paht; perhaps path was meant",
    ),
    "key like no other": (
        "[operations.get_image]\nsafe = true\n",
        2,
        "there is no key safe; there is method, path, query, result",
    ),
    "odd key": ('[operations.get_image]\n"a\\nb" = 1\n', 2, "there is no key 'a\\nb'; there is method"),
    "number for a path": ("[operations.get_image]\n\npath = 5\n", 3, "path must be a text that is not empty"),
    "empty path": ('[operations.get_image]\npath = ""\n', 2, "path must be a text that is not empty"),
    "path over two lines": ('[operations.get_image]\npath = "/a\\nb"\n', 2, "path must be a text"),
    "bad method": (
        '[operations.get_image]\npath = "/x"\nmethod = "FETCH"\n',
        3,
        "get_image: the method must be one of DELETE, GET, PATCH, POST, PUT",
    ),
    "path without slash": ('[operations.get_image]\nmethod = "GET"\npath = "x"\n', 3, "get_image: the path must start"),
    "path with a query": ('[operations.get_image]\npath = "/x?a=b"\n', 2, "get_image: the path must start with /"),
    "unknown place": (
        '[operations.get_image]\npath = "/x/{id}"\n',
        2,
        "get_image: the path must ask for ['image_id']",
    ),
    "place that is left out": ('[operations.delete_image]\npath = "/images"\n', 2, "must ask for ['image_id']"),
    "place of no call": ('[operations.list_images]\npath = "/{image_id}"\n', 2, "the path must ask for nothing"),
    "open brace": ('[operations.get_image]\npath = "/{image_id"\n', 2, "get_image: the path: expected '}'"),
    "place with a width": (
        '[operations.get_image]\npath = "/{image_id:>99}"\n',
        2,
        "get_image: the braces of the path may hold nothing but a name",
    ),
    "place with a conversion": ('[operations.get_image]\npath = "/{image_id!r}"\n', 2, "nothing but a name"),
    "part of a place": ('[operations.get_image]\npath = "/{image_id.x}"\n', 2, "must ask for ['image_id']"),
    "one name for two parameters": (
        '[operations.list_images]\n[operations.list_images.query]\nlimit = "page"\n',
        3,
        "limit and page would both be called page",
    ),
    "unknown parameter": (
        '[operations.list_images]\n\nquery = { pages = "p" }\n',
        3,
        "there is no query parameter pages; perhaps page was meant",
    ),
    "parameter of a call without": (
        '[operations.get_image.query]\n# none\npage = "p"\n',
        3,
        "there is no query parameter page",
    ),
    "number for a parameter": ("[operations.list_images.query]\npage = 1\n", 2, "page must be a text"),
    "text for the query": ('[operations.list_images]\nquery = "page"\n', 2, "query must be a table"),
    "number for a result": ("[operations.list_images]\nresult = 1\n", 2, "result must be a text"),
    "unknown struct": ('[structs.instance]\nvm_name = "n"\n', 1, "there is no struct instance; perhaps Instance"),
    "number for a struct": ("[structs]\nInstance = 5\n", 2, "Instance must be a table"),
    "unknown field": (
        '[structs.Instance]\nvm_name = "n"\nvmname = "m"\n',
        3,
        "there is no field vmname; perhaps vm_name was meant",
    ),
    "field of the client's own": ('[structs.VolumeListing]\nrows = "r"\n', 1, "there is no struct VolumeListing"),
    "number for a field": ("[structs.Instance]\nvm_name = 5\n", 2, "vm_name must be a text that is not empty"),
    "empty field": ('[structs.Instance]\nvm_name = ""\n', 2, "vm_name must be a text that is not empty"),
    "name of another field": (
        '[structs.Instance]\nvm_name = "region"\n',
        2,
        "vm_name and region of Instance would both be called region",
    ),
    "one name for two fields": (
        '[structs.Instance]\ntier = "a"\nvm_name = "n"\nregion = "n"\n',
        3,
        "vm_name and region of Instance would both be called n",
    ),
    "name on the wire of another field": (
        '[structs.BillingSummary]\ntotal_cost = "totalMinutes"\n',
        2,
        "total_cost and total_minutes of BillingSummary would both be called totalMinutes",
    ),
    "name of a field of another kind": (
        '[structs.Accepted]\nmessage = "status"\n',
        2,
        "message and status of ",
    ),
    "inline table": ('\noperations = { get_image = { path = 5 } }\n', 2, "path must be a text"),
    "dotted key": ('x = 1\noperations.get_image.path = "x"\n', 1, "there is no table x"),
    "dotted key at the top": (
        '# a\noperations.get_image.method = "GET"\noperations.get_image.path = "x"\n',
        3,
        "the path must start",
    ),
    "dotted key in a table": ('[operations]\nget_image.path = 5\n', 2, "path must be a text"),
    "quoted and spaced": ('[ operations . "get_image" ]\n "path" = 5\n', 2, "path must be a text"),
    "second table of one operation": (
        '[operations.list_images]\nresult = "x"\n[structs.Image]\nname = "n"\n[operations.list_images.query]\nx = ""\n',
        6,
        "there is no query parameter x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_it_says_file_line_and_reason(file: Path, name: str) -> None:
    content, line, reason = MISTAKES[name]
    for text in (content, content.replace("\n", "\r\n")):
        said = complaint(file, text)
        assert said.startswith(f", line {line}: ")
        assert reason in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe[\x00", ": the file is not UTF-8 text"),
        ("[structs]\n# \u00e9".encode("latin-1"), ": the file is not UTF-8 text"),
        (b"#" * 1_000_001, ": the file is too large to be meant"),
        (b"a = " + b"[" * 100_000, ": the file is nested too deeply to be meant"),
    ],
    ids=["UTF-16", "Latin-1", "too large", "too deep"],
)
def test_it_says_what_is_wrong_with_the_file_as_a_whole(file: Path, content: bytes, reason: str) -> None:
    assert complaint(file, content) == reason


def test_it_says_why_a_file_cannot_be_opened(file: Path) -> None:
    for path, reason in ((file, "No such file or directory"), (file.parent, "Is a directory"), ("a\0b", "embedded")):
        with pytest.raises(BadOverrides) as raised:
            load_overrides(path)
        assert str(raised.value).startswith(f"{path}: {reason}")


def test_it_takes_the_result_of_a_write_from_where_it_is_said_to_be(file: Path, cloud: Cloud) -> None:
    # given writes whose answer usually stands at the top
    changed = loaded(
        file,
        """
        [operations.create_instance]
        result = "data"
        [operations.start_instance]
        result = "data.server"
        [operations.chat_completions]
        result = "answer"
        """,
    )
    bodies = {
        "/api/instances": {"success": True, "message": "On its way", "data": {"instance_id": "BRK-1D"}},
        "/api/instances/BRK-1D/start": {"data": {"server": {"instance_id": "BRK-1D", "status": "STARTING"}}},
        "/api/ai/chat/completions": {"answer": {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}},
    }
    client = cloud.client(
        lambda request: httpx.Response(200, json=bodies[request.url.path]),
        operations=changed.operations,
        names=changed.names,
    )
    request = DeploymentRequest(vm_name="n", gpu_model="L40", gpu_count=1, region="US-1", ssh_keys=("k",))
    made = client.instances.deploy(request)
    assert (made.instance_id, made.message) == ("BRK-1D", "On its way")
    assert client.instances.start("BRK-1D").status == "STARTING"
    assert client.assistant.chat("m", [ChatMessage("user", "Hello")]).text == "Hi"


def test_it_finds_a_list_and_its_pagination_deeper_down(file: Path, cloud: Cloud) -> None:
    changed = loaded(file, '[operations.list_instances]\nresult = "data.instances"\n')

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        return httpx.Response(
            200, json={"data": {"instances": [instance_row(page)], "pagination": {"page": page, "total_pages": 3}}}
        )

    client = cloud.client(answer, operations=changed.operations, names=changed.names)
    assert len(client.instances.list()) == 3


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {"items": []}}, {"data": None}])
def test_it_calls_an_answer_without_that_place_broken(file: Path, cloud: Cloud, body: object) -> None:
    changed = loaded(file, '[operations.list_instances]\nresult = "data.instances"\n')
    client = cloud.client(
        lambda _request: httpx.Response(200, json=body), operations=changed.operations, names=changed.names
    )
    with pytest.raises(Broken):
        client.instances.list()


@pytest.mark.parametrize(("struct", "attribute"), RESULTS)
def test_it_refuses_a_field_that_the_result_key_fills(file: Path, struct: str, attribute: str) -> None:
    words = complaint(file, f'[structs.{struct}]\n{attribute} = "item"\n')
    assert words.startswith(", line 2: this is the result of ")


def test_it_refuses_a_get_that_could_not_carry_its_body(file: Path) -> None:
    words = complaint(file, '[operations.query_pricing]\nmethod = "GET"\n')
    assert words == ", line 2: query_pricing sends a body, which GET does not carry"
    assert loaded(file, '[operations.start_instance]\nmethod = "GET"\n').operations["start_instance"].method == "GET"
    bodies = {"POST", "PUT"}
    assert {OPERATIONS[name].method for name in WITH_A_BODY} == bodies


# --- actions of instances


def test_it_changes_in_which_states_an_action_is_offered(file: Path) -> None:
    # given a file that names an action's states in any spelling
    found = loaded(file, '[instance_actions]\nhibernate = ["active"]\nreboot = []\nstart = ["STOPPED"]\n')
    # then these are changed, and every other one is as it was
    assert found.allows["hibernate"] == {"ACTIVE"}
    assert found.allows["reboot"] == frozenset()
    assert found.allows["start"] == {"SHUTOFF"}
    assert found.allows["stop"] == {"ACTIVE"}
    assert Overrides().allows["hibernate"] == {"ACTIVE", "SHUTOFF"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('hibernat = ["ACTIVE"]', "there is no action hibernat; perhaps hibernate was meant"),
        ('hibernate = "ACTIVE"', "hibernate must be a list of states"),
        ("hibernate = [1]", "hibernate must be a text that is not empty"),
        ('hibernate = [""]', "hibernate must be a text that is not empty"),
    ],
)
def test_it_refuses_actions_that_make_no_sense(file: Path, line: str, reason: str) -> None:
    assert complaint(file, f"[instance_actions]\n{line}\n") == f", line 2: {reason}"
