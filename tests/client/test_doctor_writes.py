"""The one life cycle of writes: what it checks at each step, and that it leaves nothing behind."""

import json
from typing import Any

import httpx
import pytest

from barrack_web.client import Doctor, ScriptLife

from .doctors import Patient, json_of

STEPS = ["create_script", "get_script", "update_script", "get_script", "delete_script", "get_script"]


def walked(patient: Patient) -> tuple[Doctor, ScriptLife]:
    with patient.doctor() as doctor:
        doctor._find_key()
        before = dict(patient.sandbox.world.scripts)
        life = ScriptLife(doctor)
        life.walk()
        left = [row for key, row in patient.sandbox.world.scripts.items() if key not in before]
        assert bool(left) == bool(doctor.report.left_behind)
        assert before.items() <= patient.sandbox.world.scripts.items()
    return doctor, life


def problems(doctor: Doctor) -> dict[str, str]:
    return {step.operation: step.problem for step in doctor.report.writes if step.problem}


def test_it_makes_changes_and_deletes_one_script(patient: Patient) -> None:
    doctor, life = walked(patient)
    steps = doctor.report.writes
    assert [step.operation for step in steps] == STEPS
    assert [step.status for step in steps] == [200, 200, 200, 200, 200, 404]
    assert problems(doctor) == {}
    sent = [call.body for call in patient.sandbox.log.calls("create_script")]
    assert [body["name"] for body in sent] == [life.name]
    assert life.name.startswith("barrack-web-check-")


def test_it_never_takes_the_same_name_twice(patient: Patient) -> None:
    assert walked(patient)[1].name != walked(patient)[1].name


@pytest.mark.parametrize("operation", ["get_script", "update_script"])
@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "html", "status": 200}])
def test_it_deletes_what_it_made_when_a_step_fails(patient: Patient, operation: str, fault: dict[str, Any]) -> None:
    patient.sandbox.faults.arm(operation, **fault)
    doctor, _ = walked(patient)
    assert list(problems(doctor)) == [operation]
    assert doctor.report.left_behind == ""
    assert doctor.report.writes[-2].operation == "delete_script"


def test_it_stops_at_a_creation_that_is_refused(patient: Patient) -> None:
    patient.sandbox.faults.arm("create_script", "status", status=403)
    doctor, _ = walked(patient)
    assert [(step.operation, step.status) for step in doctor.report.writes] == [("create_script", 403)]
    assert len(patient.sandbox.log.calls("delete_script")) == 0


def test_it_finds_by_its_name_what_was_made_without_an_answer(patient: Patient) -> None:
    patient.sandbox.faults.arm("create_script", "drop_answer")
    doctor, _ = walked(patient)
    assert list(problems(doctor)) == ["create_script"]
    assert len(patient.sandbox.log.calls("delete_script")) == 1
    assert doctor.report.left_behind == ""


def test_it_finds_by_its_name_what_was_made_without_an_id(patient: Patient) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        patient._door.handle_request(request)
        return json_of(200, {"success": True})

    patient.answer = answer
    doctor, _ = walked(patient)
    assert problems(doctor) == {"create_script": "the answer does not hold the new script, so its id is not known"}


def test_it_tries_a_deletion_that_failed_once_more(patient: Patient) -> None:
    patient.sandbox.faults.arm("delete_script", "status", status=500, times=1)
    doctor, _ = walked(patient)
    assert list(problems(doctor)) == ["delete_script"]
    assert len(patient.sandbox.log.calls("delete_script")) == 2


def test_it_says_what_is_left_behind(patient: Patient) -> None:
    patient.sandbox.faults.arm("delete_script", "status", status=500, times=None)
    doctor, life = walked(patient)
    left = next(key for key, row in patient.sandbox.world.scripts.items() if row["name"] == life.name)
    assert doctor.report.left_behind == f"{life.name} (id {left})"
    assert not doctor.report.works


def test_it_says_when_nobody_knows_whether_something_was_made(patient: Patient) -> None:
    patient.limit = 0.4
    patient.sandbox.faults.arm("create_script", "hang")
    with patient.doctor() as doctor:
        doctor._find_key()
        life = ScriptLife(doctor)
        life.walk()
    assert doctor.report.left_behind == f"{life.name} (nobody knows whether it was made; it may still appear)"


@pytest.mark.parametrize(
    ("method", "lie", "operation", "problem"),
    [
        ("POST", {"name": "other"}, "create_script", "the script has another name than was sent"),
        ("GET", {"content": "other"}, "get_script", "the script has another content than was sent"),
        ("PUT", {"content": "other"}, "update_script", "the script has another content than was sent"),
    ],
)
def test_it_compares_what_it_sent_with_what_is_there(
    patient: Patient, method: str, lie: dict[str, str], operation: str, problem: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.method != method or "/scripts" not in request.url.path:
            return None
        body = json.loads(patient._door.handle_request(request).read())
        return json_of(200, {**body, "script": {**body["script"], **lie}}) if "script" in body else None

    patient.answer = answer
    doctor, _ = walked(patient)
    assert problems(doctor)[operation] == problem


def test_it_sees_a_script_that_outlives_its_deletion(patient: Patient) -> None:
    patient.answer = lambda request: json_of(200, {"success": True}) if request.method == "DELETE" else None
    with patient.doctor() as doctor:
        doctor._find_key()
        life = ScriptLife(doctor)
        life.walk()
    assert doctor.report.writes[-1].problem == "the script is still there after it was deleted"
    left = next(key for key, row in patient.sandbox.world.scripts.items() if row["name"] == life.name)
    assert doctor.report.left_behind == f"{life.name} (id {left})"


def test_it_deletes_what_it_made_when_it_is_interrupted(patient: Patient) -> None:
    def progress(number: int, _steps: int, _what: str) -> None:
        if number == 3:
            raise KeyboardInterrupt

    before = dict(patient.sandbox.world.scripts)
    with patient.doctor() as doctor:
        doctor._find_key()
        with pytest.raises(KeyboardInterrupt):
            ScriptLife(doctor, progress).walk()
    assert len(patient.sandbox.log.calls("create_script")) == 1
    assert patient.sandbox.world.scripts == before
    assert doctor.report.left_behind == ""
