"""Finds a Chromium and Fashion-MNIST for the tests; as a program, installs what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def chrome() -> str | None:
    """$CHROME, a Chromium or Chrome on the PATH, or the one that Playwright downloaded."""
    named = os.environ.get("CHROME")
    if named:
        return named
    for name in ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser"):
        found = shutil.which(name)
        if found:
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    own = sorted(cache.glob("chromium-*/chrome-linux*/chrome"))
    return str(own[-1]) if own else None


def fashion_mnist() -> bool:
    """Whether the four files are where nas looks for them."""
    home = Path(os.environ.get("NAS_DATA", Path.home() / ".cache" / "nas"))
    folders = (DEBIAN, home / "fashion-mnist", home / "FashionMNIST" / "raw")
    return any((folder / "train-images-idx3-ubyte.gz").exists() for folder in folders)


def missing() -> list[str]:
    """The Debian packages that have what is not here."""
    made = [] if chrome() else ["chromium"]
    return made if fashion_mnist() else [*made, "dataset-fashion-mnist"]


def install(packages: list[str]) -> None:
    """Installs Debian's packages, as root or by sudo where it asks for no password."""
    apt = ["apt-get"] if os.geteuid() == 0 else ["sudo", "-n", "apt-get"]
    if shutil.which("apt-get") and shutil.which(apt[0]):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*apt, "update", "-qq"], check=False, **quiet)
        words = ["install", "-qq", "-y", "--no-install-recommends", *packages]
        subprocess.run([*apt, *words], check=False, **quiet)


if __name__ == "__main__":
    wanted = missing()
    if wanted:
        install(wanted)
    wanted = missing()
    if wanted:
        sys.exit(
            f"the tests need {' and '.join(wanted)}: install with your package manager, or set "
            "CHROME to a Chromium's path and NAS_DATA to a folder with fashion-mnist/*.gz"
        )
