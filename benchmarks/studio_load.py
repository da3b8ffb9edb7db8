"""Many people at one studio: mixed previews and jobs on loopback, none wrong, none lost, memory bounded.

    python benchmarks/studio_load.py --clients 20 --seconds 60

Every client has a picture of its own and knows what its previews and results must keep. Prints the counts, the times
that previews took, and the server's memory.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

import numpy as np
import psutil

from dragkit import Move, pictures, preview

SIZE = (96, 80)  # (width, height): not square, and small, so that jobs are many
STEPS = 2
BOX = (20, 20, 44, 44)
OFFSET = (24, 8)


class Client(threading.Thread):
    """One person: previews all the time, and a job now and then."""

    def __init__(self, address: str, number: int, until: float) -> None:
        super().__init__(daemon=True)
        self.address, self.number, self.end = address, number, until
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 255, (5, 6, 3), np.uint8)
        self.picture = coarse.repeat(16, 0).repeat(16, 1)
        self.move = Move(mask={"box": BOX}, offset=OFFSET)
        self.truth = preview(self.picture, self.move)
        self.counts: Counter[str] = Counter()
        self.took: list[float] = []  # s of previews

    def ask(self, path: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
        call = urllib.request.Request(self.address + path, data, {"content-type": kind})
        with urllib.request.urlopen(call, timeout=120) as answer:
            return answer.read()

    def run(self) -> None:
        sent = json.loads(self.ask("/api/pictures?name=mine.png", pictures.encode_png(self.picture), "image/png"))
        image = {"name": sent["name"], "sha256": sent["sha256"]}
        wish = {"image": image, "edits": [json.loads(self.move.model_dump_json())], "steps": STEPS, "seed": self.number}
        while time.monotonic() < self.end:
            for _ in range(5):
                self.look(wish)
            self.edit(wish)

    def look(self, wish: dict) -> None:
        began = time.monotonic()
        seen = pictures.decode(self.ask("/api/preview", json.dumps(wish).encode()))
        self.took.append(time.monotonic() - began)
        self.counts["previews" if np.array_equal(seen, self.truth) else "wrong previews"] += 1

    def edit(self, wish: dict) -> None:
        try:
            job = json.loads(self.ask("/api/jobs", json.dumps(wish).encode()))
        except urllib.error.HTTPError as error:
            self.counts[f"refused with {error.code}"] += 1
            return
        for line in self.ask(f"/api/jobs/{job['id']}/events").splitlines():
            job = json.loads(line[6:]) if line.startswith(b"data: ") else job
        if job["state"] != "done":
            self.counts[f"jobs {job['state']}"] += 1
            return
        data = self.ask(job["results"][0]["url"])
        found, record = pictures.decode(data), json.loads(pictures.record(data) or "{}")
        own = np.array_equal(found[60:], self.picture[60:]) and record["request"]["seed"] == self.number
        self.counts["jobs" if own else "wrong jobs"] += 1


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--clients", type=int, default=20)
    given.add_argument("--seconds", type=float, default=60)
    asked = given.parse_args()
    code = "import sys; sys.argv = ['dragkit', 'studio', '--port', '0']; from dragkit.cli import main; main()"
    server = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        address = re.search(r"http://\S+", server.stderr.readline()).group()
        process = psutil.Process(server.pid)
        clients = [Client(address, n, time.monotonic() + asked.seconds) for n in range(asked.clients)]
        memory = [process.memory_info().rss]
        for client in clients:
            client.start()
        threading.Thread(target=server.stderr.read, daemon=True).start()  # its warnings fill no pipe
        while any(client.is_alive() for client in clients):
            time.sleep(0.5)
            memory.append(process.memory_info().rss)
    finally:
        server.terminate()
        server.wait(30)
    total = sum((client.counts for client in clients), Counter())
    took = np.sort([t for client in clients for t in client.took])
    print(", ".join(f"{count} {what}" for what, count in sorted(total.items())))
    print(f"previews: median {np.median(took):.3f} s, 95 % within {np.quantile(took, 0.95):.3f} s")
    half = len(memory) // 2
    print(f"memory: {max(memory[:half]) >> 20} MiB at most in the first half, {max(memory[half:]) >> 20} in the second")


if __name__ == "__main__":
    main()
