"""A real browser that opens pages of ours: Debian's Chromium, with neither screen nor net."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest

Scheme = Literal["light", "dark"]

# What keeps it from looking anything up, or from asking the user anything.
_OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-default-browser-check",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Browser:
    """One browser with one tab; skips the test where a part of it is missing.

    Attributes:
        driver: Selenium's, for whatever is not here.
    """

    def __init__(self) -> None:
        chromium, chromedriver = _program("chromium"), _program("chromedriver")
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._folder = Path(tempfile.mkdtemp(prefix="iterate-browser-"))
        for option in (*_OPTIONS, f"--user-data-dir={self._folder}"):
            options.add_argument(option)
        if os.getuid() == 0:  # its sandbox refuses root
            options.add_argument("--no-sandbox")
        # With the driver's path given, Selenium looks for no other.
        service = webdriver.ChromeService(executable_path=chromedriver)
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(
        self, page: Path | str, width: int = 1400, height: int = 900, scheme: Scheme = "light"
    ) -> None:
        """Load a page, at a size in CSS pixels and in the colours that its reader prefers.

        Args:
            page: A file, or an address on 127.0.0.1.
            width: Of the window, narrower than a real window can be made, too.
            height: Of the window.
            scheme: What ``prefers-color-scheme`` says.
        """
        self.resize(width, height)
        self.prefer(scheme)
        self.driver.get(page.resolve().as_uri() if isinstance(page, Path) else page)

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: Scheme) -> None:
        """Let the reader prefer other colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def all(self, selector: str) -> list[Any]:
        """The elements that a CSS selector finds, shown or not."""
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        """The only element that a CSS selector finds."""
        (found,) = self.all(selector)
        return found

    def texts(self, selector: str) -> list[str]:
        """What is to be read in the elements that are shown, from top to bottom."""
        return [element.text for element in self.all(selector) if element.is_displayed()]

    def press(self, *keys: str) -> None:
        """Type on the keyboard: what has the focus gets the keys."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def js(self, body: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(body, *arguments)

    def errors(self) -> list[str]:
        """What the console has told as an error or a warning since it was asked last."""
        entries = self.driver.get_log("browser")
        return [one["message"] for one in entries if one["level"] in ("SEVERE", "WARNING")]

    def overflow(self) -> list[str]:
        """Elements that make the page wider than the window, as their opening tags."""
        told: list[str] = self.js(_OVERFLOW)
        return told

    def faint(self, least: float = 4.5) -> list[str]:
        """Texts with too little contrast, with the ratio of each as WCAG 2 defines it.

        Args:
            least: The least ratio of small text; large text may have 3.
        """
        told: list[str] = self.js(_FAINT, least)
        return told

    def dead_links(self) -> list[str]:
        """Links whose file is not there, or whose anchor is not on the page."""
        told: list[str] = self.js(_ANCHORS)
        for link in dict.fromkeys(self.js(_FILES)):
            path = Path(link.partition("#")[0].partition("?")[0])
            if not path.is_file():
                told.append(link)
        return told

    def picture(self, path: Path, whole: bool = True) -> Path:
        """Save the page as a PNG.

        Args:
            path: The file.
            whole: All of the page, or what the window shows of it.
        """
        options: dict[str, Any] = {"captureBeyondViewport": whole}
        if whole:
            size = self.js(
                "const r = document.documentElement; return [r.clientWidth, r.scrollHeight]"
            )
            clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
            options |= {"clip": clip}
        data = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
        path.write_bytes(base64.b64decode(data))
        return path

    def end(self) -> None:
        """Close it, and forget what it has written."""
        self.driver.quit()
        shutil.rmtree(self._folder, ignore_errors=True)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here (Debian: apt-get install chromium chromium-driver)")
    return found


# What is cut off or scrolls in a box of its own makes no page wider.
_OVERFLOW = """
const wide = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= wide) return [];
const cuts = (one) => getComputedStyle(one).overflowX !== "visible";
const cut = (one) => one !== null && (cuts(one) || cut(one.parentElement));
return [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > wide + 0.5 && !cut(one.parentElement))
  .map((one) => one.cloneNode(false).outerHTML.slice(0, 160));
"""

# Colours are painted over each other on a canvas, which knows every way to write one.
_FAINT = """
const least = arguments[0];
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const pen = canvas.getContext("2d", { willReadFrequently: true });
const paint = (colour, alpha) => {
  pen.globalAlpha = alpha;
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data];
};
const luminance = (pixel) => pixel.slice(0, 3)
  .map((part) => part / 255)
  .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
const told = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.data.trim();
  const element = walker.currentNode.parentElement;
  if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
  const style = getComputedStyle(element);
  const above = [];
  for (let one = element; one; one = one.parentElement) above.unshift(getComputedStyle(one));
  paint(matchMedia("(prefers-color-scheme: dark)").matches ? "#000" : "#fff", 1);
  let behind = [];
  for (const one of above) behind = paint(one.backgroundColor, 1);
  const opacity = above.reduce((product, one) => product * Number(one.opacity), 1);
  const drawn = element instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [luminance(behind), luminance(paint(drawn, opacity))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : least)) told.add(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
}
return [...told];
"""

_FILES = """
return [...document.links].filter((link) => link.protocol === "file:")
  .map((link) => decodeURIComponent(link.pathname) + link.search + link.hash);
"""

_ANCHORS = """
return [...document.links]
  .filter((link) => link.hash && link.pathname === location.pathname)
  .filter((link) => !document.getElementById(decodeURIComponent(link.hash.slice(1))))
  .map((link) => link.hash);
"""
