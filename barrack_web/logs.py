"""What each log line carries, and what none may carry."""

import logging

from django.conf import settings

from barrack_web.client import request_id_var


class RequestFilter(logging.Filter):
    """Adds the request id, and takes the API key out of a message should it ever stand in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id_var.get() or "-"
        key = settings.BARRACK_API_KEY
        if key and key in record.getMessage():
            record.msg, record.args = record.getMessage().replace(key, "[key removed]"), ()
        return True
