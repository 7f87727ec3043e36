"""`redrive --send`: who has got what, and what is still in the queue, whatever fails on the way."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

import signalbox.cli.redrive as command
from signalbox.aws.undelivered import Letter
from signalbox.redrive import Left, Sending
from signalbox.runtime.errors import CallError, Refused
from tests.unit.sync.test_redrive import EVENT, MAIL, dead_letter, routes

STACK = {
    "a": {"targets": [{"topic": "mail"}]},
    "b": {"targets": [{"queue": "jobs", "message-group": "g"}]},
    "c": {"targets": [{"function": "metrics"}]},
}


class Account:
    """A queue with letters, and targets of which some refuse."""

    def __init__(self, *letters: tuple[Any, dict[str, str]], refuse: tuple[str, ...] = (), keep: bool = False) -> None:
        now = datetime.now(UTC)
        self.letters = {str(n): Letter(str(n), now, *letter, str(n)) for n, letter in enumerate(letters)}
        self.refuse, self.keep = refuse, keep
        self.got: list[str] = []
        self.left: list[Left] = []
        self.until, self.emptied = float("inf"), True

    def read(self, limit: int) -> Iterator[Letter]:
        yield from list(self.letters.values())[:limit]

    def release(self, letters: Any) -> None:
        self.released = [letter.id for letter in letters]

    def delete(self, letter: Letter) -> None:
        if self.keep:
            raise CallError("Throttling", "")
        del self.letters[letter.id]

    def send(self, sending: Sending, letter: str) -> None:
        for name in sending.names:
            if name in self.refuse:
                raise Refused("AccessDenied", "no")
            self.got.append(name)

    def leave(self, left: Left) -> None:
        self.left.append(left)


UNFED = dead_letter("park.feed.0a1b2c3d", bus="")


def redrive(account: Account, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any]:
    stack = routes(**STACK)
    monkeypatch.setattr(command, "_open", lambda _: (account, account, stack))
    monkeypatch.setattr(command, "read_stack", lambda *_: None)
    result = CliRunner().invoke(command.redrive, ["--json", *arguments])
    return result.exit_code, json.loads(result.stdout)["messages"]


def test_one_who_looks_sends_nothing_and_takes_nothing(monkeypatch):
    account = Account(dead_letter("a"), ("hello", {}))
    code, messages = redrive(account, monkeypatch)
    assert (code, account.got, account.released) == (1, [], ["0", "1"])
    assert [each["targets"] for each in messages] == [["topic mail"], []]


def test_what_one_target_refuses_the_others_get_once_and_it_alone_is_left(monkeypatch):
    account = Account(UNFED, refuse=("queue jobs",))
    code, (message,) = redrive(account, monkeypatch, "--send")
    assert (code, message["sent"], len(message["stays"])) == (1, True, 1)
    assert "queue jobs: AccessDenied" in message["stays"][0]["why"]
    assert account.got == ["topic mail", "function metrics"]
    assert [left.names for left in account.left] == [("queue jobs",)]
    assert account.letters == {}


def test_what_nobody_takes_stays_as_it_is(monkeypatch):
    account = Account(UNFED, dead_letter("a"), refuse=("topic mail", "queue jobs", "function metrics"))
    code, messages = redrive(account, monkeypatch, "--send")
    assert (code, [each["sent"] for each in messages]) == (1, [False, False])
    assert (account.got, account.left, account.released) == ([], [], ["0", "1"])


def test_what_was_sent_and_cannot_be_taken_off_the_queue_is_told(monkeypatch):
    account = Account(dead_letter("a"), keep=True)
    code, (message,) = redrive(account, monkeypatch, "--send")
    assert (code, account.got, account.released) == (1, ["topic mail"], ["0"])
    assert "sent, but the message is still there" in message["stays"][0]["why"]


def test_an_event_that_nobody_can_write_stops_no_other(monkeypatch):
    deep: Any = float("inf")
    for _ in range(900):
        deep = [deep]
    account = Account(({**EVENT, "detail": {"ride": "wheel", "x": deep}}, dead_letter("a")[1]), dead_letter("a"))
    code, messages = redrive(account, monkeypatch, "--send")
    assert (code, account.got) == (1, ["topic mail"])
    assert [each["sent"] for each in messages] == [False, True]


def test_only_messages_of_the_route_are_sent(monkeypatch):
    account = Account(dead_letter("a"), dead_letter("b", target=f"{MAIL}-other"))
    code, (message,) = redrive(account, monkeypatch, "--send", "--route", "stop/a")
    assert (code, message["routes"], account.got) == (0, ["stop/a"], ["topic mail"])
    assert list(account.letters) == ["1"]


def test_after_the_time_that_others_do_not_see_it_nothing_is_sent(monkeypatch):
    account = Account(dead_letter("a"))
    account.until = 0.0
    code, (message,) = redrive(account, monkeypatch, "--send")
    assert (code, account.got, message["stays"][0]["why"]) == (1, [], "there was no time for it")
