"""Deploying an instance: everything a request can get wrong, and what becomes of one that is right."""

from collections.abc import Callable, Iterable
from typing import Any

from barrack_web.sandbox import lifecycle
from barrack_web.sandbox.os_image_data import has_os_image
from barrack_web.sandbox.prices import GPU_MODELS, RESTORABLE_STATUSES, TIERS, normal
from barrack_web.sandbox.routes import instances, stock
from barrack_web.sandbox.routes.answers import (
    Answer,
    ApiError,
    Json,
    Route,
    checked_flag,
    checked_name,
    checked_text,
    invalid,
    name_taken,
    ok,
)
from barrack_web.sandbox.routes.filters import checked_region
from barrack_web.sandbox.routes.rules import rule_fields, rule_problems
from barrack_web.sandbox.routes.security_rules import new_rule
from barrack_web.sandbox.world import World, iso

Problems = dict[str, str]

_BOOT_SOURCES = ("os_image", "volume_id", "image_id")
_LEAST_BOOT_VOLUME_GB = 100
_LEAST_PASSWORD = 8
_MOST_CLOUD_INIT_BYTES = 16_384


def create_instance(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Begin an instance. 402, 409 (name taken), 422 with every field that is wrong, 503 (no stock)."""
    problems = _problems(world, body)
    if problems:
        raise invalid(**problems)
    name, region, model, count = body["vm_name"], body["region"], body["gpu_model"], body["gpu_count"]
    if instances.name_in_use(world, name):
        raise name_taken("vm_name", name, "an instance")
    stock.reserve(world, region, model, count)
    instance = instances.new_instance(world, name, region, model, count)
    instance.update(
        ssh_keys=list(body["ssh_keys"]),
        security_rules=[new_rule(world, rule_fields(rule)) for rule in body.get("security_rules", [])],
        image={"name": _boot_from(world, instance, body)},
    )
    lifecycle.create(world, instance, public=body.get("assign_public_ip", False))
    return ok(
        "Deployment started",
        instance_id=instance["instance_id"],
        status=instance["status"],
        deployment_id=f"DEP{world.new_number():07d}",
        tier=instance["tier"],
    )


def _boot_from(world: World, instance: Json, body: Json) -> str | None:
    """Tie the instance to what it boots from, and return the name of the system on it."""
    if "os_image" in body:
        return str(body["os_image"])
    if "image_id" in body:
        image = world.images[str(body["image_id"])]
        instance["_image_id"] = str(body["image_id"])
        return str(image["name"])
    volume, now = world.volumes[body["volume_id"]], iso(world.now())
    volume["_attachment"] = {
        "id": world.new_number(),
        "device": "/dev/vda",
        "status": "ATTACHED",
        "created_at": now,
        "boot": True,
    }
    volume.update(
        status="in-use",
        instance_id=instance["instance_id"],
        attached_vm_name=instance["vm_name"],
        attached_vm_status=instance["status"],
        updated_at=now,
    )
    return volume.get("os_image")


# -- what can be wrong


def _problems(world: World, body: Json) -> Problems:
    return {
        **_refused(lambda: checked_name(body, "vm_name")),
        **_refused(lambda: checked_region(body)),
        **_gpu_problems(body),
        **_boot_problems(world, body),
        **_key_problems(world, body),
        **_refused(lambda: checked_flag(body, "assign_public_ip")),
        **_rules_problems(body),
        **_jupyter_problems(body),
        **_start_problems(world, body),
    }


def _refused(check: Callable[[], object]) -> Problems:
    try:
        check()
    except ApiError as refusal:
        return dict(refusal.details or {})
    return {}


def _gpu_problems(body: Json) -> Problems:
    problems: Problems = {}
    name, count = body.get("gpu_model"), body.get("gpu_count")
    gpu = GPU_MODELS.get(name) if isinstance(name, str) else None
    if gpu is None:
        problems["gpu_model"] = "This GPU model is not in the catalog."
    if not isinstance(count, int) or isinstance(count, bool) or count not in stock.GPU_COUNTS:
        problems["gpu_count"] = "Use 1, 2, 4 or 8."
    elif gpu is not None and count > gpu.max_count:
        problems["gpu_count"] = f"This model comes with at most {gpu.max_count} GPUs."
    if "tier" in body and body["tier"] not in TIERS:
        problems["tier"] = "Use legacy or advanced."
    elif gpu is not None and body.get("tier", gpu.tier) != gpu.tier:
        problems["tier"] = f"This GPU model is of the {gpu.tier} tier."
    return problems


def _boot_problems(world: World, body: Json) -> Problems:
    given = [source for source in _BOOT_SOURCES if source in body]
    if len(given) != 1:
        return dict.fromkeys(given or ["os_image"], f"Give exactly one of {', '.join(_BOOT_SOURCES)}.")
    (source,) = given
    check = {"os_image": _os_image_problem, "volume_id": _volume_problem, "image_id": _image_problem}[source]
    problem = check(world, body[source], body.get("region"))
    return {source: problem} if problem else {}


def _os_image_problem(_world: World, name: object, region: object) -> str | None:
    return None if has_os_image(name, region) else "This region has no OS image of this name."


def _volume_problem(world: World, volume_id: object, region: object) -> str | None:
    volume = world.volumes.get(volume_id) if isinstance(volume_id, str) else None
    if volume is None:
        return "The account has no such volume."
    if volume.get("region") != region:
        return "The volume is in another region."
    if not volume.get("bootable") or (volume.get("size_gb") or 0) < _LEAST_BOOT_VOLUME_GB:
        return f"This takes a bootable volume of at least {_LEAST_BOOT_VOLUME_GB} GB."
    if normal(volume.get("status")) != "AVAILABLE" or volume.get("instance_id"):
        return f"The volume is {volume.get('status')}; an available one is needed."
    return None


def _image_problem(world: World, image_id: object, region: object) -> str | None:
    image = world.images.get(str(image_id)) if _is_id(image_id) else None
    if image is None:
        return "The account has no such image."
    if image.get("region") != region:
        return "The image is in another region."
    if normal(image.get("status")) not in RESTORABLE_STATUSES:
        return f"The image is {image.get('status')}; only a complete one can be used."
    return None


def _key_problems(world: World, body: Json) -> Problems:
    names = body.get("ssh_keys")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return {"ssh_keys": "Name at least one SSH key."}
    if len(set(names)) < len(names):
        return {"ssh_keys": "Name each key only once."}
    if not set(names) <= {key.get("name") for key in world.ssh_keys.values()}:
        return {"ssh_keys": "The account does not have all of these keys."}
    return {}


def _rules_problems(body: Json) -> Problems:
    rules = body.get("security_rules", [])
    if not isinstance(rules, list):
        return {"security_rules": "This must be a list of rules."}
    return _numbered((f"security_rules.{number}", rule_problems(rule)) for number, rule in enumerate(rules))


def _numbered(found: Iterable[tuple[str, Problems]]) -> Problems:
    return {f"{place}.{name}": sentence for place, problems in found for name, sentence in problems.items()}


def _jupyter_problems(body: Json) -> Problems:
    problems = _refused(lambda: checked_flag(body, "jupyter_enabled"))
    password = body.get("jupyter_password")
    wanted = "jupyter_password" in body or body.get("jupyter_enabled") is True
    if wanted and not (isinstance(password, str) and len(password) >= _LEAST_PASSWORD):
        problems["jupyter_password"] = f"Use at least {_LEAST_PASSWORD} characters."
    return problems


def _start_problems(world: World, body: Json) -> Problems:
    problems = _refused(lambda: checked_text(body, "cloud_init"))
    cloud_init, script_id = body.get("cloud_init"), body.get("script_id")
    if not problems and cloud_init is not None and len(cloud_init.encode()) > _MOST_CLOUD_INIT_BYTES:
        problems["cloud_init"] = f"Use at most {_MOST_CLOUD_INIT_BYTES} bytes."
    if script_id is not None and not (_is_id(script_id) and str(script_id) in world.scripts):
        problems["script_id"] = "The account has no such script."
    return problems


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


ROUTES = (Route("create_instance", "POST", "/instances", create_instance),)
