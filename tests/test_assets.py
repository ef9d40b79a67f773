"""What pages are made of: kept by browsers, and never old."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from app.pages import assets

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Server


@pytest.mark.parametrize("path", ["/", "/c/3"])
def test_all_that_a_page_loads_is_there_and_may_be_kept(shared_server: Server, path: str) -> None:
    page = shared_server.http.get(shared_server.url + path).text
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(found) > 10
    for address in found:
        answer = shared_server.http.get(shared_server.url + address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]
    assert shared_server.http.get(f"{shared_server.url}/static/{assets.stamp()}/no-such.js").status_code == 404


def test_plotly_comes_packed_to_those_who_can_unpack_it(shared_server: Server) -> None:
    url = shared_server.url + assets.PLOTLY_PATH
    plain = shared_server.http.get(url, headers={"Accept-Encoding": "identity"})
    packed = shared_server.http.get(url, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(assets.packed_plotly()) < 0.4 * len(plain.content)
    assert packed.content == plain.content == gzip.decompress(assets.packed_plotly())


def test_the_stamp_changes_with_any_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "STATIC", tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "a.js").write_text('import { b } from "./parts/b.js";\n')
    (tmp_path / "parts" / "b.js").write_text('import { c } from "../c.js";\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    before = assets.stamp()
    assert assets.stamp() == before
    assert assets.modules("a.js") == ["a.js", "parts/b.js", "c.js"]
    (tmp_path / "parts" / "b.js").write_text('import { d } from "./d.js";\n')
    (tmp_path / "parts" / "d.js").write_text("export const d = 1;\n")
    assert assets.stamp() != before
    assert assets.modules("a.js") == ["a.js", "parts/b.js", "parts/d.js"]
