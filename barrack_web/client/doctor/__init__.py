"""The doctor: tries the API as the portal uses it, and says what is not as expected and how to mend it."""

from .examination import Doctor
from .report import ApiReport, KeyWay
from .text import ReportText
from .writes import ScriptLife

__all__ = ["ApiReport", "Doctor", "KeyWay", "ReportText", "ScriptLife"]
