"""Startup scripts: what is asked, and what an answer becomes."""

import pytest

from barrack_web.client import Broken, ScriptChange, ScriptRequest

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

ROW = ROWS["Script"]


def test_it_reads_scripts_with_their_content_untouched(cloud: Cloud) -> None:
    content = "#!/bin/bash\r\n\techo '\u00fc \U0001f680' \x1b[0m\n\n"
    listing = cloud.answering({"scripts": [ROW, ROW | {"script_id": "s-2", "content": content}, {}]}).scripts.list()
    assert (listing.rows[0], listing.rows[1].content, listing.broken) == (STRUCT_OF["Script"], content, 1)
    assert cloud.answering({"script": ROW}).scripts.get("12") == STRUCT_OF["Script"]
    with pytest.raises(Broken):
        cloud.answering({"script": {"script_id": 12}}).scripts.get("12")


def test_it_sends_exactly_what_was_asked_for(cloud: Cloud) -> None:
    scripts = cloud.answering({"success": True}).scripts
    scripts.create(ScriptRequest(name="setup", content="#!\n"))
    assert cloud.sent() == {"name": "setup", "content": "#!\n", "description": ""}
    scripts.create(ScriptRequest(name="setup", content="#!\n", description="d"))
    assert cloud.sent() == {"name": "setup", "content": "#!\n", "description": "d"}
    scripts.update("12", ScriptChange(name="n"))
    assert cloud.sent() == {"name": "n"}
    scripts.update("12", ScriptChange(content="", description=""))
    assert cloud.sent() == {"content": "", "description": ""}
    scripts.update("12", ScriptChange())
    assert cloud.sent() == {}
    scripts.delete_several(("12", "s-2"))
    assert cloud.sent() == {"script_ids": ["12", "s-2"]}
    scripts.delete("12")
    assert cloud.requests[-1].content == b""


def test_it_reads_what_a_change_answers(cloud: Cloud) -> None:
    scripts = cloud.answering({"message": "Saved", "script": ROW, "request_id": "a1"}).scripts
    made, changed = scripts.create(ScriptRequest(name="n", content="c")), scripts.update("12", ScriptChange(name="n"))
    for saved in (made, changed):
        assert (saved.script, saved.message, saved.request_id) == (STRUCT_OF["Script"], "Saved", "a1")
    assert scripts.delete("12").message == "Saved"
    assert cloud.answering(b"", 204).scripts.delete_several(["12"]).message == ""


@pytest.mark.parametrize("body", [{}, {"script": None}, {"script": {"script_id": 1}, "message": 5}], ids=str)
def test_it_survives_an_answer_that_says_little_or_nonsense(cloud: Cloud, body: object) -> None:
    scripts = cloud.answering(body, headers={"X-Request-ID": "from-header"}).scripts
    for saved in (scripts.create(ScriptRequest(name="n", content="c")), scripts.update("12", ScriptChange(name="n"))):
        assert (saved.script, saved.message, saved.request_id) == (None, "", "from-header")
