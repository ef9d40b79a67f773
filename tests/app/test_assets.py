"""What pages are made of: kept by browsers, and never old."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest
import zstandard

from app.pages import assets

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Server


@pytest.mark.parametrize("path", ["/", "/c/3"])
def test_all_that_a_page_loads_is_there_and_may_be_kept(shared_server: Server, path: str) -> None:
    page = shared_server.http.get(shared_server.url + path).text
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(found) > 10
    for address in found:
        answer = shared_server.http.get(shared_server.url + address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]


def test_files_come_packed_and_plain_also_to_pages_that_are_older_than_they(shared_server: Server) -> None:
    text = (assets.STATIC / "charts" / "panel.js").read_bytes()
    for stamp in (assets.stamp(), "0" * 12, assets.stamp()):
        url = f"{shared_server.url}/static/{stamp}"
        for encoding in ("gzip", "identity"):
            answer = shared_server.http.get(f"{url}/charts/panel.js", headers={"Accept-Encoding": encoding})
            assert answer.content == text
            assert answer.headers.get("content-encoding", "identity") == encoding
            assert answer.headers["content-type"].startswith("text/javascript")
        for path in ("no-such.js", "charts", "types.d.ts", "../app/main.py", "%2e%2e/app/main.py"):
            assert shared_server.http.get(f"{url}/{path}").status_code == 404
    assert shared_server.http.head(f"{url}/charts/panel.js").headers["content-type"].startswith("text/javascript")
    assert shared_server.http.post(f"{url}/charts/panel.js").status_code == 405


def test_plotly_comes_packed_to_those_who_can_unpack_it(shared_server: Server) -> None:
    url = shared_server.url + assets.PLOTLY_PATH
    plain = shared_server.http.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for accepted, encoding in (("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("zstd;q=0.9", "zstd")):
        with shared_server.http.stream("GET", url, headers={"Accept-Encoding": accepted}) as packed:
            data = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == encoding
        assert packed.headers["vary"] == "Accept-Encoding"
        assert data == assets.packed_plotly(encoding)
        assert int(packed.headers["content-length"]) == len(data) < 0.4 * len(plain.content)
    assert gzip.decompress(assets.packed_plotly("gzip")) == plain.content
    assert zstandard.ZstdDecompressor().decompress(assets.packed_plotly("zstd")) == plain.content


def test_the_stamp_changes_with_any_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "STATIC", tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "a.js").write_text('import { b } from "./parts/b.js";\n')
    (tmp_path / "parts" / "b.js").write_text('import { c } from "../c.js";\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    before = assets.stamp()
    assert assets.stamp() == before
    assert assets.modules("a.js") == ["a.js", "parts/b.js", "c.js"]
    assert assets.modules("c.js", "a.js") == ["c.js", "a.js", "parts/b.js"]
    assert set(assets.packed_static(before)) == {"a.js", "parts/b.js", "c.js"}
    (tmp_path / "parts" / "b.js").write_text('import { d } from "./d.js";\n')
    (tmp_path / "parts" / "d.js").write_text("export const d = 1;\n")
    assert assets.stamp() != before
    assert assets.modules("a.js") == ["a.js", "parts/b.js", "parts/d.js"]
