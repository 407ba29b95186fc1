"""Rate of the ABR simulator on one core, and the time that 50,000 recordings would take.

python benchmarks/simulate.py [n_patients]
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from neuroprism.abr.simulate import SimulationConfig, simulate

TARGET = 50_000


def main() -> None:
    n_patients = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for window_ms in (10.0, 12.8, 15.0):
        config = SimulationConfig(n_patients=n_patients, preset="clinical", window_ms=window_ms)
        start = time.perf_counter()
        recordings = simulate(config)
        seconds = time.perf_counter() - start
        n = len(recordings)
        print(
            f"{window_ms:4g} ms: {n:,} recordings in {seconds:.1f} s, {n / seconds:,.0f} per second; "
            f"{TARGET:,} take {TARGET / n * seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
