"""Making a volume: the dialog follows what is chosen, and what is in it is sent once."""

import time
from typing import TypeVar

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.gates import profile_gap
from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.perform import Target
from apps.storage.forms import CreateForm, Offer
from barrack_web import cloud
from barrack_web.cached import OPTIONAL_SECONDS, Pending, Read
from barrack_web.client import BarrackError, Client, VolumeListing, VolumeRequest
from barrack_web.htmx import HtmxHttpRequest

T = TypeVar("T")


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VOLUME)
def create(request: HtmxHttpRequest) -> HttpResponse:
    """Make a volume."""
    before = sent_before(request, "volume.create", "")
    if before and before.alert is None:
        return finished(request, before, then=reverse("storage:list"))

    listed, offer = _read(request)
    initial = {"region": request.GET.get("region", "")[:100]} | kept(request)
    form = CreateForm(request.POST if request.method == "POST" else None, offer=offer, initial=initial)
    dialog = Dialog(
        request,
        "storage/create_modal.html",
        kind="volume.create",
        target=Target("", ""),
        form=form,
        back=reverse("storage:list"),
        blocked=stale_alert(listed) or profile_gap(request, "Volumes can be created"),
        context={"currency": offer.currency},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        if "validate" not in request.POST:
            form.quiet()
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    wanted = form.request() if form.is_valid() else None
    name = wanted.name if wanted else ""
    outcome = before or dialog.perform(
        lambda api, within: _send(api, wanted, within),
        name=name,
        known_ids=[row.volume_id for row in listed.value if row.volume_name == name],
    )
    return dialog.answer(outcome, then=reverse("storage:list"))


def _send(api: Client, wanted: VolumeRequest | None, within: float) -> str | None:
    assert wanted is not None  # noqa: S101 - only a valid form is sent
    made = api.volumes.create(wanted, within=within).volume
    return made.volume_id if made else None


def _read(request: HtmxHttpRequest) -> tuple[Read[VolumeListing], Offer]:
    """Return the volumes there are, and what a new one is chosen from: all of it asked for at once."""
    volumes, images, types = cloud.volumes.begin(), cloud.os_images.begin(), cloud.volume_types.begin()
    prices, regions, balance = cloud.prices.begin(), cloud.regions.begin(), cloud.balance.begin()
    wait = patience(request)
    listed = volumes.get(wait)
    end = time.monotonic() + OPTIONAL_SECONDS
    sheet, price = balance.or_none(end), prices.or_none(end)
    # What was chosen is checked against these, so that they are waited for then.
    kinds = _waited(types, wait) if request.POST.get("volume_type") else types.or_none(end)
    return listed, Offer(
        listed=listed.value,
        regions=cloud.region_names(regions.or_none(end), [row.region for row in listed.value]),
        os_images=_waited(images, wait) if request.POST.get("bootable") else images.or_none(),
        types=kinds.value if kinds else None,
        prices=price,
        balance=sheet,
        currency=cloud.currency(),
    )


def _waited(pending: Pending[T], wait: float | None) -> Read[T] | None:
    """Return the read, waited for as for what the form cannot do without; None when it cannot be read."""
    try:
        return pending.get(wait)
    except BarrackError:
        return None
