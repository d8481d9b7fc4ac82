"""One supervisor a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.testnet.lock import AlreadyRunning, Lock, find_holder
from scripts.testnet.watching import wait_until


def hold_elsewhere(folder: Path) -> subprocess.Popen[str]:
    words = f"import time\nfrom pathlib import Path\nfrom scripts.testnet.lock import Lock\n" \
            f"with Lock(Path({str(folder)!r})):\n    print('held', flush=True)\n    time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHONPATH": os.getcwd()})  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_lock__held_by_another_process__is_refused_naming_its_pid(tmp_path: Path) -> None:
    holder = hold_elsewhere(tmp_path)
    try:
        assert find_holder(tmp_path) == holder.pid
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"), Lock(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_lock__holder_killed__is_free_again(tmp_path: Path) -> None:
    holder = hold_elsewhere(tmp_path)
    holder.kill()
    holder.communicate()
    assert wait_until(lambda: find_holder(tmp_path) is None, 60)
    with Lock(tmp_path):
        assert find_holder(tmp_path) == os.getpid()
    assert find_holder(tmp_path) is None
