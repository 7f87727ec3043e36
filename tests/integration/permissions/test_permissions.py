"""The stack has the permissions that it needs, and no other: without any one of them a check of the park fails."""

import json
import os

import pytest

from sandbox.stack import Sandbox
from tests.integration.permissions.park_check import ParkCheck, prepared
from tests.integration.permissions.statements import declared, grants, policies, running

EACH_VALUE = "SIGNALBOX_EACH_PERMISSION" in os.environ
"""Each action and resource of a statement alone, too: `make permissions`. It takes three times as long."""

UNSHOWN = ("states:TagResource",) if EACH_VALUE else ()
"""Whether Step Functions asks for it where a state machine is made with tags is documented nowhere that we found, so
the sandbox does not. The reconciler has it all the same: if AWS does ask, no flow could be made at run time without."""


def ailing(check: ParkCheck) -> list[str]:
    """What fails twice: on a busy machine a call may take too long once, and functions are not tried again here."""
    return check.run(to_the_end=True) and check.run(to_the_end=True)


def test_without_any_one_permission_a_check_of_the_park_fails(park: Sandbox, capsys: pytest.CaptureFixture[str]):
    found = policies(park.emulator)
    assert running(found) == declared(json.loads(park.pulumi("stack", "export")))

    noticed: dict[str, list[str]] = {}
    with prepared(park) as check:
        check.run()  # starts the functions' processes, which takes long on a busy machine
        assert ailing(check) == []
        for policy in found:
            all_of_it = grants(policy, each_value=EACH_VALUE)
            for grant in all_of_it:
                name = str(grant)
                with grant.taken_away():
                    noticed[name] = check.run()
                print(f"{name}: {'; '.join(noticed[name]) or 'NOBODY NOTICED'}")
            if len(all_of_it) > 1 and check.run():
                assert ailing(check) == [], f"after {policy.name} was put back"
        assert ailing(check) == []

    number = sum(len(grants(policy, each_value=EACH_VALUE)) for policy in found)
    with capsys.disabled():
        print(f"\n{len(noticed)} of {number} permissions taken away, {sum(map(bool, noticed.values()))} noticed")
    assert len(noticed) == number
    unnoticed = [name for name, failed in noticed.items() if not failed]
    assert [name.rpartition(": ")[2] for name in unnoticed] == list(UNSHOWN)
