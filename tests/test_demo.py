"""The demo at a tenth of its size, in a process of its own, its sockets watched."""
import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys

seen = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        seen.append(f"{event} {arguments}")

sys.addaudithook(watch)

import mstl
for name in mstl.__all__:
    getattr(mstl, name)

from mstl import demo
demo.SUBJECTS = 5
demo.SETTINGS = {**demo.SETTINGS, "epochs": 1, "steps_per_epoch": 2, "batch_size": 4}
scores = demo.run_demo(sys.argv[1])
print(json.dumps({"cases": list(scores["case"]), "sockets": seen}))
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Folder of a demo and what its process said: the held-out cases, the sockets it opened."""
    out = tmp_path_factory.mktemp("demo") / "out"
    ended = subprocess.run([sys.executable, "-c", SCRIPT, str(out)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return out, json.loads(ended.stdout.splitlines()[-1])


def test_the_demo_leaves_scans_masks_scores_and_a_report(demo):
    out, said = demo
    for path in ("scans/cohort.csv", "prepared/cohort.csv", "run/best.h5", "run/threshold.json", "scores.csv"):
        assert (out / path).is_file()
    assert (out / "run" / "report.html").read_text().count("<section") >= 5
    for case in said["cases"]:
        assert (out / "predictions" / f"{case}_prediction.nii.gz").is_file()


def test_nothing_asks_the_network(demo):
    assert demo[1]["sockets"] == []
