"""Real Prometheus, Pushgateway, steerd and steerctl on loopback, in a temporary folder, with the deployed Prometheus configuration."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import standins

PLAN = """version: 1
name: live
model: {name: planted-default, dtype: float32}
data:
  harmful: {file: harmful.jsonl, format: jsonl, key: prompt}
  harmless: {file: harmless.jsonl, format: jsonl, key: prompt}
splits: {train: 24, validation: 8, test: 16}
seeds: [0, 1, 2, 3, 4, 5]
readout: {name: post-1, quality: true, scores: true}
decoding: {max_new_tokens: 32}
controls: {family: isotropic, seed: 7, draws: 1}
rule: post-1
"""


def get(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


class Page:
    """Serves an upstream's /metrics and adds the stand-ins whose family it does not show."""

    def __init__(self, upstream, series):
        self.upstream, self.series, self.start, self.added = upstream, series, time.time(), set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    body = outer.text().encode()
                except (urllib.error.URLError, OSError):
                    self.send_error(502)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self):
        page = get("http://%s/metrics" % self.upstream)
        real = set(re.findall(r"^([a-z_]+)[{ ]", page, re.M))
        now, lines = time.time(), []
        for key, (base, slope) in self.series.items():
            name = key.split("{")[0]
            if name not in real:
                self.added.add(name)
                lines.append("%s %.17g" % (key, base + slope * (now - self.start)))
        return page + "\n".join(lines) + "\n"


class Stack(contextlib.ExitStack):
    def __init__(self, source, binaries, plan=PLAN):
        super().__init__()
        self.source, self.binaries, self.plan = pathlib.Path(source), pathlib.Path(binaries), plan
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="steer_live_"))
        self.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, name, *argv):
        """Starts a program whose output goes to NAME.log; stopped at the end."""
        with open(self.folder / (name + ".log"), "w", encoding="utf-8") as log:
            process = subprocess.Popen([str(a) for a in argv], stdout=log, stderr=log, cwd=self.folder, env={**os.environ, "OMP_WAIT_POLICY": "passive"})

        def stop():
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.callback(stop)
        return process

    def wait(self, what, ready, process, seconds=60):
        end = time.time() + seconds
        while True:
            value = ready()
            if value:
                return value
            if process.poll() is not None or time.time() > end:
                raise RuntimeError("%s did not start:\n%s" % (what, self.log(what)))
            time.sleep(0.05)

    def log(self, name):
        return (self.folder / (name + ".log")).read_text()

    def listening(self, name):
        found = re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', self.log(name))
        return found and found.group(1)

    def bring_up(self):
        folder = self.folder
        subprocess.run([self.binaries / "server/planted/steer-planted", "--variant", "default", "--seed", "0", "--out", folder / "planted-default"],
                       check=True, stdout=subprocess.DEVNULL)
        steerd = self.start("steerd", self.binaries / "server/steerd", "--model", folder / "planted-default", "--dtype", "float32", "--listen", "127.0.0.1:0",
                            "--metrics-listen", "127.0.0.1:0", "--store", folder / "directions", "--port-file", folder / "ports.json", "--threads", "1",
                            "--decode-rows", "4")
        gateway = self.start("pushgateway", "prometheus-pushgateway", "--web.listen-address=127.0.0.1:0",
                             # Debian's default keeps what was pushed, for every later start.
                             "--persistence.file=")
        self.gateway = self.wait("pushgateway", lambda: self.listening("pushgateway"), gateway)
        self.wait("steerd", (folder / "ports.json").exists, steerd)
        ports = json.loads((folder / "ports.json").read_text())
        self.address = "127.0.0.1:%d" % ports["grpc_port"]
        self.page = Page("127.0.0.1:%d" % ports["metrics_port"], standins.CARD)
        # Prometheus is told where the client will be before there is one.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.client = "127.0.0.1:%d" % free.getsockname()[1]
        self.configure()
        prometheus = self.start("prometheus", "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=127.0.0.1:0")
        self.prometheus = self.wait("prometheus", lambda: "ready to receive web requests" in self.log("prometheus") and self.listening("prometheus"), prometheus)
        # What counters rise by before they are first seen is in no rate.
        self.wait("prometheus", lambda: self.api("query", query='steer_rows_total and on () count_over_time(up{job="steerd"}[1m]) >= 2')["result"], prometheus)

    def configure(self):
        """The deployed configuration with this stack's addresses and a faster clock."""
        shutil.copytree(self.source / "deploy/prometheus/rules", self.folder / "rules")
        text = (self.source / "deploy/prometheus/prometheus.yml").read_text()
        for old, new in (("interval: 5s", "interval: 1s"), ("steerd:9464", self.page.address), ("pushgateway:9091", self.gateway),
                         ("dns_sd_configs: [{names: [steerctl], type: A, port: 9465}]", 'static_configs: [{targets: ["%s"]}]' % self.client),
                         ("    - dns_sd_configs: [{names: [alertmanager], type: A, port: 9093}]\n", "    []\n"),
                         ("  - job_name: prometheus\n    static_configs:\n      - targets: [\"localhost:9090\"]\n", "")):
            if old not in text:
                raise RuntimeError("deploy/prometheus/prometheus.yml has no %r" % old)
            text = text.replace(old, new)
        (self.folder / "prometheus.yml").write_text(text)

    def start_sweep(self):
        (self.folder / "live.yaml").write_text(self.plan)
        ctl = [self.binaries / "client/steerctl", "--server", self.address]
        data = ["--data-root", self.folder / "planted-default"]
        subprocess.run(ctl + ["plan", "freeze", "live.yaml", "--output", "live.lock"] + data, cwd=self.folder, check=True, capture_output=True)
        return self.start("steerctl", *ctl, "run", "live.lock", "--output", "run", "--push-gateway", "http://" + self.gateway,
                          "--metrics-listen", self.client, *data)

    def api(self, path, **parameters):
        """The "data" of an answer; an error answer raises with what it says."""
        url = "http://%s/api/v1/%s?%s" % (self.prometheus, path, urllib.parse.urlencode(parameters, doseq=True))
        try:
            return json.loads(get(url))["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.loads(error.read())["error"]) from error

    def variables(self, board):
        """What Grafana would put in the place of each variable with "All" chosen, in the order of the list."""
        values = {"__rate_interval": "10s"}
        for variable in board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            found = self.api("label/%s/values" % label, **{"match[]": fill(metric, values)})
            if variable["allValue"]:
                values[variable["name"]] = variable["allValue"]
            elif variable["multi"]:
                values[variable["name"]] = "(%s)" % "|".join(found)
            else:
                default = variable["current"]["value"]
                values[variable["name"]] = default if default in found else (found or [""])[0]
        return values


def fill(text, values):
    for name in sorted(values, key=len, reverse=True):
        text = text.replace("$" + name, values[name])
    return text
