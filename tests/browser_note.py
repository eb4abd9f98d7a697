"""One line before the tests when no Chromium is there; an error when KB_REQUIRE_BROWSER=1."""

from __future__ import annotations

import os
import shutil
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of the system's Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    if find_chromium():
        return 0
    print("browser tests are skipped: no Chromium found; `apt-get install chromium` brings one")
    return int(os.environ.get("KB_REQUIRE_BROWSER") == "1")


if __name__ == "__main__":
    sys.exit(main())
