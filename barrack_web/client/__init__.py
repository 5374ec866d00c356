"""The client of the Barrack API: typed answers and one tree of errors. What stands here is all that others import."""

from .billing import Balance, BalanceSheet
from .catalog import Price, Prices, Region
from .client import Client
from .errors import (
    BadKey,
    BarrackError,
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    Missing,
    NoCredit,
    NoStock,
    Refused,
    TimedOut,
    TooMany,
    Unreachable,
)
from .images import Image, ImageCreated, SnapshotImages
from .instances import (
    Instance,
    InstanceBilling,
    UserInstance,
    VMFlavor,
    VMImage,
    VMSecurityRule,
    VMVolumeAttachment,
)
from .operations import OPERATIONS, Operation
from .reading import Listing
from .snapshots import (
    Accepted,
    BillingPage,
    BillingRecord,
    BillingSummary,
    RestoreAccepted,
    Snapshot,
    SnapshotCreated,
)
from .transport import TimeLimits, request_id_var

__all__ = [
    "OPERATIONS",
    "Accepted",
    "BadKey",
    "Balance",
    "BalanceSheet",
    "BarrackError",
    "BillingPage",
    "BillingRecord",
    "BillingSummary",
    "Broken",
    "Client",
    "Conflict",
    "Forbidden",
    "Image",
    "ImageCreated",
    "Instance",
    "InstanceBilling",
    "Invalid",
    "Listing",
    "Missing",
    "NoCredit",
    "NoStock",
    "Operation",
    "Price",
    "Prices",
    "Refused",
    "Region",
    "RestoreAccepted",
    "Snapshot",
    "SnapshotCreated",
    "SnapshotImages",
    "TimeLimits",
    "TimedOut",
    "TooMany",
    "Unreachable",
    "UserInstance",
    "VMFlavor",
    "VMImage",
    "VMSecurityRule",
    "VMVolumeAttachment",
    "request_id_var",
]
