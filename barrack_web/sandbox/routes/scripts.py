"""Startup scripts: kept in the account, run by an instance at its first start."""

from barrack_web.sandbox.routes.answers import (
    Answer,
    Json,
    Route,
    checked_name,
    checked_text,
    find,
    invalid,
    missing,
    name_taken,
    ok,
    page_of,
    public,
)
from barrack_web.sandbox.world import World, iso

_LONGEST_DESCRIPTION = 255
_MOST_BYTES = 16_384
_MOST_IN_A_BATCH = 100


def made(number: int, name: str, content: str, created_at: str, description: str | None = None) -> Json:
    """Return the record of a script."""
    return {
        "script_id": number,
        "name": name,
        "description": description,
        "content": content,
        "created_at": created_at,
        "updated_at": created_at,
    }


def list_scripts(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the scripts."""
    rows, paging = page_of(list(world.scripts.values()), query)
    return ok("Scripts retrieved", scripts=[public(row) for row in rows], pagination=paging)


def get_script(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one script, or 404."""
    return ok("Script retrieved", script=public(find(world.scripts, params["script_id"], "Script")))


def create_script(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Keep a script. 409 (name taken), 422."""
    name, content = checked_name(body, "name"), _checked_content(body)
    description = checked_text(body, "description", longest=_LONGEST_DESCRIPTION)
    _check_free(world, name, None)
    number = world.new_number()
    script = world.add("scripts", str(number), made(number, name, content, iso(world.now()), description))
    return ok("Script created", script=public(script))


def update_script(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Change what the body names of a script, and leave the rest. 404, 409 (name taken), 422 also for an empty body."""
    script = find(world.scripts, params["script_id"], "Script")
    if not body:
        raise invalid(body="Name at least one field to change.")
    change: Json = {}
    if "name" in body:
        change["name"] = checked_name(body, "name")
        _check_free(world, change["name"], script)
    if "description" in body:
        change["description"] = checked_text(body, "description", longest=_LONGEST_DESCRIPTION)
    if "content" in body:
        change["content"] = _checked_content(body)
    script.update(change, updated_at=iso(world.now()))
    return ok("Script updated", script=public(script))


def delete_script(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove a script for good, or 404."""
    find(world.scripts, params["script_id"], "Script")
    del world.scripts[params["script_id"]]
    return ok("Script deleted")


def delete_scripts(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Remove up to a hundred scripts for good. 404 when one of them is not there, and then none goes; 422."""
    ids = body.get("script_ids")
    if not isinstance(ids, list) or not all(isinstance(i, int | str) and not isinstance(i, bool) for i in ids):
        raise invalid(script_ids="This must be a list of script ids.")
    keys = [str(item) for item in ids]
    if not 1 <= len(ids) <= _MOST_IN_A_BATCH:
        raise invalid(script_ids=f"Delete 1 to {_MOST_IN_A_BATCH} scripts at once.")
    if len(set(ids)) < len(ids):
        raise invalid(script_ids="Name each script only once.")
    unknown = [key for key in keys if key not in world.scripts]
    if unknown:
        raise missing(f"Script {unknown[0][:50]}")
    for key in set(keys):
        del world.scripts[key]
    return ok(f"{len(set(keys))} scripts deleted")


def _check_free(world: World, name: str, script: Json | None) -> None:
    if any(other.get("name") == name and other is not script for other in world.scripts.values()):
        raise name_taken("name", name, "a script")


def _checked_content(body: Json) -> str:
    content = checked_text(body, "content", required=True)
    if not content or len(content.encode()) > _MOST_BYTES:
        raise invalid(content=f"Use 1 to {_MOST_BYTES:,} bytes; in UTF-8, a letter can be up to four of them.")
    return content


ROUTES = (
    Route("list_scripts", "GET", "/scripts", list_scripts),
    Route("get_script", "GET", "/scripts/{script_id}", get_script),
    Route("create_script", "POST", "/scripts", create_script),
    Route("update_script", "PUT", "/scripts/{script_id}", update_script),
    Route("delete_script", "DELETE", "/scripts/{script_id}", delete_script),
    Route("delete_scripts", "POST", "/scripts/bulk-delete", delete_scripts),
)
