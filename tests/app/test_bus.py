"""The contract of the bus, held against each adapter."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
import redis

from app.bus import Bus, open_bus

from ..services import Valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from app.bus import Subscription


@pytest.fixture(params=["memory:", "redis:"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "redis:":
        found: str = request.getfixturevalue("valkey").url
        return found
    value: str = request.param
    return value


def play(url: str, scenario: Callable[[Bus], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        bus = await open_bus(url)
        async with asyncio.timeout(10):
            await scenario(bus)
        await bus.close()

    asyncio.run(main())


def test_a_subscriber_hears_what_is_published_after_it_came(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        await bus.publish("frames", "a", "0")
        with bus.subscribe("frames") as subscription:
            await bus.publish("frames", "a", "1")
            assert await subscription.get() == {"a": "1"}

    play(url, scenario)


def test_only_the_newest_value_of_a_key_waits(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("frames") as subscription:
            for i in range(10_000):
                await bus.publish("frames", "a", str(i))
            await bus.publish("frames", "b", "x")
            assert await subscription.get() == {"a": "9999", "b": "x"}

    play(url, scenario)


def test_keys_and_channels_are_kept_apart(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("frames", ["a"]) as mine, bus.subscribe("run") as other:
            await bus.publish("frames", "b", "1")
            await bus.publish("run", "a", "2")
            await bus.publish("frames", "a", "3")
            assert await mine.get() == {"a": "3"}
            assert await other.get() == {"a": "2"}

    play(url, scenario)


def test_getting_waits_for_news(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("frames") as subscription:
            waiting = asyncio.create_task(subscription.get())
            await asyncio.sleep(0)
            assert not waiting.done()
            await bus.publish("frames", "a", "1")
            assert await waiting == {"a": "1"}

    play(url, scenario)


def test_what_is_new_already_can_be_had_without_waiting(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("frames", ["a", "b"]) as subscription:
            assert subscription.now() == {}
            for key in ("a", "b", "c"):
                await bus.publish("frames", key, "1")
            assert subscription.now() == {"a": "1", "b": "1"}
            waiting = asyncio.create_task(subscription.get())
            await asyncio.sleep(0)
            assert not waiting.done()
            await bus.publish("frames", "b", "2")
            assert await waiting == {"b": "2"}

    play(url, scenario)


def test_who_has_left_hears_nothing_and_takes_no_room(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("frames", ["a"]) as gone:
            pass
        with bus.subscribe("frames", ["a"]) as here:
            await bus.publish("frames", "a", "1")
            assert await here.get() == {"a": "1"}
        assert gone.now() == {}

    play(url, scenario)


def test_every_subscriber_hears_it(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("run") as one, bus.subscribe("run") as two:
            await bus.publish("run", "a")
            assert await one.get() == await two.get() == {"a": ""}

    play(url, scenario)


def test_an_unknown_url_names_the_choices() -> None:
    with pytest.raises(ValueError, match="memory:"):
        asyncio.run(open_bus("kafka:"))


def between(url: str, scenario: Callable[[Bus, Bus], Coroutine[None, None, None]]) -> None:
    """A scenario of two processes, as far as a bus can tell."""

    async def main() -> None:
        one, two = await open_bus(url), await open_bus(url)
        async with asyncio.timeout(20):
            await scenario(one, two)
        await one.close()
        await two.close()

    asyncio.run(main())


async def until(*buses: Bus, there: bool) -> None:
    """Wait until all reach each other, or none does."""
    for bus in buses:
        while await bus.reachable() is not there:  # noqa: ASYNC110  what it waits for happens in another process
            await asyncio.sleep(0.01)


async def heard(publisher: Bus, subscription: Subscription) -> dict[str, str]:
    """What comes of publishing the same until it is heard."""
    while True:
        await publisher.publish("frames", "a", "1")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                return await subscription.get()


def test_another_process_hears_the_newest_value_once(valkey: Valkey) -> None:
    async def scenario(one: Bus, two: Bus) -> None:
        with two.subscribe("frames", ["a"]) as there, one.subscribe("frames") as here:
            for i in range(1000):
                await one.publish("frames", "a", str(i))
                await one.publish("frames", "b", str(i))
            assert await here.get() == {"a": "999", "b": "999"}
            while (await there.get())["a"] != "999":
                pass
            waiting = asyncio.create_task(here.get())  # its own words do not come back to it
            await two.publish("frames", "c", "from two")
            assert await waiting == {"c": "from two"}

    between(valkey.url, scenario)


def test_a_bus_that_was_away_comes_back_by_itself_and_what_was_published_meanwhile_arrives() -> None:
    own = Valkey()
    own.start()

    async def scenario(one: Bus, two: Bus) -> None:
        with two.subscribe("frames") as there:
            assert await heard(one, there) == {"a": "1"}
            own.kill()
            await until(one, two, there=False)
            await one.publish("frames", "late", "kept")
            await asyncio.to_thread(own.start)
            await until(one, two, there=True)
            assert (await heard(one, there)).keys() & {"a", "late"}

    try:
        between(own.url, scenario)
    finally:
        own.kill()


def test_a_bus_that_is_not_there_yet_is_no_reason_not_to_start() -> None:
    own = Valkey()

    async def scenario(one: Bus, two: Bus) -> None:
        assert not await one.reachable()
        with one.subscribe("frames") as here:
            await one.publish("frames", "a", "1")
            assert await here.get() == {"a": "1"}
        await asyncio.to_thread(own.start)
        with two.subscribe("frames") as there:
            assert await heard(one, there) == {"a": "1"}

    try:
        between(own.url, scenario)
    finally:
        own.kill()


def test_what_others_say_on_its_channels_does_no_harm(valkey: Valkey) -> None:
    async def scenario(one: Bus, two: Bus) -> None:
        with redis.Redis.from_url(valkey.url) as client, two.subscribe("frames") as there:
            for nonsense in (b"", b"{}", b"[1]", b"\xff\xfe", b"5"):
                client.publish("normscope:frames", nonsense)
            assert await heard(one, there) == {"a": "1"}

    between(valkey.url, scenario)
