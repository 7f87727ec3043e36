"""Actors that run one at a time and change over only where the world lets them, so that a seed is a run."""

import threading
from collections.abc import Callable
from random import Random


class Killed(BaseException):  # not an error: what happens to a process, so nothing may catch it
    """The actor's process died here."""


class Actor:
    """One process: `main` runs in a thread of its own, but only while the scheduler waits for it."""

    def __init__(self, kind: str, name: str, main: Callable[["Actor"], None]) -> None:
        self.kind = kind
        self.name = name
        self.dead = False
        self.done = False
        self.error: BaseException | None = None
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(main,), name=name, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Lets the actor run until it changes over or ends."""
        self._turn.release()
        self._back.acquire()

    def change_over(self) -> None:
        """Called by the actor: waits for its next turn."""
        self._back.release()
        self._turn.acquire()
        if self.dead:
            raise Killed

    def kill(self) -> None:
        """Ends the actor from outside, wherever it is."""
        self.dead = True
        while not self.done:
            self.resume()

    def _run(self, main: Callable[["Actor"], None]) -> None:
        self._turn.acquire()
        try:
            if not self.dead:
                main(self)
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  # handed to the main thread, which raises it
            self.error = error
        self.done = True
        self._back.release()


class Scheduler:
    """Starts actors and chooses, by the seed, whose turn it is."""

    def __init__(self, rng: Random, change_over: float) -> None:
        self._rng = rng
        self._change_over = change_over
        self.active: list[Actor] = []
        self.current: Actor | None = None

    def start(self, kind: str, name: str, main: Callable[[Actor], None]) -> Actor:
        """A new actor, which has not run yet."""
        actor = Actor(kind, name, main)
        self.active.append(actor)
        return actor

    def step(self) -> Actor:
        """Gives one active actor a turn; raises what it raised."""
        actor = self._rng.choice(self.active)
        self.current = actor
        actor.resume()
        self.current = None
        if actor.done:
            self.active.remove(actor)
        if actor.error is not None:
            raise actor.error
        return actor

    def point(self) -> None:
        """A place where the current actor may have to wait while others run."""
        actor = self.current
        if actor is None:
            return
        if len(self.active) > 1 and self._rng.random() < self._change_over:
            actor.change_over()

    def stop(self) -> None:
        """Kills all that is left."""
        for actor in self.active:
            actor.kill()
        self.active.clear()
