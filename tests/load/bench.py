"""make bench: how fast the pages are, as ratios taken in one run.

Starts the simulated cloud on a port, the portal in front of it as a deployment would, and a floor that makes the same
calls at once with plain httpx and returns their JSON. Prints a table, writes out/bench.json, exits with 1 when a bound
is missed. Words on the command line choose parts: cold warm vms storage deploy watched first_load. Only timings of one
run compare.
"""

import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
KEY = "bench-key"
LATENCY = 0.2
WATCHERS = 200
WATCH_SECONDS = 30
CALLS = ("/snapshots?page=1&limit=100", "/instances/snapshot-eligible", "/pricing/", "/regions", "/balance")


@dataclass(frozen=True)
class Row:
    what: str
    measured: str
    bound: str
    met: bool


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], ready: str, environment: dict[str, str]) -> Iterator[None]:
    """Run a server until the block ends, once `ready` answers."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output)
        try:
            wait_for(ready, process, output)
            yield
        finally:
            process.terminate()
            process.wait(10)


def wait_for(address: str, process: "subprocess.Popen[bytes]", output: Any) -> None:
    for _ in range(300):
        try:
            httpx.get(address, timeout=1)
        except httpx.HTTPError:
            if process.poll() is not None:
                output.seek(0)
                raise SystemExit(output.read().decode()) from None
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{address} did not answer within 30 s")


@contextmanager
def portal(cloud: str, folder: Path, **settings: str) -> Iterator[httpx.Client]:
    """A portal as a deployment runs it, and a browser signed in to it."""
    port = free_port()
    environment = {
        "BARRACK_API_KEY": KEY,
        "BARRACK_API_URL": f"{cloud}/api",
        "SECRET_KEY": "bench-secret-key-bench-secret-key-bench-secret-key-1",
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "false",
        "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        **settings,
    }
    manage = [sys.executable, "manage.py"]
    make_person = (
        "from apps.account.models import User; from apps.account.addresses import prove; "
        "User.objects.filter(email='bench@example.com').exists() or "
        "prove(User.objects.create_user('bench@example.com', 'bench-password-1', role='operator'))"
    )
    for command in (["migrate", "-v0"], ["collectstatic", "-v0", "--noinput"], ["shell", "-v0", "-c", make_person]):
        subprocess.run(
            [*manage, *command], cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL
        )
    server = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "1",
        "--blocking-threads", "32", "--log-level", "error", "barrack_web.wsgi:application",
    ]  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    with (
        started(server, f"{base}/healthz", environment),
        httpx.Client(base_url=base, timeout=20, limits=httpx.Limits(max_connections=None)) as browser,
    ):
        page = browser.get("/account/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        login = {"login": "bench@example.com", "password": "bench-password-1", "csrfmiddlewaretoken": token[1]}
        answer = browser.post("/account/login/", data=login, headers={"Referer": base})
        assert answer.status_code == 302, answer.text
        yield browser


def control(cloud: str, path: str, body: dict[str, Any]) -> None:
    httpx.post(f"{cloud}/_sandbox/{path}", json=body, timeout=20).raise_for_status()


def calls(cloud: str) -> list[dict[str, Any]]:
    found: Any = httpx.get(f"{cloud}/_sandbox/log", timeout=20).json()
    return list(found["calls"] if isinstance(found, dict) else found)


def p50(action: Callable[[], object], times: int) -> float:
    """Return the median seconds of so many runs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@contextmanager
def lean(
    browser: httpx.Client, headers: dict[str, str], status: int, address: str = "/snapshots/"
) -> Iterator[Callable[[], None]]:
    """Give an action that asks for a page on one kept-alive connection, with the standard library's plain client.

    A heavier client would share the two cores with the portal and be measured with it.
    """
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    sent = {"Cookie": cookies, "Accept-Encoding": "gzip", **headers}
    connection = http.client.HTTPConnection(browser.base_url.host, browser.base_url.port)

    def ask() -> None:
        connection.request("GET", address, headers=sent)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, answer.status

    yield ask
    connection.close()


def rate(browser: httpx.Client, headers: dict[str, str], status: int, seconds: float = 3.0, threads: int = 4) -> float:
    """Return how often per second the list answers so many connections."""
    end, done = time.perf_counter() + seconds, [0] * threads

    def work(number: int) -> None:
        with lean(browser, headers, status) as ask:
            while time.perf_counter() < end:
                ask()
                done[number] += 1

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return sum(done) / seconds


def page(browser: httpx.Client, address: str = "/snapshots/") -> httpx.Response:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.status_code
    assert any(name in answer.text for name in ("card-name", "board-name", "pick-card", "left-table"))
    return answer


def cold(cloud: str, folder: Path) -> Iterator[Row]:
    control(cloud, "reset", {"seed": {"instances": 20, "snapshots": 20}})
    never = dict.fromkeys(("FRESH_STATUS_SECONDS", "FRESH_BALANCE_SECONDS", "FRESH_CATALOG_SECONDS"), "0")
    with portal(cloud, folder, **never) as browser, httpx.Client(headers={"X-API-Key": KEY}) as direct:
        page(browser)
        with ThreadPoolExecutor(len(CALLS)) as pool:
            floor = p50(lambda: list(pool.map(lambda path: direct.get(f"{cloud}/api{path}"), CALLS)), 15)
        single = p50(lambda: direct.get(f"{cloud}/api{CALLS[0]}"), 15)
        took = p50(lambda: page(browser), 25)
        ratio = took / single
        yield Row("20 snapshots, cold, 200 ms a call: page / slowest call",
                  f"{ratio:.2f} ({took * 1000:.0f} ms; call {single * 1000:.0f}, floor {floor * 1000:.0f})",
                  "≤ 1.15", ratio <= 1.15)  # fmt: skip


def warm(cloud: str, folder: Path) -> Iterator[Row]:
    long = dict.fromkeys(("FRESH_STATUS_SECONDS", "FRESH_BALANCE_SECONDS", "FRESH_CATALOG_SECONDS"), "60")
    took = {}
    for count in (20, 200):
        control(cloud, "reset", {"seed": {"instances": 20, "snapshots": count}})
        with portal(cloud, folder, **long) as browser:
            for _ in range(5):
                page(browser)
                time.sleep(0.3)
            before = len(calls(cloud))
            with lean(browser, {}, 200) as ask:
                took[count] = p50(ask, 100)
            asked = len(calls(cloud)) - before
            if count == 20:
                yield Row("20 snapshots, warm: upstream calls", str(asked), "0", asked == 0)
                yield Row("20 snapshots, warm: page", f"{took[20] * 1000:.1f} ms", "≤ 15 ms", took[20] <= 0.015)
                yield from polls(browser)
    ratio = took[200] / took[20]
    yield Row("200 snapshots / 20 snapshots, warm", f"{ratio:.2f}", "≤ 1.2", ratio <= 1.2)


def polls(browser: httpx.Client) -> Iterator[Row]:
    part = browser.get("/snapshots/", headers={"HX-Request": "true"})
    headers = {"HX-Request": "true", "If-None-Match": part.headers["ETag"]}
    assert browser.get("/snapshots/", headers=headers).status_code == 304
    full = rate(browser, {}, 200)
    unchanged = rate(browser, headers, 304)
    yield Row("unchanged poll / full page, per second",
              f"{unchanged / full:.1f} ({unchanged:.0f} / {full:.0f})", "≥ 4", unchanged >= 4 * full)  # fmt: skip


def _beside_its_calls(cloud: str, browser: httpx.Client, address: str) -> tuple[float, float]:
    """Return the seconds of one page and those of the slowest call that it made."""
    before, began = len(calls(cloud)), time.perf_counter()
    page(browser, address)
    took = time.perf_counter() - began
    return took, max(call["ended"] - call["started"] for call in calls(cloud)[before:])


def vms(cloud: str, folder: Path) -> Iterator[Row]:
    """The dashboard and the list of VMs: cold and warm with 20 VMs, and the list with 5,000."""
    fresh = ("FRESH_STATUS_SECONDS", "FRESH_STOCK_SECONDS", "FRESH_BALANCE_SECONDS", "FRESH_CATALOG_SECONDS")
    control(cloud, "reset", {"seed": {"instances": 20, "snapshots": 20}})
    with portal(cloud, folder, **dict.fromkeys(fresh, "0")) as browser:
        for address in ("/", "/vms/"):
            page(browser, address)
            took, slowest = zip(*(_beside_its_calls(cloud, browser, address) for _ in range(25)), strict=True)
            mine, call = statistics.median(took), statistics.median(slowest)
            yield Row(f"20 VMs, cold, 200 ms a call: {address} / slowest call",
                      f"{mine / call:.2f} ({mine * 1000:.0f} ms; call {call * 1000:.0f})",
                      "≤ 1.15", mine <= 1.15 * call)  # fmt: skip
    warm_at: dict[tuple[str, int], float] = {}
    for count in (20, 5000):
        control(cloud, "reset", {"seed": {"instances": count, "snapshots": 20}})
        with portal(cloud, folder, **dict.fromkeys(fresh, "60"), API_READ_SECONDS="10") as browser:
            for address in ("/", "/vms/", "/vms/?view=table"):
                for _ in range(5):
                    browser.get(address, timeout=60)
                    time.sleep(2 if count > 20 else 0.3)
                page(browser, address) if "table" not in address else None
                before = len(calls(cloud))
                with lean(browser, {}, 200, address) as ask:
                    warm_at[address, count] = p50(ask, 60)
                asked = len(calls(cloud)) - before
                yield Row(f"{count:,} VMs, warm, {address}: upstream calls",
                          f"{asked} ({warm_at[address, count] * 1000:.1f} ms a page)", "0", asked == 0)  # fmt: skip
    for address in ("/", "/vms/", "/vms/?view=table"):
        ratio = warm_at[address, 5000] / warm_at[address, 20]
        yield Row(f"5,000 VMs / 20 VMs, warm, {address}", f"{ratio:.2f}", "≤ 2", ratio <= 2)


def storage(cloud: str, folder: Path) -> Iterator[Row]:
    """The lists of volumes and of images: cold and warm, and with 200 volumes beside 20."""
    fresh = ("FRESH_STATUS_SECONDS", "FRESH_STOCK_SECONDS", "FRESH_BALANCE_SECONDS", "FRESH_CATALOG_SECONDS")
    pages = ("/volumes/", "/images/", "/volumes/leftovers/")
    seed = {"instances": 20, "snapshots": 20, "images": 10, "volumes": 20}
    with portal(cloud, folder, **dict.fromkeys(fresh, "0")) as browser:
        for address in pages:
            # What was made just now is not left over; the demo has older things.
            control(cloud, "reset", {"seed": "demo" if "leftovers" in address else seed})
            page(browser, address)
            took, slowest = zip(*(_beside_its_calls(cloud, browser, address) for _ in range(25)), strict=True)
            mine, call = statistics.median(took), statistics.median(slowest)
            yield Row(f"cold, 200 ms a call: {address} / slowest call",
                      f"{mine / call:.2f} ({mine * 1000:.0f} ms; call {call * 1000:.0f})",
                      "≤ 1.15", mine <= 1.15 * call)  # fmt: skip
    warm_at: dict[int, float] = {}
    for count in (20, 200):
        control(cloud, "reset", {"seed": seed | {"volumes": count}})
        with portal(cloud, folder, **dict.fromkeys(fresh, "60")) as browser:
            for _ in range(3):
                page(browser, "/volumes/")
                time.sleep(0.5)
            before = len(calls(cloud))
            with lean(browser, {}, 200, "/volumes/") as ask:
                warm_at[count] = p50(ask, 60)
            asked = len(calls(cloud)) - before
            yield Row(f"{count} volumes, warm, /volumes/: upstream calls",
                      f"{asked} ({warm_at[count] * 1000:.1f} ms a page)", "0", asked == 0)  # fmt: skip
    ratio = warm_at[200] / warm_at[20]
    yield Row("200 volumes / 20 volumes, warm, /volumes/", f"{ratio:.2f}", "≤ 2", ratio <= 2)


def deploy(cloud: str, folder: Path) -> Iterator[Row]:
    """The wizard with everything chosen but a key, cold and warm; and what one more choice brings back."""
    fresh = ("FRESH_STATUS_SECONDS", "FRESH_STOCK_SECONDS", "FRESH_BALANCE_SECONDS", "FRESH_CATALOG_SECONDS")
    control(cloud, "reset", {"seed": "demo"})
    with portal(cloud, folder, **dict.fromkeys(fresh, "0")) as browser:
        address = browser.get("/deploy/?new=1&gpu_model=L40&gpu_count=2").headers["Location"]
        page(browser, address)
        took, slowest = zip(*(_beside_its_calls(cloud, browser, address) for _ in range(25)), strict=True)
        mine, call = statistics.median(took), statistics.median(slowest)
        yield Row("wizard, cold, 200 ms a call: page / slowest call",
                  f"{mine / call:.2f} ({mine * 1000:.0f} ms; call {call * 1000:.0f})",
                  "≤ 1.15", mine <= 1.15 * call)  # fmt: skip
    with portal(cloud, folder, **dict.fromkeys(fresh, "60")) as browser:
        for _ in range(5):
            page(browser, address)
            time.sleep(0.3)
        before = len(calls(cloud))
        with lean(browser, {}, 200, address) as ask:
            took_warm = p50(ask, 60)
        asked = len(calls(cloud)) - before
        yield Row("wizard, warm: upstream calls", f"{asked} ({took_warm * 1000:.1f} ms a page)", "0", asked == 0)
        yield from _choices(browser, address)


def _choices(browser: httpx.Client, address: str) -> Iterator[Row]:
    """Change one thing after the other as the page does, and tell how much comes back, compressed."""
    first = page(browser, address).text
    fields = {name: re.search(rf'name="{name}" value="([^"]*)"', first) for name in ("csrfmiddlewaretoken", "draft")}
    sent = {name: found[1] for name, found in fields.items() if found}
    chosen = {
        "gpu_model": "L40",
        "gpu_count": "2",
        "region": "NORWAY-1",
        "boot": "os",
        "name": "bench-vm",
        "start": "none",
    }
    seen = dict(re.findall(r'name="seen" value="!?(\w+):(\w+)"', first))
    for change in ({"ssh_keys": "anna-yubikey"}, {"gpu_count": "1"}, {"region": "US-1"}, {"name": "bench-2"}):
        chosen |= change
        data = sent | chosen | {"intent": "update", "seen": [f"{key}:{tag}" for key, tag in seen.items()]}
        headers = {"HX-Request": "true", "Referer": str(browser.base_url), "Accept-Encoding": "gzip"}
        with browser.stream("POST", "/deploy/", data=data, headers=headers) as answer:
            size = sum(map(len, answer.iter_raw()))
        parts = browser.post("/deploy/", data=data, headers=headers).text
        seen |= dict(re.findall(r'name="seen" value="!?(\w+):(\w+)"', parts))
        opens = "ssh_keys" in change
        yield Row(f"wizard, {next(iter(change))} changed: bytes that come back",
                  f"{size}{' (three sections open)' if opens else ''}", "≤ 3,072", opens or size <= 3072)  # fmt: skip


def watched(cloud: str, folder: Path) -> Iterator[Row]:
    control(cloud, "reset", {"seed": {"instances": 20, "snapshots": 20}})
    with portal(cloud, folder) as browser:
        page(browser)
        time.sleep(1)
        before, problems, stop = len(calls(cloud)), [0], threading.Event()

        def watch(number: int) -> None:
            tag, headers = "", {"HX-Request": "true"}
            stop.wait(number * 8 / WATCHERS)
            while not stop.is_set():
                answer = browser.get("/snapshots/", headers=headers | ({"If-None-Match": tag} if tag else {}))
                problems[0] += answer.status_code not in {200, 304}
                tag = answer.headers.get("ETag", tag)
                stop.wait(8)

        watchers = [threading.Thread(target=watch, args=(number,)) for number in range(WATCHERS)]
        for watcher in watchers:
            watcher.start()
        time.sleep(WATCH_SECONDS)
        stop.set()
        for watcher in watchers:
            watcher.join()
        asked = [call["operation"] for call in calls(cloud)[before:]]
        lists, bound = asked.count("list_snapshots"), WATCH_SECONDS // 2 + 2
        yield Row(f"{WATCHERS} browsers watch for {WATCH_SECONDS} s: reads of the list",
                  f"{lists} ({len(asked)} calls in all, {problems[0]} errors)", f"≤ {bound}",
                  lists <= bound and not problems[0])  # fmt: skip


def first_load(cloud: str, folder: Path) -> Iterator[Row]:
    chromium = shutil.which("chromium")
    if chromium is None:
        yield Row("first load", "not measured: no Chromium on this machine", "≤ 130 KB, ≤ 10 requests", met=True)
        return
    from playwright.sync_api import sync_playwright

    control(cloud, "reset", {"seed": {"instances": 20, "snapshots": 20}})
    cached: set[str] = set()
    with portal(cloud, folder, POLL_SECONDS="600") as browser, sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = window.new_context(base_url=str(browser.base_url))
        context.add_cookies(
            [{"name": "sessionid", "value": browser.cookies["sessionid"], "url": str(browser.base_url)}]
        )
        tab, sizes = context.new_page(), dict[str, float]()
        wire = context.new_cdp_session(tab)
        wire.send("Network.enable")
        # What comes from the browser's own cache never finishes loading with bytes of its own.
        wire.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
        wire.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
        pages = (
            ("first load", "/snapshots/", 130, 10),
            ("later page", "/vms/", 15, 1),
            ("later page", "/snapshots/", 15, 1),
        )
        for label, address, most_kb, most_requests in pages:
            sizes.clear()
            tab.goto(address, wait_until="networkidle")
            network = [length for request, length in sizes.items() if request not in cached and length > 0]
            size = sum(network) / 1024
            met = size <= most_kb and len(network) <= most_requests
            measured, bound = f"{size:.0f} KB, {len(network)} requests", f"≤ {most_kb} KB, ≤ {most_requests}"
            yield Row(f"{label} {address}", measured, bound, met)
        window.close()


def main() -> int:
    port = free_port()
    cloud = f"http://127.0.0.1:{port}"
    server = [
        sys.executable,
        "manage.py",
        "sandbox",
        "--port",
        str(port),
        "--key",
        KEY,
        "--speed",
        "0",
        "--latency",
        str(LATENCY),
    ]
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(started(server, f"{cloud}/_sandbox/log", {}))
        chosen = set(sys.argv[1:])
        for part in (cold, warm, vms, storage, deploy, watched, first_load):
            if chosen and part.__name__ not in chosen:
                continue
            for row in part(cloud, folder):
                rows.append(row)
                print(f"{'ok  ' if row.met else 'MISS'} {row.what:<58} {row.measured:<44} {row.bound}", flush=True)
    (ROOT / "out").mkdir(exist_ok=True)
    (ROOT / "out" / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2), encoding="utf-8")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
