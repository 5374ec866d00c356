"""Every kind of object that the API answers with: a whole one as it is on the wire, and what is to become of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from barrack_web.client import (
    Accepted,
    AIModel,
    AITransaction,
    AIUsage,
    AttachedFirewall,
    Balance,
    BillingRecord,
    BillingSummary,
    ChatAnswer,
    ChatMessage,
    Deployment,
    Firewall,
    FirewallAccepted,
    FirewallAttachment,
    FirewallRule,
    FirewallVM,
    GPUSpec,
    GPUStock,
    HibernatedCount,
    HibernationBilling,
    Image,
    ImageCreated,
    ImageDeleted,
    Instance,
    InstanceAccepted,
    InstanceBilling,
    OSImage,
    Protocol,
    PublicIPToggled,
    RecentHibernation,
    Region,
    RestoreAccepted,
    RuleAdded,
    RuleRemoved,
    Script,
    ScriptSaved,
    ScriptsDeleted,
    Snapshot,
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotImages,
    Specs,
    SSHKey,
    SSHKeyCreated,
    SSHKeyDeleted,
    TokenUsage,
    UserInstance,
    VMFlavor,
    VMImage,
    VMSecurityRule,
    VMVolumeAttachment,
    Volume,
    VolumeAccepted,
    VolumeDeleted,
    VolumesMoved,
)
from barrack_web.client.assistant import ChatChoice, ChatChunk, ChatChunkChoice, ChatDelta
from barrack_web.client.firewalls import FirewallEnvironment
from barrack_web.client.paging import Pagination
from barrack_web.client.volumes import NextName

Row = dict[str, Any]

NOON, LATER = "2025-01-15T12:00:00Z", "2025-01-16T12:00:00+01:00"
NOON_UTC, LATER_UTC = datetime(2025, 1, 15, 12, tzinfo=UTC), datetime(2025, 1, 16, 11, tzinfo=UTC)

_RULE: Row = {
    "id": 12,
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "203.0.113.0/24",
    "port_range_min": 22,
    "port_range_max": 23,
    "status": "ACTIVE",
    "created_at": NOON,
}
_RULE_PARTS = ("12", "ingress", "tcp", "IPv4", "203.0.113.0/24", 22, 23, "ACTIVE", NOON_UTC)
_USER_INSTANCE: Row = {
    "instance_id": "BRK-1D",
    "vm_name": "trainer",
    "status": "ACTIVE",
    "region": "NORWAY-1",
    "gpu_type": "L40",
    "gpu_count": 4,
    "tier": "legacy",
    "private_ip": "10.0.0.5",
    "public_ip": "203.0.113.9",
    "server_uuid": "0e1f2d3c",
    "created_at": NOON,
}
_USER_INSTANCE_PARTS = (
    *("BRK-1D", "trainer", "ACTIVE", "NORWAY-1", "L40", 4, "legacy", "10.0.0.5", "203.0.113.9", "0e1f2d3c"),
    NOON_UTC,
)
_SAID: Row = {"message": "Operation completed", "request_id": "a1b2c3d4"}
_SAID_PARTS = ("Operation completed", "a1b2c3d4")
_BILLING: Row = {
    "billing_id": "BRK-1DB",
    "start_time": "2025-01-15T12:00:00",
    "end_time": LATER,
    "total_duration_minutes": 7200,
    "per_minute_rate": 0.166,
    "total_cost": 1195.2,
    "currency": "USD",
    "instance_id": "BRK-1D",
    "vm_name": "trainer",
    "gpu_type": "L40",
    "gpu_count": 4,
    "snapshot_id": "BRK-1S",
    "snapshot_name": "nightly",
    "volume_id": "BRK-1V",
    "volume_name": "data",
    "size_gb": 250,
    "tier": "Advanced",
    "status": "active",
    "description": "d",
}
_VOLUME: Row = {
    "volume_id": "BRK-1V",
    "volume_name": "data",
    "size_gb": 1000,
    "region": "CANADA-1",
    "status": "in-use",
    "bootable": True,
    "description": "d",
    "volume_type": "SSD",
    "os_image": "Ubuntu Server 22.04",
    "instance_id": "BRK-1D",
    "attached_vm_name": "trainer",
    "attached_vm_status": "ACTIVE",
    "tier": "legacy",
    "created_at": NOON,
    "updated_at": LATER,
}
_SNAPSHOT: Row = {
    "snapshot_id": "BRK-1S",
    "snapshot_name": "nightly",
    "status": "SUCCESS",
    "region": "CANADA-1",
    "created_at": NOON,
    "description": "d",
    "size_gb": 99.5,
    "instance_id": "BRK-1D",
    "vm_name": "trainer",
    "is_image": False,
    "tier": "legacy",
    "cpu": 28,
    "ram": 58.5,
    "gpu_type": "L40",
    "gpu_count": 1,
    "disk": 100,
    "updated_at": LATER,
}
_IMAGE: Row = {
    "image_id": 501,
    "name": "golden",
    "region": "US-1",
    "description": "d",
    "size_gb": 42,
    "status": "Available",
    "snapshot_id": "BRK-1S",
    "created_at": NOON,
}
_FLAVOR: Row = {
    "id": 7,
    "name": "n3-L40x4",
    "cpu": 112,
    "ram": 720.5,
    "disk": 100,
    "ephemeral": 6500,
    "gpu": "L40",
    "gpu_count": 4,
}
_ATTACHED: Row = {
    "id": 3,
    "volume_id": "BRK-1V",
    "volume_name": "data",
    "size_gb": 1000,
    "bootable": False,
    "device": "/dev/vdb",
    "status": "ATTACHED",
    "created_at": NOON,
}
_COST: Row = {"currency": "USD", "price_per_hour": 9.96, "per_minute_rate": 0.166, "status": "active"}
_ON: Row = {
    "instance_id": "BRK-1D",
    "name": "trainer",
    "status": "ACTIVE",
    "flavor": "n3-L40x4",
    "environment": "default",
    "created_at": NOON,
}
_ATTACHMENT: Row = {"vm": _ON, "status": "SUCCESS", "id": 5, "created_at": NOON}
_FIREWALL: Row = {
    "id": 31,
    "name": "web",
    "status": "SUCCESS",
    "description": "d",
    "environment": {"region": "CANADA-1", "id": 2, "name": "default-CANADA-1"},
    "region": "CANADA-1",
    "rules": [_RULE],
    "attachments": [_ATTACHMENT],
    "created_at": NOON,
}
_KEY: Row = {
    "name": "laptop",
    "id": 88,
    "fingerprint": "SHA256:x",
    "public_key": "ssh-ed25519 AAAA a@b",
    "regions": ["CANADA-1", "US-1"],
    "created_at": NOON,
}
_SCRIPT: Row = {
    "script_id": 12,
    "name": "setup",
    "content": "#!/bin/bash\n",
    "description": "d",
    "created_at": NOON,
    "updated_at": LATER,
}
_HIBERNATION: Row = {"instance_id": "BRK-1D", "vm_name": "trainer", "hibernated_at": NOON, "region": "US-1"}
_METRICS: Row = {"rate_per_hour": 0.01, "currency": "USD", "total_duration_minutes": 90, "total_cost": 0.015}
_SPECS: Row = {"cpu": 28, "ram": 58.5, "disk": 100, "ephemeral": 725, "gpu_memory_gb": 48}
_TOKENS: Row = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
_CHOICE: Row = {"message": {"role": "assistant", "content": "Hello"}, "index": 0, "finish_reason": "stop"}
_DELTA: Row = {"delta": {"content": "Hel", "role": "assistant"}, "index": 0, "finish_reason": "length"}

_rule, _vm_rule = FirewallRule(*_RULE_PARTS), VMSecurityRule(*_RULE_PARTS)
_record = BillingRecord(
    *("BRK-1DB", NOON_UTC, 7200, Decimal("0.166"), Decimal("1195.2"), "USD", LATER_UTC, "BRK-1D", "trainer", "L40", 4),
    *("BRK-1S", "nightly", "BRK-1V", "data", Decimal(250), "Advanced", "active", "d"),
)
_volume = Volume(
    *("BRK-1V", "data", Decimal(1000), "CANADA-1", "in-use", True, "d", "SSD", "Ubuntu Server 22.04", "BRK-1D"),
    *("trainer", "ACTIVE", "legacy", NOON_UTC, LATER_UTC),
)
_snapshot = Snapshot(
    *("BRK-1S", "nightly", "SUCCESS", "CANADA-1", NOON_UTC, "d", Decimal("99.5"), "BRK-1D", "trainer", False),
    *("legacy", 28, Decimal("58.5"), "L40", 1, 100, LATER_UTC),
)
_image = Image("501", "golden", "US-1", "d", Decimal(42), "Available", "BRK-1S", NOON_UTC)
_flavor = VMFlavor("7", "n3-L40x4", 112, Decimal("720.5"), 100, 6500, "L40", 4)
_attached = VMVolumeAttachment("3", "BRK-1V", "data", Decimal(1000), False, "/dev/vdb", "ATTACHED", NOON_UTC)
_cost = InstanceBilling("USD", Decimal("9.96"), Decimal("0.166"), "active")
_on = FirewallVM("BRK-1D", "trainer", "ACTIVE", "n3-L40x4", "default", NOON_UTC)
_attachment = FirewallAttachment(_on, "SUCCESS", "5", NOON_UTC)
_environment = FirewallEnvironment("CANADA-1", "2", "default-CANADA-1")
_firewall = Firewall("31", "web", "SUCCESS", "d", _environment, "CANADA-1", (_rule,), (_attachment,), NOON_UTC)
_key = SSHKey("laptop", "88", "SHA256:x", "ssh-ed25519 AAAA a@b", ("CANADA-1", "US-1"), NOON_UTC)
_script = Script("12", "setup", "#!/bin/bash\n", "d", NOON_UTC, LATER_UTC)
_hibernation = RecentHibernation("BRK-1D", "trainer", NOON_UTC, "US-1")
_metrics = HibernationBilling(Decimal("0.01"), "USD", 90, Decimal("0.015"))
_specs = Specs(28, Decimal("58.5"), 100, 725, 48)
_tokens = TokenUsage(12, 5, 17)

# The struct that is to be read, and the object that it is read from, with all of its fields.
SHAPES: list[tuple[msgspec.Struct, Row]] = [
    (_volume, _VOLUME),
    (NextName("volume4"), {"next_name": "volume4"}),
    (_firewall, _FIREWALL),
    (_environment, _FIREWALL["environment"]),
    (_attachment, _ATTACHMENT),
    (_on, _ON),
    (_rule, _RULE),
    (_vm_rule, _RULE),
    (AttachedFirewall("31", "web", "SUCCESS", (_rule,)), {"firewall_id": 31, **_FIREWALL}),
    (Protocol("tcp", True), {"name": "tcp", "supports_ports": True}),
    (_key, _KEY),
    (_script, _SCRIPT),
    (_snapshot, _SNAPSHOT),
    (_image, _IMAGE),
    (SnapshotImages("BRK-1S", True, [_image]), {"snapshot_id": "BRK-1S", "has_image": True, "images": [_IMAGE]}),
    (
        Instance(*_USER_INSTANCE_PARTS, _flavor, VMImage("U"), ("k",), (_vm_rule,), (_attached,), _cost, "RUNNING"),
        _USER_INSTANCE
        | {"flavor": _FLAVOR, "image": {"name": "U"}, "ssh_keys": ["k"], "security_rules": [_RULE]}
        | {"volumes": [_ATTACHED], "billing": _COST, "power_state": "RUNNING"},
    ),
    (UserInstance(*_USER_INSTANCE_PARTS), _USER_INSTANCE),
    (_flavor, _FLAVOR),
    (VMImage("U"), {"name": "U"}),
    (_attached, _ATTACHED),
    (_cost, _COST),
    (_hibernation, _HIBERNATION),
    (_metrics, _METRICS),
    (
        HibernatedCount(1, (_hibernation,), _metrics),
        {"count": 1, "recent_hibernations": [_HIBERNATION], "billing_metrics": _METRICS},
    ),
    (
        Region("US-1", "2", "Texas", "d", "GREEN"),
        {"name": "US-1", "id": 2, "location": "Texas", "description": "d", "green_status": "GREEN"},
    ),
    (
        GPUStock("US-1", "L40", "12", {"1x": 12, "8x": None}, "5", "10", "50", "legacy"),
        {"region": "US-1", "model": "L40", "available": 12, "configurations": {"1x": 12, "8x": None}, "tier": "legacy"}
        | {"planned_7_days": "5", "planned_30_days": "10", "planned_100_days": "50"},
    ),
    (
        GPUSpec("L40", 1, _specs, "legacy", "US-1", {"USD": Decimal("1.19"), "INR": Decimal(99)}),
        {"gpu_model": "L40", "gpu_count": 1, "specs": _SPECS, "tier": "legacy", "region": "US-1"}
        | {"price": {"USD": 1.19, "INR": 99}},
    ),
    (_specs, _SPECS),
    (
        OSImage("Ubuntu", "US-1", "9", "Ubuntu", "22.04", 3_000_000_000, "2.8 GB", True, "legacy"),
        {"name": "Ubuntu", "region": "US-1", "id": 9, "type": "Ubuntu", "version": "22.04", "tier": "legacy"}
        | {"size_bytes": 3_000_000_000, "display_size": "2.8 GB", "is_public": True},
    ),
    (Balance("USD", Decimal("125.5")), {"currency": "USD", "amount": 125.5}),
    (_record, _BILLING),
    (
        BillingSummary(19110, 3, 12, 1, Decimal("1124.12"), Decimal(250), Decimal("1810.95")),
        {"totalMinutes": 19110, "activeCount": 3, "completedCount": 12, "hibernatedCount": 1}
        | {"averageUsage": 1124.12, "totalSizeGB": 250, "totalCost": 1810.95},
    ),
    (Pagination(3, 41, 20), {"total_pages": 3, "total": 41, "limit": 20}),
    (AIModel("llama", "Llama"), {"id": "llama", "name": "Llama"}),
    (
        AIUsage(3, 51, Decimal("0.0004"), "USD"),
        {"total_requests": 3, "total_tokens": 51, "total_cost": 0.0004, "currency": "USD"},
    ),
    (
        AITransaction("9", "llama", 12, 5, Decimal("0.0004"), "USD", NOON_UTC),
        {"id": 9, "model": "llama", "prompt_tokens": 12, "completion_tokens": 5, "cost": 0.0004, "currency": "USD"}
        | {"created_at": NOON},
    ),
    (
        ChatAnswer((ChatChoice(ChatMessage("assistant", "Hello"), 0, "stop"),), "7", "llama", _tokens),
        {"choices": [_CHOICE], "id": 7, "model": "llama", "usage": _TOKENS},
    ),
    (ChatChoice(ChatMessage("assistant", "Hello"), 0, "stop"), _CHOICE),
    (ChatMessage("assistant", "Hello"), {"role": "assistant", "content": "Hello"}),
    (_tokens, _TOKENS),
    (
        ChatChunk((ChatChunkChoice(ChatDelta("Hel", "assistant"), 0, "length"),), _tokens),
        {"choices": [_DELTA], "usage": _TOKENS},
    ),
    (ChatChunkChoice(ChatDelta("Hel", "assistant"), 0, "length"), _DELTA),
    (ChatDelta("Hel", "assistant"), {"content": "Hel", "role": "assistant"}),
    (Accepted(*_SAID_PARTS), _SAID),
    (VolumeAccepted(*_SAID_PARTS, _volume, "legacy"), _SAID | {"volume": _VOLUME, "tier": "legacy"}),
    (VolumeDeleted(*_SAID_PARTS, "BRK-1V", "legacy"), _SAID | {"volume_id": "BRK-1V", "tier": "legacy"}),
    (
        VolumesMoved(*_SAID_PARTS, "BRK-1D", (_attached,), "legacy"),
        _SAID | {"instance_id": "BRK-1D", "volume_attachments": [_ATTACHED], "tier": "legacy"},
    ),
    (
        FirewallAccepted(*_SAID_PARTS, "31", "12", _firewall, _rule, (_attachment,)),
        _SAID | {"firewall_id": 31, "rule_id": 12, "firewall": _FIREWALL, "rule": _RULE, "attachments": [_ATTACHMENT]},
    ),
    (SSHKeyCreated(*_SAID_PARTS, _key, "-----BEGIN"), _SAID | {"ssh_key": _KEY, "private_key": "-----BEGIN"}),
    (SSHKeyDeleted(*_SAID_PARTS), _SAID),
    (ScriptSaved(*_SAID_PARTS, _script), _SAID | {"script": _SCRIPT}),
    (ScriptsDeleted(*_SAID_PARTS), _SAID),
    (
        SnapshotCreated(*_SAID_PARTS, "BRK-1S", _snapshot, "legacy"),
        _SAID | {"snapshot_id": "BRK-1S", "snapshot": _SNAPSHOT, "tier": "legacy"},
    ),
    (SnapshotDeleted(*_SAID_PARTS, "BRK-1S", "legacy"), _SAID | {"snapshot_id": "BRK-1S", "tier": "legacy"}),
    (
        RestoreAccepted(*_SAID_PARTS, "BRK-2D", "back", "BRK-1S", "legacy"),
        _SAID | {"instance_id": "BRK-2D", "vm_name": "back", "snapshot_id": "BRK-1S", "tier": "legacy"},
    ),
    (ImageCreated(*_SAID_PARTS, "501", _image), _SAID | {"image_id": 501, "image": _IMAGE}),
    (ImageDeleted(*_SAID_PARTS, "501"), _SAID | {"image_id": 501}),
    (
        InstanceAccepted(*_SAID_PARTS, "BRK-1D", "STARTING", "legacy"),
        _SAID | {"instance_id": "BRK-1D", "status": "STARTING", "tier": "legacy"},
    ),
    (
        PublicIPToggled(*_SAID_PARTS, "BRK-1D", "ACTIVE", "legacy", "203.0.113.9"),
        _SAID | {"instance_id": "BRK-1D", "status": "ACTIVE", "tier": "legacy", "public_ip": "203.0.113.9"},
    ),
    (
        RuleAdded(*_SAID_PARTS, "BRK-1D", "12", _vm_rule),
        _SAID | {"instance_id": "BRK-1D", "rule_id": 12, "security_rule": _RULE},
    ),
    (
        RuleRemoved(*_SAID_PARTS, "BRK-1D", "12", "legacy"),
        _SAID | {"instance_id": "BRK-1D", "rule_id": 12, "tier": "legacy"},
    ),
    (
        Deployment(*_SAID_PARTS, "BRK-1D", "DEP1", "BUILD", "legacy"),
        _SAID | {"instance_id": "BRK-1D", "deployment_id": "DEP1", "status": "BUILD", "tier": "legacy"},
    ),
]
ROWS = {type(struct).__name__: row for struct, row in SHAPES}
STRUCT_OF = {type(struct).__name__: struct for struct, _ in SHAPES}
