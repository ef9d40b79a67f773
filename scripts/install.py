"""Make `.venv` with the tested versions: `python3 scripts/install.py server [dev ...]`.

Runs on any Python 3, so that one that is too old can be told so. Does nothing when nothing has changed.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOM = 2 << 30
HOUSE = Path(__file__).resolve().parent.parent
NATIVE = HOUSE / "normscope" / "native"
DECIDING = (
    HOUSE / "pyproject.toml", HOUSE / "constraints.txt", HOUSE / "hatch_build.py", *sorted(NATIVE.glob("*.[ch]")),
)  # fmt: skip
VENV = HOUSE / ".venv"
PIP = (
    str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check",
    "--constraint", str(HOUSE / "constraints.txt"),
)  # fmt: skip
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"


def main() -> int:
    """Install the extras named on the command line; the exit status."""
    if sys.version_info < OLDEST:
        newer = find_newer()
        if newer is None:
            return fail("Python %d.%d or newer is needed; this is %s" % (*OLDEST, sys.version.split()[0]))
        os.execv(newer, [newer, *sys.argv])
    extras = sorted(sys.argv[1:])
    stamp = VENV / ".installed"
    wanted = fingerprint()
    try:
        have = dict(line.split() for line in stamp.read_text().splitlines()) if stamp.exists() else {}
        missing = [extra for extra in extras if have.get(extra) != wanted]
        if not missing:
            return 0
        free = shutil.disk_usage(str(HOUSE)).free
        if not have and free < ROOM:
            return fail("the disk is full: %d MB are free, %d MB are needed" % (free >> 20, ROOM >> 20))
        if not (VENV / "bin" / "python").exists():
            print("making .venv", flush=True)
            subprocess.check_call([sys.executable, "-m", "venv", str(VENV)])
        print("installing the tested versions (%s)" % ", ".join(missing), flush=True)
        if not have and wants_cpu_build():
            install_cpu_build()
        subprocess.check_call([*PIP, "--editable", ".[%s]" % ",".join(extras)], cwd=str(HOUSE))
        if not any(NATIVE.glob("core.[sd][oy]*")):
            print("there is no C compiler: watching works, and costs more (install one, remove .venv, and try again)")
        have.update((extra, wanted) for extra in extras)
        stamp.write_text("".join("%s %s\n" % item for item in sorted(have.items())))
    except OSError as error:
        return fail("cannot write to %s: %s" % (VENV, error.strerror))
    except subprocess.CalledProcessError as error:
        return fail("the installation has failed (status %d); what pip said stands above" % error.returncode)
    return 0


def wants_cpu_build() -> bool:
    """Whether PyTorch's usual build would bring gigabytes of CUDA to a machine that has no use for them."""
    has_gpu = bool(shutil.which("nvidia-smi")) or Path("/proc/driver/nvidia").exists()
    return sys.platform.startswith("linux") and platform.machine() == "x86_64" and not has_gpu


def install_cpu_build() -> None:
    """Install PyTorch for processors alone, from its makers' own index; leave it to the next step if that fails."""
    quick = ("--retries", "1", "--timeout", "10", "--no-deps")
    if subprocess.call([*PIP, *quick, "--index-url", CPU_BUILDS, "torch"], cwd=str(HOUSE)):
        print("%s cannot be used: PyTorch comes from where pip usually looks, perhaps with CUDA" % CPU_BUILDS)


def find_newer() -> "str | None":
    """A Python on this machine that is new enough."""
    for minor in range(20, OLDEST[1] - 1, -1):
        path = shutil.which("python3.%d" % minor)
        # A shim may exist for a version that is not installed.
        if path and subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return path
    return None


def fingerprint() -> str:
    """Of everything that decides what is installed."""
    content = b"".join(path.read_bytes() for path in DECIDING)
    return hashlib.sha256(content + sys.version.encode()).hexdigest()


def fail(sentence: str) -> int:
    """Say why in one sentence."""
    sys.stderr.write("normscope: %s\n" % sentence)
    return 1


if __name__ == "__main__":
    sys.exit(main())
