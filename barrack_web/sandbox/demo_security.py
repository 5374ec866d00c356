"""What guards the demo account: its firewalls, SSH keys and startup scripts, and what its assistant was asked.

Also made-up ones by number for seeds that count.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from barrack_web.sandbox.meter import Record
from barrack_web.sandbox.routes import assistant, firewalls, scripts, ssh_keys
from barrack_web.sandbox.world import World, iso

_ANYWHERE, _OFFICE, _INTERNAL = "0.0.0.0/0", "203.0.113.0/24", "10.0.0.0/8"


class DemoRule(NamedTuple):
    """A rule of the demo; without ports for icmp."""

    protocol: str
    prefix: str
    port: int | None = None
    last_port: int | None = None
    direction: str = "ingress"


class DemoFirewall(NamedTuple):
    """A firewall of the demo. With `attachment_statuses`, those of its instances in this order; otherwise SUCCESS."""

    id: int
    name: str
    region: str
    age_hours: int
    rules: tuple[DemoRule, ...] = ()
    vm_ids: tuple[str, ...] = ()
    description: str | None = None
    status: str = "SUCCESS"
    attachment_statuses: tuple[str, ...] = ()


class DemoKey(NamedTuple):
    """A key of the demo. Its private half was thrown away."""

    id: int
    name: str
    age_hours: int
    public_key: str


class DemoScript(NamedTuple):
    """A startup script of the demo."""

    id: int
    name: str
    age_hours: int
    content: str
    description: str | None = None


FIREWALLS = (
    DemoFirewall(
        31, "web-firewall", "CANADA-1", 410,
        (DemoRule("tcp", _ANYWHERE, 80), DemoRule("tcp", _ANYWHERE, 443), DemoRule("icmp", _ANYWHERE)),
        ("BRK-123489D", "BRK-123502D"), "Web and ping for everybody.",
    ),
    DemoFirewall(
        32, "jupyter-office", "CANADA-1", 405,
        (DemoRule("tcp", _OFFICE, 8888), DemoRule("tcp", _OFFICE, 22)),
        ("BRK-123456D",), "Notebooks and SSH from the office only.",
    ),
    DemoFirewall(
        33, "llama-lab", "NORWAY-1", 63,
        (DemoRule("tcp", "2001:db8::/32", 22), DemoRule("tcp", _ANYWHERE, 443, direction="egress")),
        ("BRK-123471D",),
    ),
    DemoFirewall(
        34, "ssh-from-anywhere", "US-1", 98,
        (DemoRule("tcp", _ANYWHERE, 22),),
        description="For the workshop. Narrow this down before it is used again.",
    ),
    DemoFirewall(35, "staging", "CANADA-1", 30),
    DemoFirewall(
        36, "database-internal", "NORWAY-1", 900,
        (DemoRule("tcp", _INTERNAL, 3306), DemoRule("tcp", _INTERNAL, 5432)),
    ),
    DemoFirewall(37, "vpn", "US-1", 36, (DemoRule("udp", _OFFICE, 51820, 51829),), status="ERROR"),
    DemoFirewall(38, "gpu-mesh", "NORWAY-1", 0, (DemoRule("tcp", _INTERNAL, 29500),), status="CREATING"),
    DemoFirewall(
        39, "debug-everything", "CANADA-1", 5,
        (DemoRule("tcp", _ANYWHERE, 1, 65535),),
        ("BRK-123456D", "BRK-123489D", "BRK-123502D"), "Open to everybody on all ports. Only for an hour.",
        attachment_statuses=("SUCCESS", "ATTACHING", "ERROR"),
    ),
)  # fmt: skip

KEYS = (
    DemoKey(11, "team-laptop", 1500, (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGWfzqM/6+r2uh3cYe/YVP5NIHjCFxd45sxNxtbQHDYM ml@example.com"
    )),
    DemoKey(12, "ci-runner", 1400, (
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCdYqfj43aBFBiqyRtV1OCDXGHNjEhwzhwnRAWwKbECPtwhQnmz9VXVtSXp"
        "cmG2pBWbupqu+57fkHyaEW9BnqRmCe8Zi6ZP0Ea+rzmY9cXq6h5yJrcyocbs7k473mybZdQveFyRg8Pn0JhCiGRNZf0RaMVz"
        "DPvwcB+jAd9vICXmoNA2Ai9RRpCGyf+6IgxhUlbtwKsjAN88m4jBzBkLs2I8K/d3IFQeNXwxoSd2r8LePuKG84fbagWZ2bNA"
        "NhpdOLoHMAe0BCyKGfWNztDSCvNrcGKR+dHjadb/FFE8ejzVPtXFQSboxGxPttkH7ATVbEBesDXSeLeP7P/os6Sqmvzd ci@"
        "example.com"
    )),
    DemoKey(13, "anna-yubikey", 420, (
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBB3KzsnxilWtMNZQ+B4ZEXvB"
        "+C8nH8k/qci2D8yGStRByrUFUa0pEOuBuQ0LQQw9bWpgtR9ETx2n7pPZExchos8= anna@example.com"
    )),
    DemoKey(14, "old-workstation", 2900, (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxrOGWHPjmAbENSIJ3SX5hg6SUZfYwK7pbzwcgBqu4S lab-pc-7"
    )),
)  # fmt: skip

SCRIPTS = (
    DemoScript(
        71, "install-deps", 1300,
        "#!/bin/bash\nset -eu\napt-get update\napt-get install -y git tmux htop nvtop\n",
        "What every machine of the team has.",
    ),
    DemoScript(
        72, "mount-corpus", 400,
        "#!/bin/bash\nset -eu\nmkdir -p /data\nmountpoint -q /data || mount /dev/vdb /data\n",
        "Mounts the first volume at /data.",
    ),
    DemoScript(
        73, "pytorch-env", 300,
        '#!/bin/bash\nset -eu\npython3 -m venv /opt/envs/train\n/opt/envs/train/bin/pip install "torch>=2.5"\n',
    ),
    DemoScript(
        74, "shutdown-when-idle", 50,
        "#!/bin/bash\n# Looks every ten minutes whether a GPU works.\n"
        "echo '*/10 * * * * root /opt/idle-check.sh' > /etc/cron.d/idle-check\n",
        "Needs /opt/idle-check.sh in the image.",
    ),
    DemoScript(
        75, "cloud-config-base", 210,
        "#cloud-config\npackage_update: true\npackages:\n  - git\n  - tmux\nruncmd:\n  - mkdir -p /data\n",
        "Read by cloud-init, not by a shell.",
    ),
    DemoScript(
        76, "download-models", 45,
        "#!/bin/bash\nset -eu\nexport HF_TOKEN=hf_example_not_a_real_token\n"
        "/opt/envs/train/bin/huggingface-cli download example/model --local-dir /data/models\n",
        "Better to take the token out of it.",
    ),
)  # fmt: skip

# Model, tokens of the question and of the answer, age in hours; the oldest first.
QUESTIONS = (
    ("llama-3.1-8b", 18, 74, 300),
    ("llama-3.1-70b", 120, 80, 190),
    ("llama-3.1-70b", 412, 230, 189),
    ("qwen-2.5-coder-32b", 1630, 540, 96),
    ("qwen-2.5-coder-32b", 2210, 611, 95),
    ("llama-3.1-8b", 9, 31, 71),
    ("llama-3.1-70b", 64, 118, 26),
    ("llama-3.1-70b", 205, 97, 3),
)


def fill(world: World, now: datetime) -> None:
    """Put all of this into a world that has the demo's instances."""
    for firewall in FIREWALLS:
        world.add("firewalls", str(firewall.id), _firewall(world, firewall, now - timedelta(hours=firewall.age_hours)))
    for key in KEYS:
        created = iso(now - timedelta(hours=key.age_hours))
        world.add("ssh_keys", str(key.id), ssh_keys.made(key.id, key.name, key.public_key, created))
    for script in SCRIPTS:
        created = iso(now - timedelta(hours=script.age_hours))
        record = scripts.made(script.id, script.name, script.content, created, script.description)
        world.add("scripts", str(script.id), record)
    for number, (model, asked, answered, age) in enumerate(QUESTIONS, start=1):
        created = iso(now - timedelta(hours=age))
        world.usage.append(assistant.transaction(number, model, (asked, answered), world.currency, created))


def fill_counts(world: World, counts: Mapping[str, int], regions: Sequence[str], now: datetime) -> None:
    """Put counts["firewalls"], ["ssh_keys"] and ["scripts"] of each into a world; firewalls over all regions."""
    created = iso(now)
    for number in range(1, counts.get("firewalls", 0) + 1):
        record = firewalls.made(number, f"firewall-{number:04d}", regions[number % len(regions)], created)
        world.add("firewalls", str(number), {**record, "status": "SUCCESS"})
    for number in range(1, counts.get("ssh_keys", 0) + 1):
        record = ssh_keys.made(number, f"key-{number:04d}", _made_up_key(number), created)
        world.add("ssh_keys", str(number), record)
    for number in range(1, counts.get("scripts", 0) + 1):
        record = scripts.made(number, f"script-{number:04d}", f"#!/bin/bash\necho {number}\n", created)
        world.add("scripts", str(number), record)


def _firewall(world: World, firewall: DemoFirewall, created: datetime) -> Record:
    record = firewalls.made(firewall.id, firewall.name, firewall.region, iso(created), firewall.description)
    first = firewall.id * 100
    rules = [_rule(first + number, rule, created) for number, rule in enumerate(firewall.rules)]
    statuses = firewall.attachment_statuses or ("SUCCESS",) * len(firewall.vm_ids)
    attachments = [
        {
            "id": first + number,
            "vm": firewalls.shown_instance(world.instances[vm_id]),
            "status": status,
            "created_at": iso(created),
        }
        for number, (vm_id, status) in enumerate(zip(firewall.vm_ids, statuses, strict=True), start=50)
    ]
    return {**record, "status": firewall.status, "rules": rules, "attachments": attachments}


def _rule(number: int, rule: DemoRule, created: datetime) -> Record:
    return {
        "id": number,
        "direction": rule.direction,
        "protocol": rule.protocol,
        "ethertype": "IPv6" if ":" in rule.prefix else "IPv4",
        "remote_ip_prefix": rule.prefix,
        "port_range_min": rule.port,
        "port_range_max": rule.last_port or rule.port,
        "status": "SUCCESS",
        "created_at": iso(created),
    }


def _made_up_key(number: int) -> str:
    """Return an Ed25519 key that has the form of one and belongs to nobody."""
    parts = (b"ssh-ed25519", hashlib.sha256(str(number).encode()).digest())
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} made-up-{number}"
