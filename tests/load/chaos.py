"""make chaos: each draft becomes one VM or none, whatever happens to answers, windows and workers.

Starts the simulated cloud on a port and two portals with one database in front of it. Several browsers send drafts:
twice at once, from two windows, again after Back, under another name, without waiting for the answer. Meanwhile the
cloud loses answers, fails and hangs, and the portals are killed in the middle and started again. In the end it compares
the cloud's VMs with what the portal has written down. Prints a table, exits with 1 when something does not fit.

    python tests/load/chaos.py [DRAFTS] [SEED]
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from bench import ROOT, Row, calls, control, free_port, started
from chaos_browsers import MODELS, PASSWORD, PORTALS, REGIONS, Browser, Portals, Tally

BEGAN = time.monotonic()
KEY, BROWSERS = "chaos-key", 8
WRONG = ("errors of the portal", "accepted forms that did not lead back")
PEOPLE = """
from apps.account.addresses import prove
from apps.account.models import User
for number in range({count}):
    prove(User.objects.create_user(f"chaos{{number}}@example.com", "{password}", role="operator"))
"""
# Eleven minutes later, by the portal's clock, everything must be known.
LATER = """
import json
from datetime import timedelta
from apps.activity.models import Operation
from apps.activity.tick import tick
from barrack_web import clock
with clock.moved(timedelta(minutes=11)):
    all(tick() for _ in range(200))
fields = ("target_id", "name", "state", "result_id", "duration_ms")
print(json.dumps(list(Operation.objects.filter(kind="instance.create").values(*fields))))
"""
# Each deployment that the cloud received, by its time and name, with the status of the answer.
Received = dict[tuple[float, str], int | None]


def killing(portals: Portals, stop: threading.Event, tally: Tally) -> None:
    """Kill one portal after the other and start it again, so that one is always there."""
    number = 0
    while not stop.wait(random.uniform(3, 7)):
        portals.kill(number)
        tally.add("portals killed")
        portals.running[number] = portals.start(number)
        number = (number + 1) % PORTALS


def note(cloud: str, received: Received) -> None:
    for call in calls(cloud):
        if call["operation"] == "create_instance" and call["body"]:
            received[call["started"], call["body"]["vm_name"]] = call["status"]


def noting(cloud: str, stop: threading.Event, received: Received) -> None:
    """Note the deployments every few seconds: the cloud's log does not hold all the calls of such a run."""
    while not stop.wait(8):
        note(cloud, received)


def settings_of(cloud: str, folder: Path) -> dict[str, str]:
    """Return the environment of every process of the portal: as in a deployment, with short time limits."""
    return {
        "BARRACK_API_KEY": KEY,
        "BARRACK_API_URL": f"{cloud}/api",
        "SECRET_KEY": "chaos-secret-key-chaos-secret-key-chaos-secret-key",
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "false",
        "DATABASE_URL": f"sqlite:///{folder}/chaos.sqlite3",
        "API_CONNECT_SECONDS": "0.5",
        "API_READ_SECONDS": "2",
        "API_WRITE_SECONDS": "1",
        "API_LOOK_UP_SECONDS": "1",
        "SENT_TWICE_WAIT_SECONDS": "3",
    }


def manage(environment: dict[str, str], *words: str) -> str:
    """Run a command of the portal; return what it prints."""
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def send_all(browsers: list[Browser], drafts: int) -> None:
    """Have the browsers send so many drafts, each the next one that nobody has begun."""
    numbers, lock = iter(range(drafts)), threading.Lock()

    def work(browser: Browser) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            browser.deploy(number)
            if number % 100 == 99:
                print(f"{number + 1} drafts, {time.monotonic() - BEGAN:.0f} s", flush=True)

    with ThreadPoolExecutor(len(browsers)) as pool:
        list(pool.map(work, browsers))


def run(cloud: str, folder: Path, drafts: int, tally: Tally) -> tuple[list[dict[str, Any]], Received]:
    """Send the drafts while things break; return every operation, once all is known, and what the cloud received."""
    environment, received, stop = settings_of(cloud, folder), Received(), threading.Event()
    manage(environment, "migrate", "-v0")
    manage(environment, "collectstatic", "-v0", "--noinput")
    manage(environment, "shell", "-v0", "-c", PEOPLE.format(password=PASSWORD, count=BROWSERS))
    portals = Portals(environment, folder)
    with portals.up(), (folder / "tick.log").open("wb") as log:
        tick = [sys.executable, "manage.py", "tick", "--every", "2"]
        ticker = subprocess.Popen(tick, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
        beside = [
            threading.Thread(target=killing, args=(portals, stop, tally)),
            threading.Thread(target=noting, args=(cloud, stop, received)),
        ]
        try:
            browsers = [Browser(number, portals, cloud, tally) for number in range(BROWSERS)]
            for thread in beside:
                thread.start()
            send_all(browsers, drafts)
        finally:
            stop.set()
            for thread in beside:
                thread.join()
            ticker.terminate()
            ticker.wait()
    httpx.delete(f"{cloud}/_sandbox/faults", timeout=20).raise_for_status()
    # Calls that nobody waits for any more are carried out, too.
    time.sleep(5)
    note(cloud, received)
    control(cloud, "clock", {"advance": 600})
    return json.loads(manage(environment, "shell", "-v0", "-c", LATER).splitlines()[-1]), received


def verdict(vms: list[dict[str, Any]], operations: list[dict[str, Any]], received: Received) -> Iterator[Row]:
    """Compare what the cloud has with what the portal has written down."""

    def none(what: str, wrong: Collection[object]) -> Row:
        return Row(what, str(len(wrong)), "0", not wrong)

    def twice(names: Iterable[str]) -> list[str]:
        return [name for name, count in Counter(names).items() if count > 1]

    claimed: dict[str, set[str]] = {}
    for row in operations:
        if row["state"] == "done":
            claimed.setdefault(row["target_id"], set()).add(row["result_id"])
    ids, results = {row["instance_id"] for row in vms}, [one for found in claimed.values() for one in found]
    yield Row("VMs of the cloud", str(len(vms)), f"= drafts deployed: {len(claimed)}", len(vms) == len(claimed))
    yield none("drafts of more than one VM", [found for found in claimed.values() if len(found) > 1])
    yield none("VMs of more than one draft", twice(results))
    yield none("VMs of drafts that were refused or not seen", ids - set(results))
    yield none("drafts deployed without a VM", set(results) - ids)
    yield none("names that two VMs bear", twice(row["vm_name"] for row in vms))
    yield none("operations left open", [row for row in operations if row["state"] in {"sent", "unknown"}])
    yield none("VMs that are not ACTIVE", [row for row in vms if row["status"] != "ACTIVE"])
    yield none(
        "names that the cloud accepted twice", twice(name for (_, name), code in received.items() if code == 200)
    )
    yield Row("deployments that the cloud received", str(len(received)), f">= {len(vms)}", len(received) >= len(vms))


def main() -> int:
    drafts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = sys.argv[2] if len(sys.argv) > 2 else str(time.time_ns())
    random.seed(seed)
    print(f"{drafts} drafts, seed {seed}", flush=True)
    port = free_port()
    cloud = f"http://127.0.0.1:{port}"
    server = [sys.executable, "manage.py", "sandbox", "--port", str(port), "--key", KEY, "--speed", "0"]
    server += ["--latency", "0.02", "--seed", '{"ssh_keys": 1}']
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(started(server, f"{cloud}/_sandbox/log", {}))
        stock = [{"region": region, "model": model, "available": drafts * 2} for region in REGIONS for model in MODELS]
        control(cloud, "account", {"stock": stock, "balances": {"USD": 100_000_000}})
        tally = Tally()
        operations, received = run(cloud, folder, drafts, tally)
        world = httpx.get(f"{cloud}/_sandbox/world", timeout=60).json()
        logs = b"".join(file.read_bytes() for file in folder.glob("*.log")).decode(errors="replace")
    vms = [row for row in world["instances"] if row["vm_name"].startswith("chaos-")]
    found = [*verdict(vms, operations, received)]
    found += [Row(what, str(tally.counts[what]), "0", not tally.counts[what]) for what in WRONG]
    for row in found:
        print(f"{'ok  ' if row.met else 'MISS'} {row.what:<46} {row.measured:<8} {row.bound}", flush=True)
    tally.counts.update(f"operation {row['state']}" for row in operations)
    tally.counts["operations whose worker was killed"] = sum(row["duration_ms"] is None for row in operations)
    print(*(f"     {what:<46} {count}" for what, count in sorted(tally.counts.items())), sep="\n")
    print(*re.findall(r"Traceback[\s\S]{0,2000}", logs)[:2], sep="\n")
    print(f"{len(vms)} VMs of {drafts} drafts in {time.monotonic() - BEGAN:.0f} s")
    return 0 if all(row.met for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
