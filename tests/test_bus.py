"""The contract of the bus, held against each adapter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from app.bus import Bus, open_bus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@pytest.fixture(params=["memory:"])
def url(request: pytest.FixtureRequest) -> str:
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


def test_every_subscriber_hears_it(url: str) -> None:
    async def scenario(bus: Bus) -> None:
        with bus.subscribe("run") as one, bus.subscribe("run") as two:
            await bus.publish("run", "a")
            assert await one.get() == await two.get() == {"a": ""}

    play(url, scenario)


def test_an_unknown_url_names_the_choices() -> None:
    with pytest.raises(ValueError, match="memory:"):
        asyncio.run(open_bus("kafka:"))
