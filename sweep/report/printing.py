"""The page on paper: a PDF, by a browser that is there."""

import os
import shutil
import subprocess
from pathlib import Path

from sweep.core.errors import UserError, WorkError

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "msedge", "brave-browser"),
)
VARIABLE = "MRISWEEP_BROWSER"
PATIENCE_S = 120


def find_browser() -> str:
    """A browser that prints without a window: that of ``MRISWEEP_BROWSER``, or one in the path.

    Raises:
        UserError: There is none.

    """
    named = os.environ.get(VARIABLE)
    for name in (named,) if named else BROWSERS:
        if found := shutil.which(name):
            return found
    raise UserError(
        "a PDF is made by a browser, and none was found",
        f"{VARIABLE}={named}" if named else f"none of {', '.join(BROWSERS)} in the path",
        f"install Chromium, name a browser of its kind in {VARIABLE}, or open the page and print "
        "it",
    )


def print_page(page: Path, pdf: Path, browser: str) -> None:
    """Print a page.

    Args:
        page: The HTML file.
        pdf: The file to write.
        browser: See ``find_browser``.

    Raises:
        WorkError: The browser failed.

    """
    command = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # which Chromium refuses to root
    command += [f"--print-to-pdf={pdf.absolute()}", page.absolute().as_uri()]
    pdf.unlink(missing_ok=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        said = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = [str(error)]
    if not pdf.exists():
        raise WorkError(
            "the browser made no PDF",
            f"{browser}: {said[0]}",
            f"open {page} in a browser and print it",
        )
