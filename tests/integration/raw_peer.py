"""What raw_client.py stands on: the contract compiled by grpc_tools, a real steerd, and counted checks. None of steer's client code."""
import importlib
import importlib.resources
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]


def compile_contract(folder):
    """Python code of proto/steer/v1 in `folder`; returns the modules (messages by name, stub)."""
    protos = sorted(str(p.relative_to(ROOT / "proto")) for p in (ROOT / "proto/steer/v1").glob("*.proto"))
    include = str(importlib.resources.files("grpc_tools") / "_proto")
    code = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"-I{include}", f"--python_out={folder}", f"--grpc_python_out={folder}", *protos])
    if code != 0:
        raise SystemExit(f"grpc_tools.protoc ended with {code}")
    sys.path.insert(0, str(folder))
    names = [Path(p).stem for p in protos]
    modules = [importlib.import_module(f"steer.v1.{name}_pb2") for name in names]
    messages = {}
    for module in modules:
        messages.update({n: getattr(module, n) for n in dir(module) if not n.startswith("_")})
    return type("Contract", (), messages), importlib.import_module("steer.v1.steer_service_pb2_grpc").SteerServiceStub


class Server:
    """steerd on a planted checkpoint, on ports of its own choosing."""

    def __init__(self, build, folder, flags=()):
        self.build, self.folder = Path(build), Path(folder)
        self.model = self.folder / "planted-default"
        if not self.model.exists():
            subprocess.run([self.build / "server/planted/steer-planted", "--variant", "default", "--seed", "0", "--out", self.model], check=True,
                           stdout=subprocess.DEVNULL)
        ports = self.folder / "ports.json"
        ports.unlink(missing_ok=True)
        self.log = open(self.folder / "steerd.log", "ab")
        self.process = subprocess.Popen(
            [self.build / "server/steerd", "--model", self.model, "--dtype", "float32", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
             "--store", self.folder / "directions", "--port-file", ports, *flags], stderr=self.log)
        until = time.monotonic() + 60
        while not ports.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("steerd did not start: " + (self.folder / "steerd.log").read_text())
            time.sleep(0.02)
        found = json.loads(ports.read_text())
        self.address, self.metrics = f"127.0.0.1:{found['grpc_port']}", f"http://127.0.0.1:{found['metrics_port']}/metrics"

    def prompts(self, name):
        lines = (self.model / f"{name}.jsonl").read_text().splitlines()
        return [json.loads(line)["prompt"] for line in lines]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.log.close()


class Failure:
    """A call's error, with its details decoded by grpcio-status."""

    def __init__(self, error):
        self.code, self.message = error.code(), error.details()
        self.reason = self.domain = ""
        self.fields, self.retry_seconds = [], 0.0
        status = rpc_status.from_call(error)
        for detail in status.details if status is not None else ():
            info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                self.reason, self.domain = info.reason, info.domain
            elif detail.Unpack(bad):
                self.fields = [v.field for v in bad.field_violations]
            elif detail.Unpack(retry):
                self.retry_seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9


def failure_of(call):
    """The Failure that `call()` ends in; streams are read to their end. AssertionError if it succeeds."""
    try:
        result = call()
        if hasattr(result, "__iter__"):
            list(result)
    except grpc.RpcError as error:
        return Failure(error)
    raise AssertionError("the call succeeded")


def run(checks, *arguments):
    """Runs every check; prints those that fail and the counts. The exit code."""
    passed = failed = 0
    for check in checks:
        try:
            check(*arguments)
            passed += 1
        except Exception:  # one broken check must not hide the others
            failed += 1
            print(f"FAILED {check.__name__}: {check.__doc__}")
            traceback.print_exc()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="steer-peer-", dir=os.environ.get("TMPDIR"))
