"""Once: of any number of workers one does the work, and a worker that dies is followed."""

import threading
from typing import Any

import pytest
from lambda_fakes import Clock, Context, Dynamo, error, stored

from signalbox.runtime import once as module
from signalbox.runtime.errors import Unavailable
from signalbox.runtime.once import GRACE_MILLISECONDS, AwsMemory, Once, once

LEASE = 10_000
REMEMBER = 180


class World:
    """A table, a clock, and the work that was done."""

    def __init__(self) -> None:
        self.table, self.clock = Dynamo(), Clock()
        self.done: list[str] = []
        self.once = Once(AwsMemory(self.table, "state", "test"), self.clock.milliseconds, self.clock.sleep)

    def act(self, key: str = "ride", owner: str = "event", work: Any = None) -> Any:
        def default() -> str:
            self.done.append(owner)
            return f"by {owner}"

        return self.once.act(key, owner, REMEMBER, LEASE, work or default)


@pytest.fixture
def world() -> World:
    return World()


def test_a_repeat_within_the_time_does_nothing_and_after_it_works_again(world: World) -> None:
    assert world.act(owner="a") == "by a"
    world.clock.sleep(REMEMBER - 0.001)
    assert world.act(owner="b") is None
    world.clock.sleep(0.001)
    assert world.act(owner="c") == "by c"
    assert world.done == ["a", "c"]


def test_keys_do_not_know_of_each_other(world: World) -> None:
    world.act("one")
    world.act("two")
    assert len(world.done) == 2


class Stuttering(Dynamo):
    """A table whose first write is done twice, as the SDK does it when the answer gets lost."""

    def put_item(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        if not self.items:
            super().put_item(*arguments, **options)
        return super().put_item(*arguments, **options)


def test_a_claim_that_the_sdk_repeats_is_held_by_the_one_who_made_it() -> None:
    clock = Clock()
    memory = AwsMemory(Stuttering(), "state", "test")
    before = clock.time
    done = Once(memory, clock.milliseconds, clock.sleep).act("ride", "event", REMEMBER, LEASE, lambda: "done")
    assert (done, clock.time) == ("done", before)


def test_work_that_raises_leaves_the_key_free(world: World) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        world.act(owner="a", work=fail)
    assert world.act(owner="b") == "by b"


def test_a_worker_that_died_is_followed_when_its_lease_has_ended(world: World) -> None:
    class Died(BaseException):
        """The end of a process: nothing of ours runs after it."""

    def die() -> None:
        world.table.error = error("gone")
        raise Died

    with pytest.raises(Died):
        world.act(owner="a", work=die)
    world.table.error = None
    assert world.act(owner="b") is None
    world.clock.sleep((LEASE + GRACE_MILLISECONDS) / 1000)
    assert world.act(owner="b") == "by b"


def test_a_second_try_of_the_same_event_waits_for_the_first_and_takes_over_when_it_died(world: World) -> None:
    memory = AwsMemory(world.table, "state", "test")
    first = module.Claim("event", "first", world.clock.milliseconds() + LEASE)
    assert memory.claim("ride", first, world.clock.milliseconds()) is None
    world.clock.sleep(2)
    assert world.act(owner="event") == "by event"
    assert world.clock.milliseconds() >= first.until


def test_a_second_try_that_may_not_wait_so_long_fails_instead_of_dropping_the_event(world: World) -> None:
    memory = AwsMemory(world.table, "state", "test")
    memory.claim("ride", module.Claim("event", "first", world.clock.milliseconds() + 60_000), 0)
    with pytest.raises(Unavailable):
        world.act(owner="event")
    assert world.done == []


def test_another_event_does_not_wait_for_a_worker(world: World) -> None:
    memory = AwsMemory(world.table, "state", "test")
    memory.claim("ride", module.Claim("event", "first", world.clock.milliseconds() + 5_000), 0)
    before = world.clock.time
    assert world.act(owner="other") is None
    assert world.clock.time == before


def test_a_worker_that_lost_its_lease_does_not_undo_the_work_of_its_follower(world: World) -> None:
    def slow() -> str:
        world.clock.sleep(60)
        assert world.act(owner="follower") == "by follower"
        raise RuntimeError("too late, and in vain")

    with pytest.raises(RuntimeError):
        world.act(owner="slow", work=slow)
    assert world.act(owner="third") is None


def test_work_that_is_done_counts_although_its_end_could_not_be_noted(world: World) -> None:
    def work() -> str:
        world.table.error = error("ThrottlingException")
        return "done"

    assert world.act(work=work) == "done"


@pytest.mark.parametrize("owners", ["different", "the same"])
def test_of_8_workers_at_once_one_does_the_work(owners: str) -> None:
    table = Dynamo()
    done: list[int] = []
    start = threading.Barrier(8)

    def worker(number: int) -> None:
        start.wait()
        owner = f"event-{number if owners == 'different' else 0}"
        Once(AwsMemory(table, "state", "test")).act("ride", owner, REMEMBER, LEASE, lambda: done.append(number))

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1


def test_items_are_deleted_by_dynamodb_only_after_they_have_ended(world: World) -> None:
    world.act()
    (item,) = world.table.items.values()
    assert int(item["ExpiresAt"]["N"]) >= int(item["Until"]["N"]) / 1000


def test_a_decorated_handler_runs_once_for_an_event_and_again_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Dynamo()
    monkeypatch.setattr(module, "client", lambda _: table)
    monkeypatch.setenv("STATE", "state")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "park-work")
    done = []

    @once()
    def handle(event: Any, context: Any) -> str:
        assert context is not None
        done.append(event["id"])
        return "result"

    event = stored("eventbridge-wait-times.json")
    assert handle(event, Context()) == "result"
    assert handle(event, Context()) is None
    assert handle({**event, "id": "other"}, Context()) == "result"
    assert len(done) == 2
    assert handle.__name__ == "handle"
    assert {partition for partition, _ in table.items} == {"once#park-work"}
