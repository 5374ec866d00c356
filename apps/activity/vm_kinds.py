"""What can be done to a VM, as operations: the words, and by what one sees that it has happened."""

from collections.abc import Collection

from apps.activity.kind import Kind, Shows
from apps.activity.models import Operation
from barrack_web import cloud
from barrack_web.client import Client, Missing
from barrack_web.rule_form import describe


def _in(*states: str) -> Shows:
    """Return what tells that the VM is in one of these states."""

    def shows(api: Client, operation: Operation, within: float) -> bool:
        return api.instances.get(operation.target_id, within=within).state in states

    return shows


def _deleted(api: Client, operation: Operation, within: float) -> bool:
    try:
        return _in("DELETING", "DELETED")(api, operation, within)
    except Missing:
        return True


def _has_public_ip(api: Client, operation: Operation, within: float) -> bool:
    return bool(api.instances.get(operation.target_id, within=within).public_ip)


def _has_no_public_ip(api: Client, operation: Operation, within: float) -> bool:
    return not _has_public_ip(api, operation, within)


def _has_new_rule(api: Client, operation: Operation, within: float) -> bool:
    rules = api.instances.get(operation.target_id, within=within).security_rules or ()
    return any(rule.id not in operation.known_ids and describe(rule) == operation.name for rule in rules)


def _has_lost_rule(api: Client, operation: Operation, within: float) -> bool:
    rules = api.instances.get(operation.target_id, within=within).security_rules
    return rules is not None and not {rule.id for rule in rules} & set(operation.known_ids)


def _vm(
    title: str,
    toast: str,
    doubt: str,
    shows: Shows,
    *,
    leads_to: Collection[str] = (),
    deletes: bool = False,
    repeatable: bool = True,
) -> Kind:
    return Kind(
        title=title,
        noun="VM",
        effect="deletes" if deletes else "changes",
        toast=toast,
        doubt=doubt,
        shows=shows,
        changed=lambda operation: cloud.instances_changed(operation.target_id),
        events=("vms:changed",),
        alone=True,
        repeatable=repeatable,
        # Any of them can also go wrong.
        leads_to=frozenset((*leads_to, "ERROR")) if leads_to else frozenset(),
    )


def _power(title: str, toast: str, doubt: str, *leads_to: str) -> Kind:
    return _vm(title, toast, doubt, _in(*leads_to), leads_to=leads_to)


VM_KINDS: dict[str, Kind] = {
    "instance.start": _power("Start VM", "{target} is starting.", "the VM is starting", "STARTING", "ACTIVE"),
    "instance.stop": _power(
        "Stop VM",
        "{target} is stopping. It stays billed at the full rate.",
        "the VM is stopping",
        "STOPPING",
        "SHUTOFF",
    ),
    # Once it runs again, nothing tells that it was rebooted.
    "instance.reboot": _vm(
        "Reboot VM",
        "{target} is rebooting.",
        "the VM is rebooting",
        _in("REBOOTING"),
        leads_to=("REBOOTING", "ACTIVE"),
        repeatable=False,
    ),
    "instance.hibernate": _power(
        "Hibernate VM", "{target} is hibernating.", "the VM is hibernating", "HIBERNATING", "HIBERNATED"
    ),
    "instance.restore": _power(
        "Restore VM", "{target} is being restored.", "the VM is being restored", "RESTORING", "ACTIVE"
    ),
    "instance.delete": _vm(
        "Delete VM",
        "{target} is being deleted.",
        "the VM is being deleted",
        _deleted,
        leads_to=("DELETING", "DELETED"),
        deletes=True,
    ),
    # The API only flips the address: a second request would take back what the first one did.
    "instance.add-ip": _vm(
        "Add public IP", "{target} has a public IP.", "the VM has a public IP", _has_public_ip, repeatable=False
    ),
    "instance.remove-ip": _vm(
        "Remove public IP",
        "{target} has no public IP any more.",
        "the public IP is gone",
        _has_no_public_ip,
        repeatable=False,
    ),
    "instance.add-rule": _vm(
        "Add security rule",
        "{target} has a new rule: {name}.",
        "the VM has the new rule",
        _has_new_rule,
        repeatable=False,
    ),
    "instance.remove-rule": _vm(
        "Remove security rule", "The rule is removed from {target}: {name}.", "the rule is gone", _has_lost_rule
    ),
}
