"""What tests see of a page in the browser, on a page whose faults are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_support import Browser

PAGE = """<!doctype html>
<html lang="en"><head><meta name="viewport" content="width=device-width"><title>A page</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; color: #000; background: #fff; }
@media (prefers-color-scheme: dark) { body { color: #fff; background: #000; } }
</style></head>
<body>
<p style="color: #777">4.48 on white</p>
<p style="color: color-mix(in srgb, #767676, #767676)">4.54 on white</p>
<p style="color: #999; font-size: 24px">2.85, large</p>
<p style="color: #888; font-size: 24px">3.54, large</p>
<p style="color: #000; background: #fff"><span style="opacity: .5">half is 4.00</span></p>
<p style="visibility: hidden; color: #eee">nobody sees it</p>
<div style="overflow-x: auto"><div style="width: 900px">scrolls in its box</div></div>
<p id="there"><a href="beside.txt">a file</a> <a href="none.txt">none</a>
<a href="#there">here</a> <a href="#nowhere">nowhere</a></p>
<button onclick="this.textContent = 'pressed'">press</button>
</body></html>
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "beside.txt").write_text("there")
    path = tmp_path / "page.html"
    path.write_text(PAGE)
    return path


def test_faint_texts_are_found_by_the_ratio_of_wcag(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.faint() == ["4.48: 4.48 on white", "2.85: 2.85, large", "4.00: half is 4.00"]
    browser.prefer("dark")
    # The greys are told better from black.
    assert browser.faint() == ["4.00: half is 4.00"]


def test_links_are_followed_to_files_and_anchors(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.dead_links() == ["#nowhere", str(page.parent / "none.txt")]


def test_what_is_wider_than_the_window_is_found(browser: Browser, page: Path) -> None:
    browser.open(page, width=390)
    assert browser.js("return innerWidth") == 390
    assert browser.overflow() == []
    browser.js("document.querySelector('p').style.width = '500px'")
    assert browser.overflow() == ['<p style="color: rgb(119, 119, 119); width: 500px;"></p>']


def test_keys_and_pictures(browser: Browser, page: Path, tmp_path: Path) -> None:
    from PIL import Image

    browser.open(page, width=600, height=100)
    browser.js("document.querySelector('button').focus()")
    browser.press(" ")
    assert browser.texts("button") == ["pressed"]
    with Image.open(browser.picture(tmp_path / "window.png", whole=False)) as shown:
        assert shown.size == (600, 100)
    with Image.open(browser.picture(tmp_path / "page.png")) as shown:
        assert shown.width == 600
        assert shown.height == browser.js("return document.documentElement.scrollHeight") > 100


def test_the_console_and_the_net_are_watched(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<script>nothing()</script><img src="http://example.org/a.png" alt="">')
    browser.open(path)
    refused, thrown = sorted(browser.errors(), key=lambda told: "not defined" in told)
    assert "nothing is not defined" in thrown
    assert "ERR_NAME_NOT_RESOLVED" in refused
