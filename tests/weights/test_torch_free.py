import subprocess
import sys


def test_bundles_load_without_torch() -> None:
    script = "import sys, weights.bundle, weights.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
