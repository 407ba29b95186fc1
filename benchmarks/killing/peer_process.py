"""The process of a tracker: `peer_process.py NAME train|read FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from killing.peer_trackers import PEERS
from killing.peers import train

if __name__ == "__main__":
    name, what, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if what == "train":
        train(name, folder)
    else:
        steps, status = PEERS[name].read(folder)
        print("\n" + json.dumps({"steps": steps, "status": status}))
