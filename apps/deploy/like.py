"""The choices that would make another VM like one that is there."""

from apps.deploy.boot import FIELD_OF
from apps.deploy.values import Values
from apps.deploy.wanted_rules import MOST_RULES, as_line
from barrack_web.cached import Read
from barrack_web.client import Image, Instance, Listing, SecurityRuleRequest, SSHKey, VMSecurityRule
from barrack_web.forms import suggest_name


def values_of(
    instance: Instance,
    images: Read[Listing[Image]] | None,
    keys: Read[Listing[SSHKey]] | None,
    instances: Read[Listing[Instance]] | None,
) -> Values:
    """Return its choices, as far as the API tells them and they can still be made; with a name of its own."""
    taken = {row.vm_name for row in instances.value} if instances else {instance.vm_name}
    values: Values = {
        "gpu_model": [instance.gpu_type] if instance.gpu_type else [],
        "gpu_count": [str(instance.gpu_count)] if instance.gpu_count else [],
        "region": [instance.region],
        "name": [suggest_name(instance.vm_name, "-2", taken)],
        "public_ip": ["on"] if instance.public_ip else [],
    }
    values |= _boot(instance, images)
    if keys and instance.ssh_keys is not None:
        there = {row.name for row in keys.value}
        values["ssh_keys"] = [name for name in instance.ssh_keys if name in there]
    if instance.security_rules is not None:
        values["rule"] = [as_line(rule) for rule in map(_request, instance.security_rules) if rule][:MOST_RULES]
    return {name: found for name, found in values.items() if found or name in {"public_ip", "rule"}}


def _boot(instance: Instance, images: Read[Listing[Image]] | None) -> Values:
    """Return what it was made from: the account's image of that name, else the OS image, even if it is gone."""
    name = instance.image.name if instance.image else None
    if not name:
        return {}
    own = [row for row in images.value if row.name == name and row.region == instance.region] if images else []
    if own:
        return {"boot": ["image"], FIELD_OF["image"]: [own[0].image_id]}
    return {"boot": ["os"], FIELD_OF["os"]: [name]}


def _request(rule: VMSecurityRule) -> SecurityRuleRequest | None:
    """Return what would make that rule; None for one that says too little."""
    if not rule.remote_ip_prefix:
        return None
    return SecurityRuleRequest(
        direction=rule.direction.lower(),
        protocol=rule.protocol.lower(),
        ethertype=rule.ethertype or ("IPv6" if ":" in rule.remote_ip_prefix else "IPv4"),
        remote_ip_prefix=rule.remote_ip_prefix,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
    )
