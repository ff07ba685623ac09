#!/usr/bin/env python3
"""What a Pushgateway that does not answer as it should costs a run, as a ratio: the planted sweep with each kind of gateway against the same sweep
with none, in turns and in another order each round; medians over the rounds with distribution-free 95 % intervals.

    push_cost.py BUILD [--rounds N] [--limit PERCENT] [--kinds down,silent,...]        BUILD: where steerd, steerctl and steer-planted were built

The time of a run is that of its stages (fit, selection, test), from request to durable record; the last push comes after them. Kinds: down (nobody listens), silent
(accepts and never answers), slow (an answer after 1.5 s, under the time limit of a push), 400, 500, good. Exit status 1 if a run ends with another
exit code or other summary bytes than the one without gateway, or, with --limit, if an interval's lower end is above it.
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from ratios import interval

KINDS = ("down", "silent", "slow", "400", "500", "good")


class Gateway:
    """Counts connections. One thread a connection, so that a silent one does not hold up the next."""

    def __init__(self, kind):
        self.kind, self.connections = kind, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        if kind == "down":
            self.listener.close()
            return
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with contextlib.suppress(OSError), connection:
            got = b""
            while b"\r\n\r\n" not in got:
                got += connection.recv(65536)
            head, _, body = got.partition(b"\r\n\r\n")
            length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")))
            while len(body) < length:
                body += connection.recv(65536)
            if self.kind == "silent":
                time.sleep(60)
            if self.kind == "slow":
                time.sleep(1.5)
            status = {"400": "400 Bad Request", "500": "500 Internal Server Error"}.get(self.kind, "200 OK")
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status.encode())


class Bench:
    def __init__(self, build, folder):
        self.build, self.folder, self.runs = build, folder, 0
        self.model = folder / "planted-default"
        self.check([build / "server/planted/steer-planted", "--variant", "default", "--seed", "0", "--out", self.model])
        ports = folder / "ports.json"
        log = open(folder / "steerd.log", "w", encoding="utf-8")
        self.steerd = subprocess.Popen([build / "server/steerd", "--model", self.model, "--dtype", "float32", "--listen", "127.0.0.1:0", "--metrics-listen",
                                        "127.0.0.1:0", "--store", folder / "directions", "--port-file", ports], stderr=log)
        end = time.time() + 60
        while not (ports.exists() and ports.read_text()):
            if self.steerd.poll() is not None or time.time() > end:
                raise RuntimeError("steerd did not start: " + (folder / "steerd.log").read_text())
            time.sleep(0.05)
        self.server = "127.0.0.1:%d" % json.loads(ports.read_text())["grpc_port"]
        plan = pathlib.Path(__file__).resolve().parents[2] / "deploy/plans/planted-default.yaml"
        self.lock = folder / "plan.lock"
        self.check([build / "client/steerctl", "--server", self.server, "plan", "freeze", plan, "--data-root", self.model, "--output", self.lock])
        self.summary = None

    def check(self, command):
        subprocess.run(command, check=True, capture_output=True)

    def seconds(self, kind):
        """One run with this kind of gateway (None: without); raises if anything but its time differs."""
        self.runs += 1
        output = self.folder / ("run%d" % self.runs)
        command = [self.build / "client/steerctl", "--server", self.server, "--quiet", "run", self.lock, "--data-root", self.model, "--output", output]
        gateway = Gateway(kind) if kind else None
        if gateway:
            command += ["--push-gateway", "http://127.0.0.1:%d" % gateway.port]
        end = subprocess.run(command, capture_output=True, text=True, check=False)
        if gateway:
            gateway.listener.close()
        if end.returncode != 0:
            raise RuntimeError("with gateway %s: exit %d: %s" % (kind, end.returncode, end.stderr))
        if gateway and kind != "down" and gateway.connections == 0:
            raise RuntimeError("gateway %s was never asked" % kind)
        summary = (output / "summary.json").read_bytes()
        self.summary = self.summary or summary
        if summary != self.summary:
            raise RuntimeError("with gateway %s: another summary" % kind)
        stages = json.loads((output / "run.json").read_text())["sessions"][-1]["stage_seconds"]
        shutil.rmtree(output)
        return sum(stages.values())

    def stop(self):
        self.steerd.terminate()
        self.steerd.wait(60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if not set(kinds) <= set(KINDS):
        parser.error("--kinds knows " + ",".join(KINDS))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="steer_push_cost_"))
    bench = None
    try:
        bench = Bench(options.build, folder)
        bench.seconds(None)  # warms caches
        costs = {kind: [] for kind in kinds}
        for number in range(options.rounds):
            order = [None, *kinds]
            order = order[number % len(order):] + order[:number % len(order)]
            taken = {kind: bench.seconds(kind) for kind in (order if number % 2 == 0 else reversed(order))}
            for kind in kinds:
                costs[kind].append(100 * (taken[kind] / taken[None] - 1))
    finally:
        if bench:
            bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    above = []
    for kind, values in costs.items():
        low, high = interval(values)
        print("gateway %s costs %.2f %% (95 %% interval %.2f to %.2f %%, %d rounds)" % (kind, statistics.median(values), low, high, len(values)))
        if options.limit is not None and low > options.limit:
            above.append(kind)
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
