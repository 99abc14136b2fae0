import subprocess
import sys

WATCH = """
import socket, sys
def refuse(*_, **__): raise SystemExit("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import mstl
assert "albumentations" not in sys.modules
import mstl.data.augment, mstl.data.slices, mstl.data.workers
assert "albumentations" in sys.modules
assert "albumentations.check_version" in sys.modules
print("tensorflow" in sys.modules)
"""


def test_albumentations_comes_late_without_network_and_without_tensorflow():
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
