"""What the server runs. In the demo, tick runs in a thread here, since the simulated cloud lives in this process."""

import os
import threading

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "barrack_web.settings")
application = get_wsgi_application()


def _start() -> None:
    # Models and settings are there only now that Django is set up.
    from apps.account.demo import refuse_demo_accounts  # noqa: PLC0415
    from barrack_web.management.commands.tick import repeat  # noqa: PLC0415

    refuse_demo_accounts()
    every = float(os.environ.get("DEMO_TICK_SECONDS", "0"))
    if every:
        threading.Thread(target=repeat, args=(every, threading.Event()), name="tick", daemon=True).start()


_start()
