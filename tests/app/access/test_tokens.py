"""When a token was last used is written now and then, not once for everybody who comes with it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from app.access.tokens import find_token, make_token, note_use
from app.store.sql import SqlStore

if TYPE_CHECKING:
    from pathlib import Path


class Counting(SqlStore):
    """Counts the changes of records that it makes."""

    changes = 0

    async def change(self, *arguments: Any, **values: Any) -> Any:
        self.changes += 1
        return await super().change(*arguments, **values)


def test_a_crowd_with_one_token_is_one_write(tmp_path: Path) -> None:
    async def come() -> tuple[int, float | None]:
        store = await Counting.open(f"sqlite:///{tmp_path}/normscope.db")
        try:
            made, token = await make_token(store, "viewer", "a crowd's")
            await asyncio.gather(*(note_use(store, made) for _ in range(500)))
            found = await find_token(store, token)
        finally:
            await store.close()
        assert found is not None
        return store.changes, found.last_used

    began = time.time()
    changes, used = asyncio.run(come())
    assert changes == 1
    assert used is not None
    assert used >= began
