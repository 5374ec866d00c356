"""Ten thousand random actions, legal and illegal, on one account: no rule is ever broken, and the money adds up.

The rules are the test's own copy of what the documentation says; nothing is asked of the sandbox but its answers and
its records.
"""

import json
from collections import Counter
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from barrack_web.sandbox import world
from barrack_web.sandbox.server import Sandbox

pytestmark = pytest.mark.slow

PARTS, ACTIONS_EACH = 4, 2_500
# An account with something of everything, so that most actions find what they are about.
FULL = {"instances": 6, "snapshots": 4, "images": 2, "volumes": 4, "firewalls": 3, "ssh_keys": 2, "scripts": 1}

STATES = {
    "ACTIVE", "SHUTOFF", "HIBERNATED", "DELETED", "ERROR", "CREATING", "BUILD", "STARTING", "STOPPING", "HIBERNATING",
    "RESTORING", "REBOOTING", "DELETING",
}  # fmt: skip
# Action → the states it is allowed in, and the state that follows.
ACTIONS = {
    "start": ({"SHUTOFF"}, "STARTING"),
    "stop": ({"ACTIVE"}, "STOPPING"),
    "reboot": ({"ACTIVE"}, "REBOOTING"),
    "hibernate": ({"ACTIVE", "SHUTOFF"}, "HIBERNATING"),
    "restore": ({"HIBERNATED"}, "RESTORING"),
    "delete": ({"ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR"}, "DELETING"),
}
REGIONS = ("CANADA-1", "NORWAY-1", "US-1")
MODELS = ("L40", "RTX-A6000", "H100-SXM5-80GB", "B300-262GB")
UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
MOST = 25

picks = st.integers(0, 10_000)
names = st.sampled_from([f"n{number}" for number in range(12)])
regions = st.sampled_from(REGIONS)


class Account(RuleBasedStateMachine):
    """One account with little stock and little credit, so that both run out."""

    actions = 0

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox(seed=FULL, speed=0)
        self.world = self.sandbox.world
        self.world.stock.update({(region, model): 6 for region in REGIONS for model in MODELS})
        self.gpus_at_first = Counter(self.world.stock) + self.held()
        self.billed_at_first = self.billed()
        self.paid_in = Decimal(0)
        self.asleep: set[str] = set()
        self.steps = 0

    @initialize(credit=st.sampled_from(["0.50", "40", "4000"]))
    def open_the_account(self, credit: str) -> None:
        self.paid_in = self.world.balances["USD"] = Decimal(credit)
        self.call("POST", "/ssh-keys", {"name": "key", "public_key": f"ssh-ed25519 {ED25519} me"}, allowed={200})

    def call(self, method: str, path: str, body: object = None, *, allowed: set[int]) -> dict[str, Any]:
        """One call, which must end in one of these statuses. Returns the answer, empty unless it succeeded."""
        sent = b"" if body is None else json.dumps(body).encode()
        reply = self.sandbox.receive(method, path, {"x-api-key": self.sandbox.key}, sent).reply()
        answer: dict[str, Any] = json.loads(reply.body)
        type(self).actions += 1
        assert reply.status in allowed, f"{method} {path} {body}: {reply.status} {answer}"
        assert answer.get("success", True) is (reply.status < 300)
        return answer if reply.status < 300 else {}

    def pick(self, records: dict[str, Any], pick: int) -> str:
        """An id, now and then one that does not exist."""
        ids = sorted(records)
        return ids[pick % len(ids)] if ids and pick % 17 else "BRK-0"

    def nearby(self, record: dict[str, Any], pick: int) -> dict[str, Any]:
        """Mostly the instances of a record's region, running ones if there are any; sometimes all."""
        instances = self.world.instances
        near = {key: vm for key, vm in instances.items() if vm["region"] == record.get("region")}
        active = {key: vm for key, vm in near.items() if vm["status"] == "ACTIVE"}
        return (active or near) if pick % 5 else instances

    # -- instances

    @rule(name=names, region=regions, model=st.sampled_from(MODELS), count=st.sampled_from([1, 2, 4, 8]), pick=picks)
    def deploy(self, name: str, region: str, model: str, count: int, pick: int) -> None:
        body: dict[str, Any] = {
            "vm_name": name,
            "region": region,
            "gpu_model": model,
            "gpu_count": count,
            "ssh_keys": ["key"],
            "assign_public_ip": bool(pick % 2),
        }
        source = ("os_image", "volume_id", "image_id")[pick % 3]
        volumes = {key: volume for key, volume in self.world.volumes.items() if volume["bootable"]}
        body[source] = {
            "os_image": UBUNTU,
            "volume_id": self.pick(volumes, pick),
            "image_id": self.pick(self.world.images, pick),
        }[source]
        free = self.world.stock[region, model]
        taken = self.live_names("instances", "vm_name")
        made = self.call("POST", "/instances", body, allowed={200, 402, 404, 409, 422, 503})
        if made:
            assert name not in taken
            assert free >= count
            assert self.world.stock[region, model] == free - count

    @rule(action=st.sampled_from(sorted(ACTIONS)), pick=picks)
    def act(self, action: str, pick: int) -> None:
        key = self.pick(self.world.instances, pick)
        before = self.world.instances.get(key, {}).get("status")
        legal, follows = ACTIONS[action]
        method, path = ("DELETE", "") if action == "delete" else ("POST", f"/{action}")
        refusals = {402, 503} if action == "restore" else set()
        allowed = {404} if before is None else {200} | refusals if before in legal else {409}
        done = self.call(method, f"/instances/{key}{path}", allowed=allowed)
        if done:
            assert done["status"] == self.world.instances[key]["status"] == follows
            if action == "delete" and before == "HIBERNATED":
                self.asleep.add(key)

    @rule(pick=picks)
    def toggle_public_ip(self, pick: int) -> None:
        key = self.pick(self.world.instances, pick)
        record = self.world.instances.get(key, {})
        had, active = record.get("public_ip"), record.get("status") == "ACTIVE"
        done = self.call("POST", f"/instances/{key}/toggle-public-ip", allowed={200, 402} if active else {404, 409})
        if done:
            assert bool(done["public_ip"]) is not bool(had)

    # -- snapshots and images

    @rule(name=names, pick=picks)
    def snapshot(self, name: str, pick: int) -> None:
        key = self.pick(self.world.instances, pick)
        body = {"instance_id": key, "name": name, "description": "", "create_as_image": pick % 4 == 0}
        made = self.call("POST", "/snapshots", body, allowed={201, 402, 404, 409})
        if made:
            assert self.world.instances[key]["status"] == "ACTIVE"

    @rule(name=names, pick=picks)
    def restore_snapshot(self, name: str, pick: int) -> None:
        key = self.pick(self.world.snapshots, pick)
        complete = self.world.snapshots.get(key, {}).get("status") == "SUCCESS"
        taken = self.live_names("instances", "vm_name")
        path = f"/snapshots/{key}/restore"
        if self.call("POST", path, {"new_vm_name": name}, allowed={200, 402, 404, 409, 503}):
            assert complete
            assert name not in taken

    @rule(kind=st.sampled_from(["snapshots", "images", "volumes", "firewalls"]), pick=picks)
    def delete_one(self, kind: str, pick: int) -> None:
        records = getattr(self.world, kind)
        key = self.pick(records, pick)
        record = dict(records.get(key, {}))
        if self.call("DELETE", f"/{kind}/{key}", allowed={200, 404, 409}):
            assert not record.get("attachments")
            assert kind != "volumes" or record["status"] in {"available", "error"}

    @rule(name=names, pick=picks)
    def image(self, name: str, pick: int) -> None:
        body = {"snapshot_id": self.pick(self.world.snapshots, pick), "name": name}
        self.call("POST", "/images", body, allowed={200, 402, 404, 409})

    # -- volumes

    @rule(name=names, region=regions, size=st.sampled_from([9, 10, 99, 100, 1_048_576, 1_048_577]), pick=picks)
    def create_volume(self, name: str, region: str, size: int, pick: int) -> None:
        bootable = pick % 2 == 0
        body: dict[str, Any] = {"name": name, "region": region, "size_gb": size, "bootable": bootable}
        if bootable:
            body["os_image"] = UBUNTU
        before = self.world.balance()
        if self.call("POST", "/volumes", body, allowed={200, 402, 409, 422}):
            assert (100 if bootable else 10) <= size <= 1_048_576
            assert before >= 1

    @rule(move=st.sampled_from(["attach", "detach"]), pick=picks, other=picks)
    def move_volume(self, move: str, pick: int, other: int) -> None:
        volume = self.pick(self.world.volumes, other)
        instance = self.pick(self.nearby(self.world.volumes.get(volume, {}), pick), pick)
        before = dict(self.world.volumes.get(volume, {}))
        body = {"volume_ids": [volume]}
        if self.call("POST", f"/instances/{instance}/{move}-volumes", body, allowed={200, 404, 409, 422}):
            vm = self.world.instances[instance]
            assert vm["status"] == "ACTIVE"
            assert vm["region"] == before["region"]
            assert (before["instance_id"] is None) if move == "attach" else (before["instance_id"] == instance)

    @rule(pick=picks, grow=st.integers(-50, 5000))
    def resize_volume(self, pick: int, grow: int) -> None:
        key = self.pick(self.world.volumes, pick)
        size = self.world.volumes.get(key, {}).get("size_gb", 10)
        path, body = f"/volumes/{key}/resize", {"size_gb": size + grow}
        if self.call("POST", path, body, allowed={200, 402, 404, 409, 422}):
            assert grow > 0
            assert self.world.volumes[key]["size_gb"] == size + grow

    @rule(pick=picks, name=names)
    def clone_volume(self, pick: int, name: str) -> None:
        key = self.pick(self.world.volumes, pick)
        self.call("POST", f"/volumes/{key}/clone", {"name": name}, allowed={200, 402, 404, 409})

    # -- firewalls

    @rule(name=names, region=regions)
    def create_firewall(self, name: str, region: str) -> None:
        self.call("POST", "/firewalls", {"name": name, "region": region}, allowed={200, 409})

    @rule(pick=picks, others=st.lists(picks, min_size=1, max_size=2) | st.just([]))
    def attach_firewall(self, pick: int, others: list[int]) -> None:
        firewall = self.pick(self.world.firewalls, pick)
        near = self.nearby(self.world.firewalls.get(firewall, {}), pick)
        wanted = sorted({self.pick(near, other) for other in others})
        path, body = f"/firewalls/{firewall}/attachments", {"instance_ids": wanted}
        if self.call("POST", path, body, allowed={200, 404, 409, 422}):
            attached = [item["vm"]["instance_id"] for item in self.world.firewalls[firewall]["attachments"]]
            assert sorted(attached) == wanted

    @rule(pick=picks)
    def delete_an_instance_that_something_is_attached_to(self, pick: int) -> None:
        owners = {volume["instance_id"] for volume in self.world.volumes.values()} - {None}
        for firewall in self.world.firewalls.values():
            owners |= {item["vm"]["instance_id"] for item in firewall["attachments"]}
        if owners:
            key = self.pick(dict.fromkeys(owners), pick)
            self.call("DELETE", f"/instances/{key}", allowed={200, 404, 409})
            self.world.advance(60)

    # -- time and money

    @rule(seconds=st.sampled_from([1, 20, 59, 61, 200, 3600, 86_400, 30 * 86_400]))
    def pass_time(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule(credit=st.sampled_from(["5", "500"]))
    def buy_credit(self, credit: str) -> None:
        self.world.balances["USD"] += Decimal(credit)
        self.paid_in += Decimal(credit)

    @rule(credit=st.just("1"))
    def chat(self, credit: str) -> None:
        self.buy_credit(credit)
        body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "How do I save money?"}]}
        self.call("POST", "/ai/chat/completions", body, allowed={200, 402})

    @invariant()
    def changes_come_to_their_end_half_of_the_time(self) -> None:
        self.steps += 1
        if self.steps % 2:
            self.world.advance(130)

    # -- what always holds

    def billed(self) -> Decimal:
        """What all billing records and all uses of the assistant come to."""
        periods = [period for kind in ("instances", "snapshots", "volumes") for period in self.world.periods(kind)]
        return sum((period.cost for period in periods), Decimal(0)) + sum(use["cost"] for use in self.world.usage)

    def held(self) -> Counter[tuple[str, str]]:
        """The GPUs that instances hold: all but sleeping and deleted ones."""
        held: Counter[tuple[str, str]] = Counter()
        for key, vm in self.world.instances.items():
            sleeping = vm["status"] in {"HIBERNATED", "DELETED"} or (vm["status"] == "DELETING" and key in self.asleep)
            if not sleeping:
                held[vm["region"], vm["gpu_type"]] += vm["gpu_count"]
        return held

    def live_names(self, kind: str, field: str) -> list[str]:
        return [record[field] for record in getattr(self.world, kind).values() if record["status"] != "DELETED"]

    @invariant()
    def the_money_adds_up(self) -> None:
        assert self.paid_in - self.world.balance() == self.billed() - self.billed_at_first

    @invariant()
    def every_gpu_is_free_or_in_use(self) -> None:
        assert all(free >= 0 for free in self.world.stock.values())
        assert Counter(self.world.stock) + self.held() == self.gpus_at_first

    @invariant()
    def states_names_and_limits_hold(self) -> None:
        assert {vm["status"] for vm in self.world.instances.values()} <= STATES
        for kind, field in (("instances", "vm_name"), ("snapshots", "snapshot_name"), ("images", "name")):
            used = Counter(self.live_names(kind, field))
            assert all(count == 1 for count in used.values()), (kind, used)
        for kind, field in (("volumes", "volume_name"), ("firewalls", "name")):
            used = Counter(record[field] for record in getattr(self.world, kind).values())
            assert all(count == 1 for count in used.values()), (kind, used)
        assert len(self.world.firewalls) <= MOST
        assert len(self.world.ssh_keys) <= MOST

    @invariant()
    def attachments_hold(self) -> None:
        alive = {key: vm for key, vm in self.world.instances.items() if vm["status"] != "DELETED"}
        for volume in self.world.volumes.values():
            owner = volume["instance_id"]
            assert owner is None or alive[owner]["region"] == volume["region"]
            assert (owner is not None) == (volume["status"] in {"in-use", "attaching", "detaching"}), volume
        for firewall in self.world.firewalls.values():
            attached = [item["vm"]["instance_id"] for item in firewall["attachments"]]
            assert len(set(attached)) == len(attached)
            assert all(alive[key]["region"] == firewall["region"] for key in attached)

    @invariant()
    def nothing_runs_on_empty_credit(self) -> None:
        # Credit that was gone for a whole minute has put everything at the full rate to sleep.
        if self.world.balance() <= 0:
            running = [vm for vm in self.world.instances.values() if vm["status"] in {"ACTIVE", "SHUTOFF"}]
            self.world.advance(61)
            assert all(vm["status"] not in {"ACTIVE", "SHUTOFF"} for vm in running)


ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIJ8y0p0nq0Y5mWg3a9Xq1n4m0lqZz3m0S1l2b3c4d5e6"
CHAT_MODEL = "llama-3.1-70b"


class Standing(datetime):
    """The wall clock, standing still: only the account's own `pass_time` moves its world."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Standing":
        return cls(2026, 1, 5, 12, 0, tzinfo=tz)


@pytest.mark.parametrize("part", range(PARTS))
def test_it_breaks_no_rule_in_ten_thousand_random_actions(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "datetime", Standing)
    # In parts, so that they can run beside each other; hypothesis seeds each from its class.
    chosen = settings(
        max_examples=25,
        stateful_step_count=100,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    account = type(f"Account{part}", (Account,), {"actions": 0})
    while account.actions < ACTIONS_EACH:
        run_state_machine_as_test(account, settings=chosen)
