"""The people and machines of make chaos: browsers with habits, portals that are killed, a cloud that fails."""

import html
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from bench import ROOT, control, free_port, wait_for

PASSWORD, PORTALS = "chaos-password-1", 2
# As htmx says which page the form stands on.
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://127.0.0.1/deploy/"}
SYSTEM = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
MODELS, REGIONS = ("A40", "L40", "RTX-A6000"), ("CANADA-1", "NORWAY-1", "US-1")
# What becomes of some calls. In the first group the VM is made and the answer lost.
LOST: list[dict[str, Any]] = [
    {"kind": "drop_answer"},
    {"kind": "truncate"},
    {"kind": "invalid_json"},
    {"kind": "invalid_json", "status": 502},
    {"kind": "delay", "seconds": 1.5},
    {"kind": "delay", "seconds": 4},
]
FAILED: list[dict[str, Any]] = [
    {"kind": "hang"},
    {"kind": "close"},
    {"kind": "html"},
    {"kind": "refuse"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 504, "body": "gateway timeout"},
]
REFUSED: list[dict[str, Any]] = [{"kind": "status", "status": status} for status in (402, 403, 409, 422, 429)]
READING: list[dict[str, Any]] = [{"kind": "status", "status": 500}, {"kind": "hang"}, {"kind": "close"}]
HABITS = {"once": 30, "double click": 20, "two windows": 20, "does not wait": 15, "goes back": 10, "other name": 15}
LED = re.compile(r"/deploy/[0-9a-f-]{36}/")


@dataclass
class Tally:
    """What was done, counted by all threads."""

    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1


class Portals:
    """The portal's processes; one of them at a time is killed and started again."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.ports = [free_port() for _ in range(PORTALS)]
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, number: int) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(self.ports[number]), "--workers", "1",
            "--blocking-threads", "16", "--log-level", "error", "barrack_web.wsgi:application",
        ]  # fmt: skip
        environment = os.environ | self.environment
        with (self.folder / f"portal-{number}.log").open("ab+") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            wait_for(f"http://127.0.0.1:{self.ports[number]}/healthz", process, output)
        return process

    def kill(self, number: int) -> None:
        """Kill it and its workers, as a machine that loses its power does."""
        os.killpg(self.running[number].pid, signal.SIGKILL)
        self.running[number].wait()

    @contextmanager
    def up(self) -> Iterator[None]:
        try:
            self.running = [self.start(number) for number in range(PORTALS)]
            yield
        finally:
            for number in range(len(self.running)):
                self.kill(number)

    def address(self) -> str:
        return f"http://127.0.0.1:{random.choice(self.ports)}"


@dataclass
class Answer:
    """What a browser sees of a sending: where it was led to, or the form that came back; nothing of a broken one."""

    status: int = 0
    led: str = ""
    page: str = ""


class Browser:
    """Somebody who deploys, with habits."""

    def __init__(self, number: int, portals: Portals, cloud: str, tally: Tally) -> None:
        self.portals, self.cloud, self.tally = portals, cloud, tally
        self.random = random.Random(f"{random.random()}{number}")
        self.client = httpx.Client(timeout=15)
        self.pool = ThreadPoolExecutor(2)
        base = portals.address()
        page = self.client.get(f"{base}/account/login/").text
        login = {
            "login": f"chaos{number}@example.com",
            "password": PASSWORD,
            "csrfmiddlewaretoken": _hidden(page, "csrfmiddlewaretoken"),
        }
        answer = self.client.post(f"{base}/account/login/", data=login, headers={"Referer": base})
        assert answer.status_code == 302, answer.text
        self.cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())}

    def open(self, query: str, tries: int = 10) -> dict[str, Any] | str:
        """Open the wizard until it shows a complete form; return that, or where it leads because it was sent already.

        Return "" when it does not show one for so long: its name is in use, or lists cannot be read.
        """
        for _ in range(tries):
            answer = self.get(f"/deploy/?{query}")
            where = answer.headers.get("Location", "") if answer else ""
            if LED.search(where):
                return where
            if answer and 'name="seen_price"' in answer.text:
                return _form(answer.text)
            if where:
                # The draft that keeps what the address has chosen.
                query = where.partition("?")[2].partition("#")[0]
            else:
                time.sleep(0.2)
        return ""

    def get(self, path: str) -> httpx.Response | None:
        """Return a page, from whichever portal; None when it did not load."""
        try:
            answer = self.client.get(f"{self.portals.address()}{path}", headers=self.cookies)
        except httpx.HTTPError:
            self.tally.add("pages that did not load")
            return None
        self.look_at(answer)
        return answer

    def look_at(self, answer: httpx.Response) -> None:
        """Count an answer that is an error of the portal itself; those of the cloud are shown in one of its parts."""
        if answer.status_code >= 500 and "X-Part" not in answer.headers:
            self.tally.add("errors of the portal")

    def send(self, form: dict[str, Any], timeout: float = 15) -> Answer:
        """Press Deploy."""
        self.tally.add("forms sent")
        try:
            answer = self.client.post(
                f"{self.portals.address()}/deploy/", data=form, headers=self.cookies | HTMX, timeout=timeout
            )
        except httpx.HTTPError:
            self.tally.add("answers that did not arrive")
            return Answer()
        self.look_at(answer)
        return Answer(answer.status_code, answer.headers.get("HX-Redirect", ""), answer.text)

    def deploy(self, number: int) -> None:
        """Send one draft, in some way, until the portal says what came of it or patience ends."""
        model, region = self.random.choice(MODELS), self.random.choice(REGIONS)
        form = self.open(f"gpu_model={model}&gpu_count=1&region={region}", tries=200)
        assert isinstance(form, dict), "the wizard shows no form"
        name = f"chaos-{number:05d}" if self.random.random() < 0.85 else f"chaos-shared-{number // 40}"
        form |= {"gpu_model": model, "gpu_count": "1", "region": region, "name": name}
        habit = self.random.choices(list(HABITS), list(HABITS.values()))[0]
        self.tally.add(habit)
        self.harm()
        answers, led = self.first(form, habit), ""
        for _ in range(self.random.randint(3, 10)):
            led = next((answer.led for answer in answers if self.accepted(answer.led)), "")
            if led:
                break
            again, habit = self.after(form, answers, habit)
            if isinstance(again, str):
                led = again
                break
            answers = [self.send(again)]
        if not led:
            return
        # Whoever sends it once more is led to the same VM.
        answer = self.send(form) if self.random.random() < 0.3 else Answer()
        if answer.status and not answer.led:
            self.tally.add("accepted forms that did not lead back")

    def first(self, form: dict[str, Any], habit: str) -> list[Answer]:
        """Send it for the first time; return every answer."""
        if habit == "double click":
            return list(self.pool.map(self.send, [form, form]))
        if habit == "two windows":
            window = self.open(f"draft={form['draft']}")
            other = form | window if isinstance(window, dict) else form
            name = f"{form['name']}{self.random.choice(['', '-b'])}"
            return list(self.pool.map(self.send, [form, other | {"name": name}]))
        if habit == "does not wait":
            self.send(form, timeout=self.random.uniform(0.02, 0.3))
            return [self.send(form)]
        if habit == "goes back":
            return [self.send(form), self.send(form)]
        return [self.send(form)]

    def after(self, form: dict[str, Any], answers: list[Answer], habit: str) -> tuple[dict[str, Any] | str, str]:
        """Return what to send next: the form that came back, the old one, or that of a page opened anew."""
        page = next((answer.page for answer in answers if 'name="token"' in answer.page), "")
        led = any(answer.led for answer in answers)
        if not page and not led:
            time.sleep(0.2)
            return form, habit
        if led or "Another change is under way" in page or self.random.random() < 0.2:
            time.sleep(0.2)
            opened = self.open(f"draft={form['draft']}")
            return (opened if isinstance(opened, str) else form | opened), habit
        again = form | {"token": _hidden(page, "token")}
        if "A VM named" in page or "This name is being used" in page:
            self.tally.add("names that were taken")
            return again | {"name": f"chaos-own-{form['draft'][:13]}"}, habit
        if habit == "other name":
            return again | {"name": f"{form['name']}-b"}, "once"
        return again, habit

    def accepted(self, led: str) -> bool:
        """Return whether the page that follows a sending says that it was accepted."""
        answer = self.get(led) if led else None
        return answer is not None and "Accepted by Barrack" in answer.text

    def harm(self) -> None:
        """Have some of the next calls go wrong."""
        chosen = self.random.random()
        faults = LOST if chosen < 0.2 else FAILED if chosen < 0.35 else REFUSED if chosen < 0.4 else []
        if faults:
            fault = self.random.choice(faults)
            self.tally.add(f"armed: {fault['kind']} {fault.get('status', '')}".strip())
            control(self.cloud, "faults", {"operation": "create_instance", **fault})
        if self.random.random() < 0.1:
            times = self.random.randint(1, 3)
            control(
                self.cloud, "faults", {"operation": "list_instances", "times": times, **self.random.choice(READING)}
            )


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"the page has no {name}"
    return html.unescape(found[1])


def _form(page: str) -> dict[str, Any]:
    """Return what the wizard's form sends, but for what the browser chooses."""
    names = ("csrfmiddlewaretoken", "token", "draft", "seen_price")
    seen = re.findall(r'name="seen" value="([^"]*)"', page)
    fixed = {"boot": "os", "os_image": SYSTEM, "ssh_keys": "key-0001", "public_ip": "on", "start": "none"}
    return {name: _hidden(page, name) for name in names} | {"seen": seen, "intent": "create"} | fixed
