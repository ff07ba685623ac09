#!/usr/bin/env python3
"""Starts the programs of docker-compose.yml as compose would, with podman, on a machine that has no engine and no images of others.

  tests/deploy/compose_by_podman.py SOURCE [--tls]      needs root, podman, runc and the image "steer" (docker build --target runtime -t steer .)

Image, command, mounts, secrets, limits, read-only root and order are those of the file (with --tls, of both files). Different are: the network is the
host's, where the services' names mean loopback, and Prometheus and Pushgateway are Debian's programs with the deployed configuration, which scrapes
more often here. It ends with status 0 when the run has ended with a verdict, a second start only reports it, Prometheus has scraped every target
that should be up, and steerd has drained within its grace period.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import yaml

PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs"]
NAMES = ("steerd", "pushgateway", "prometheus")


class Stack:
    def __init__(self, source, tls, folder):
        self.source, self.folder, self.started = source, folder, []
        self.services = yaml.safe_load((source / "docker-compose.yml").read_text())["services"]
        self.secrets = {}
        if tls:
            more = yaml.safe_load((source / "docker-compose.tls.yml").read_text())
            for name, change in more["services"].items():
                self.services[name].update(change)
            self.secrets = {name: folder / pathlib.Path(s["file"]).relative_to(".") for name, s in more["secrets"].items()}
            make_secrets(folder / "secrets")
        for volume in ("model", "directions", "runs"):
            (folder / volume).mkdir()
            shutil.chown(folder / volume, 65532, 65532)

    def command(self, name, *flags):
        """podman's words for one service of the file."""
        s = self.services[name]
        out = [*PODMAN, "run", "--name", "steer-" + name, "--replace", "--network", "host", "--ulimit", "nproc=32768:32768", "--ulimit", "nofile=20000:20000", *flags]
        out += [x for host in NAMES for x in ("--add-host", host + ":127.0.0.1")]
        out += ["--read-only"] if s["read_only"] else []
        out += [x for word in s["cap_drop"] for x in ("--cap-drop", word)] + ["--security-opt", "no-new-privileges"]
        out += [x for word in s["tmpfs"] for x in ("--tmpfs", word)]
        for volume in s["volumes"]:
            kind, _, rest = volume.partition(":")
            out += ["-v", "%s:%s" % (self.folder / kind, rest)]
        for secret in s.get("secrets", ()):
            out += ["-v", "%s:/run/secrets/%s:ro" % (self.secrets[secret], secret)]
        if "healthcheck" in s:
            out += ["--health-cmd", json.dumps(s["healthcheck"]["test"][1:])]
        return out + [s["image"], *s["command"]]

    def run(self, name):
        """A one-shot service, to its end."""
        return subprocess.run(self.command(name, "--rm"), capture_output=True, text=True, timeout=600, check=False)

    def process(self, name, argv):
        log = open(self.folder / (name + ".log"), "w", encoding="utf-8")
        self.started.append((name, subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.folder)))
        return self.started[-1][1]

    def healthy(self, name):
        """By the health command of the file or else of the Dockerfile: an image in podman's own format carries none."""
        test = self.services[name].get("healthcheck", {}).get("test")
        test = test or ["CMD", *json.loads(re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", (self.source / "Dockerfile").read_text(), re.M).group(1))]
        return subprocess.run([*PODMAN, "exec", "steer-" + name, *test[1:]], capture_output=True, check=False).returncode == 0

    def configure(self):
        """The deployed configuration; names of services that compose resolves become loopback."""
        shutil.copytree(self.source / "deploy/prometheus/rules", self.folder / "rules")
        text = (self.source / "deploy/prometheus/prometheus.yml").read_text()
        text = text.replace("scrape_interval: 5s", "scrape_interval: 100ms")  # the example's run takes seconds
        text = text.replace("dns_sd_configs: [{names: [steerctl], type: A, port: 9465}]", 'static_configs: [{targets: ["127.0.0.1:9465"]}]')
        text = re.sub(r"    - dns_sd_configs: \[\{names: \[alertmanager\].*\n", "    []\n", text)
        text = re.sub(r"\b(steerd|pushgateway):(\d)", r"127.0.0.1:\2", text)
        (self.folder / "prometheus.yml").write_text(text)

    def stop(self):
        subprocess.run([*PODMAN, "rm", "-f", "steer-steerd"], capture_output=True, check=False)
        for _, process in reversed(self.started):
            process.terminate()
            process.wait(20)


def make_secrets(folder):
    folder.mkdir()

    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=folder)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=steerd")
    (folder / "names").write_text("subjectAltName=DNS:steerd,DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")
    shutil.chown(folder, 65532, 65532)
    token = subprocess.run([*PODMAN, "run", "--rm", "--network", "none", "--ulimit", "nproc=32768:32768", "--ulimit", "nofile=20000:20000", "-v", "%s:/secrets" % folder,
                            "steer", "steerctl", "token", "new", "--role", "run", "--name", "sweep", "--output", "/secrets/client.token"],
                           capture_output=True, text=True, check=False)
    if token.returncode != 0:
        raise RuntimeError("steerctl token: " + token.stderr)
    (folder / "tokens").write_text(token.stdout)
    for path in folder.iterdir():
        shutil.chown(path, 65532, 65532)
        path.chmod(0o400)


def wait(what, ready, seconds=120):
    end = time.time() + seconds
    while not ready():
        if time.time() > end:
            raise RuntimeError("waited %d s for %s" % (seconds, what))
        time.sleep(0.5)


def targets_up():
    url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": "max_over_time(up[10m])"})
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return {r["metric"]["job"] for r in json.load(reply)["data"]["result"] if r["value"][1] == "1"}
    except OSError:
        return set()


def main():
    source, tls = pathlib.Path(sys.argv[1]).resolve(), "--tls" in sys.argv
    folder = pathlib.Path(tempfile.mkdtemp(prefix="steer_compose_"))
    folder.chmod(0o755)
    stack = Stack(source, tls, folder)
    try:
        stack.configure()
        stack.process("pushgateway", ["prometheus-pushgateway", "--web.listen-address=127.0.0.1:9091", "--persistence.file="])
        stack.process("prometheus", ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=127.0.0.1:9090"])
        planted = stack.run("planted")
        if planted.returncode != 0:
            raise RuntimeError("planted: " + planted.stderr)
        steerd = stack.process("steerd", stack.command("steerd"))
        wait("steerd to be healthy", lambda: stack.healthy("steerd"))
        for name in ("freeze", "steerctl", "freeze", "steerctl"):
            end = stack.run(name)
            print("%s: exit %d: %s" % (name, end.returncode, (end.stdout.strip() or end.stderr.strip()).splitlines()[-1][:150]))
            if end.returncode != 0:
                raise RuntimeError(end.stderr[-2000:])
        for job in ("steerd", "steerctl", "pushgateway"):
            wait("target %s to have been up" % job, lambda job=job: job in targets_up(), 30)
        print("targets that were up: " + " ".join(sorted(targets_up())))
        grace = int(stack.services["steerd"]["stop_grace_period"].removesuffix("s"))
        subprocess.run([*PODMAN, "stop", "-t", str(grace), "steer-steerd"], check=True, capture_output=True)
        if steerd.wait(grace) != 0:
            raise RuntimeError("steerd ended with %d" % steerd.returncode)
        print("steerd drained")
    except RuntimeError as error:
        print("FAILED: %s" % error)
        for name, _ in stack.started:
            print("--- %s\n%s" % (name, (folder / (name + ".log")).read_text()[-1500:]))
        return 1
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
