"""Pages as a browser sees them, and what their tags refer to."""
import shutil
import subprocess
from html.parser import HTMLParser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class References(HTMLParser):
    """What the tags of a page, and of the page inside it, refer to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "poster", "action", "data"):
                self.found.append(value)
            elif name == "srcdoc":
                self.feed_inner(value)

    def feed_inner(self, page):
        inner = References()
        inner.feed(page)
        self.found += inner.found


def run_chromium(profile, *arguments):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               "--virtual-time-budget=3000", f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
