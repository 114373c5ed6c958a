"""Pages of HTML as their readers see them: words, links, and a browser."""

import contextlib
import html.parser
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HAS_BROWSER = bool(shutil.which("chromium") and shutil.which("chromedriver"))
NO_BROWSER = "Chromium and its driver are not installed"


class Reader(html.parser.HTMLParser):
  """Collects the words of a page, and what it refers to."""

  def __init__(self, page: str):
    super().__init__()
    self.words: list[str] = []
    self.sources: list[str] = []
    self.links: list[str] = []
    self.open: list[str] = []
    self.feed(page)

  def handle_starttag(self, tag, attrs):
    for name, value in attrs:
      if name in ("src", "href"):
        (self.links if tag == "a" else self.sources).append(value or "")
    if tag not in ("meta", "link", "img", "br"):
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag, (tag, self.open)

  def handle_data(self, data):
    if self.open and self.open[-1] != "style":
      self.words += data.split()


@contextlib.contextmanager
def browser() -> Iterator[Any]:
  """Starts a browser that has no window and fetches nothing by itself."""
  from selenium import webdriver

  options = webdriver.ChromeOptions()
  options.binary_location = shutil.which("chromium") or ""
  for flag in (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic"),
  ):
    options.add_argument(flag)
  options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
  service = webdriver.ChromeService(shutil.which("chromedriver"))
  started = webdriver.Chrome(options, service)
  try:
    yield started
  finally:
    started.quit()


def look(started: Any, page: Path, width: int) -> dict[str, Any]:
  """Opens a page in a view of some width.

  Args:
    started: the browser.
    page: the file.
    width: in pixels.

  Returns:
    `log`, the browser's; widths in pixels of the `page`, of the `view` and of
    the `widest` image; the `count` of images, and whether all are `drawn`.
  """
  # A window is never as narrow as a phone, but its view may be.
  started.execute_cdp_cmd(
    "Emulation.setDeviceMetricsOverride",
    {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False},
  )
  started.get(page.as_uri())
  log = started.get_log("browser")
  measured = started.execute_script(
    """
    const images = [...document.images];
    return {
      page: document.documentElement.scrollWidth,
      view: window.innerWidth,
      drawn: images.every(image => image.complete && image.naturalWidth > 0),
      widest: Math.max(...images.map(image => image.clientWidth)),
      count: images.length,
    }
    """
  )
  return {"log": log, **measured}
