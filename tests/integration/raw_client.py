"""A raw Python gRPC client as steerd's peer: every method of the contract, its errors, health and metrics, on a planted checkpoint.

    raw_client.py BUILD      BUILD: the build folder, as build/release. Packages: peers.txt. The last line is "N passed, N failed".
"""
import hashlib
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid

import grpc
import numpy
import safetensors.numpy
from grpc_health.v1 import health_pb2, health_pb2_grpc

from raw_peer import Server, compile_contract, failure_of, run, temporary_folder

NO_SET = "0" * 64


class Peer:
    """The stub, the messages, and what checks share."""

    def __init__(self, server, contract, stub_class):
        self.server, self.m = server, contract
        # A channel of ours that grpcio does not share with other objects of the same address.
        self.channel = grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = stub_class(self.channel)
        self.model = self.stub.GetModel(contract.GetModelRequest(), timeout=30)
        self.harmful, self.harmless = server.prompts("harmful"), server.prompts("harmless")
        self.set = None

    def prompts(self, texts):
        return [self.m.Prompt(user=t) for t in texts]

    def fit_request(self, first, count, **more):
        return self.m.FitDirectionRequest(
            request_id=str(uuid.uuid4()), expected_model_fingerprint=self.model.model_fingerprint,
            harmful=self.prompts(self.harmful[first:first + count]), harmless=self.prompts(self.harmless[first:first + count]), **more)

    def fit(self, first, count):
        return list(self.stub.FitDirection(self.fit_request(first, count), timeout=60))[-1].result.set

    def direction(self, **control):
        ref = self.m.DirectionRef(set_id=self.set.set_id, position=-1, layer=4)
        if control:
            ref.control.family, ref.control.seed, ref.control.draw = self.m.CONTROL_FAMILY_ISOTROPIC, control["seed"], control["draw"]
        return ref

    def ablate(self):
        return self.m.Intervention(ops=[self.m.Op(ablate=self.m.Ablate(directions=[self.direction()]))])

    def evaluate_request(self, prompts, interventions, **more):
        fields = dict(
            request_id=str(uuid.uuid4()), expected_model_fingerprint=self.model.model_fingerprint, purpose=self.m.PURPOSE_EXPLORE,
            prompts=self.prompts(prompts), readout="post-1", judge_quality=True, scores=True, decoding=self.m.Decoding(max_new_tokens=32),
            arms=[self.m.Arm(name=f"arm-{i}", intervention=x, prompts=range(len(prompts))) for i, x in enumerate(interventions)])
        fields.update(more)
        return self.m.EvaluateRequest(**fields)

    def generate_request(self, intervention=None, **more):
        return self.m.GenerateRequest(request_id=str(uuid.uuid4()), expected_model_fingerprint=self.model.model_fingerprint,
                                      prompt=self.m.Prompt(user=self.harmless[3]), intervention=intervention,
                                      decoding=self.m.Decoding(max_new_tokens=16), **more)

    def metric(self, series):
        page = urllib.request.urlopen(self.server.metrics, timeout=10).read().decode()
        return next((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(series + " ")), None)


def model(p):
    """GetModel names model, limits, readouts and refusal tokens."""
    m = p.model
    assert (m.family, m.dtype, m.device) == ("llama", "float32", "cpu")
    assert len(m.model_fingerprint) == 64 and len(m.numeric_fingerprint) == 64
    assert {r.name for r in m.readouts} == {"post-1", "opening-1"} and m.refusal_tokens and m.end_of_turn
    assert m.contract_version.startswith("steer.v1/") and "isotropic" in m.control_families
    assert m.limits.max_prompts > 0 and "allow-edited-text" not in m.features


def tokenize(p):
    """Tokenize gives ids, pieces where asked, and one hash for one normal form."""
    texts = [p.harmful[0], p.harmful[0].upper() + "  ", p.harmless[0]]
    plain = p.stub.Tokenize(p.m.TokenizeRequest(prompts=p.prompts(texts)), timeout=30).prompts
    pieces = p.stub.Tokenize(p.m.TokenizeRequest(prompts=p.prompts(texts), pieces=True), timeout=30).prompts
    assert [list(t.ids) for t in plain] == [list(t.ids) for t in pieces] and len(plain) == 3
    assert not plain[0].tokens and [t.id for t in pieces[0].tokens] == list(pieces[0].ids)
    assert plain[0].prompt_hash == plain[1].prompt_hash != plain[2].prompt_hash


def fit(p):
    """FitDirection: cost, progress and set, and the same set for the same inputs."""
    cost = list(p.stub.FitDirection(p.fit_request(0, 32, validate_only=True), timeout=30))
    assert len(cost) == 1 and cost[0].cost.rows == 64 and cost[0].cost.prompt_tokens > 64
    events = list(p.stub.FitDirection(p.fit_request(0, 32), timeout=60))
    assert [e.WhichOneof("event") for e in events] == ["progress"] * (len(events) - 1) + ["result"]
    assert events[-2].progress.rows_done == events[-2].progress.rows_total == 64
    p.set = events[-1].result.set
    assert not events[-1].result.cached and p.set.harmful_prompts == 32 and len(p.set.reports) == p.model.layers
    again = list(p.stub.FitDirection(p.fit_request(0, 32), timeout=60))[-1].result
    assert again.cached and again.set.content_digest == p.set.content_digest


def get_direction(p):
    """GetDirection describes the set, a direction and its control."""
    got = p.stub.GetDirection(p.m.GetDirectionRequest(set_id=p.set.set_id, direction=p.direction()), timeout=30)
    assert got.set == p.set and abs(got.cosine_with_fitted - 1) < 1e-12
    report = next(r for r in p.set.reports if r.layer == 4)
    assert got.direction_digest == report.direction_digest and got.direction_norm == report.norm
    null = p.stub.GetDirection(p.m.GetDirectionRequest(set_id=p.set.set_id, direction=p.direction(seed=7, draw=0)), timeout=30)
    assert abs(null.direction_norm - report.norm) < 1e-5 * report.norm and abs(null.cosine_with_fitted) < 0.5
    assert null.direction_digest != got.direction_digest


def list_and_delete(p):
    """ListDirections pages newest first; DeleteDirection removes one for good."""
    others = [p.fit(100 + 8 * i, 8).set_id for i in range(3)]
    seen, token = [], ""
    while True:
        page = p.stub.ListDirections(p.m.ListDirectionsRequest(page_size=2, page_token=token), timeout=30)
        assert len(page.sets) <= 2
        seen += [s.set_id for s in page.sets]
        token = page.next_page_token
        if not token:
            break
    assert seen == others[::-1] + [p.set.set_id]
    foreign = p.stub.ListDirections(p.m.ListDirectionsRequest(model_fingerprint="f" * 64), timeout=30)
    assert not foreign.sets
    for set_id in others:
        p.stub.DeleteDirection(p.m.DeleteDirectionRequest(set_id=set_id), timeout=30)
        gone = failure_of(lambda: p.stub.GetDirection(p.m.GetDirectionRequest(set_id=set_id), timeout=30))
        assert gone.code == grpc.StatusCode.NOT_FOUND
    assert [s.set_id for s in p.stub.ListDirections(p.m.ListDirectionsRequest(), timeout=30).sets] == [p.set.set_id]


def export(p, **fields):
    chunks = list(p.stub.ExportDirection(p.m.ExportDirectionRequest(set_id=p.set.set_id, **fields), timeout=60))
    data = b"".join(c.chunk for c in chunks)
    assert chunks[0].total_bytes == len(data) and chunks[-1].sha256 == hashlib.sha256(data).hexdigest()
    return data


def transfer(p):
    """ExportDirection and ImportDirection: safetensors that the reference library reads, there and back with the same digests."""
    data = export(p)
    tensors = safetensors.numpy.load(data)
    assert tensors["directions"].shape == (1, p.model.layers, p.model.hidden)
    one = safetensors.numpy.load(export(p, direction=p.direction()))["direction"]
    assert numpy.array_equal(one, tensors["directions"][0, 4])
    report = next(r for r in p.set.reports if r.layer == 4)
    assert hashlib.sha256(one.astype("<f4").tobytes()).hexdigest() == report.direction_digest
    means = tensors["harmful_means"][0, 8].astype(float) - tensors["harmless_means"][0, 8].astype(float)
    assert numpy.abs(means - one).max() < 1e-4 * numpy.linalg.norm(one)
    p.stub.DeleteDirection(p.m.DeleteDirectionRequest(set_id=p.set.set_id), timeout=30)

    def chunks(digest, size=100_000):
        for at in range(0, len(data), size):
            last = at + size >= len(data)
            yield p.m.ImportDirectionRequest(chunk=data[at:at + size], sha256=digest if last else "")
    broken = failure_of(lambda: p.stub.ImportDirection(chunks("0" * 64), timeout=60))
    assert (broken.code, broken.reason) == (grpc.StatusCode.DATA_LOSS, "FILE_DIGEST_MISMATCH")
    back = p.stub.ImportDirection(chunks(hashlib.sha256(data).hexdigest()), timeout=60).set
    assert back.imported and (back.set_id, back.content_digest) == (p.set.set_id, p.set.content_digest)
    assert hashlib.sha256(one.tobytes()).digest() == hashlib.sha256(
        safetensors.numpy.load(export(p, direction=p.direction()))["direction"].tobytes()).digest()


def generate(p):
    """Generate streams text of an unedited row and withholds that of an edited one."""
    cost = list(p.stub.Generate(p.generate_request(validate_only=True), timeout=30))
    assert len(cost) == 1 and cost[0].cost.max_generated_tokens == 16
    events = list(p.stub.Generate(p.generate_request(), timeout=60))
    assert "".join(e.text for e in events[:-1]) and not events[-1].result.text_withheld
    assert events[-1].result.generated_tokens <= 16 and events[-1].result.receipt.edits == 0
    edited = list(p.stub.Generate(p.generate_request(p.ablate()), timeout=60))
    assert [e.WhichOneof("event") for e in edited] == ["result"]
    result = edited[0].result
    assert result.text_withheld and result.receipt.edits == result.receipt.expected_edits > 0
    assert list(result.receipt.content_digests) == [p.set.content_digest]


def evaluate(p):
    """Evaluate: cost, outcomes in order, arms, summary; a stream continued by the rows held; greedy, so the same again."""
    prompts, arms = p.harmful[200:216], [None, p.ablate()]
    cost = list(p.stub.Evaluate(p.evaluate_request(prompts, arms, validate_only=True), timeout=30))
    assert len(cost) == 1 and cost[0].cost.rows == 48  # 16 reference rows for KL
    events = list(p.stub.Evaluate(p.evaluate_request(prompts, arms), timeout=60))
    outcomes = [e.outcome for e in events if e.HasField("outcome")]
    assert [o.sequence for o in outcomes] == list(range(32)) and len({(o.arm, o.prompt) for o in outcomes}) == 32
    assert events[-1].summary.outcomes == 32
    receipts = {e.arm_result.arm: e.arm_result.receipt for e in events if e.HasField("arm_result")}
    assert receipts[0].edits == 0 and receipts[1].edits == receipts[1].expected_edits > 0
    assert receipts[1].sites == 2 * p.model.layers + 1 and receipts[1].largest_residual_projection < 1e-5
    refused = [sum(o.refused == p.m.REFUSED_YES for o in outcomes if o.arm == a) for a in (0, 1)]
    assert refused[0] > 12 and refused[1] < 4, refused
    assert all(o.kl == 0 if o.arm == 0 else o.kl > 0 for o in outcomes)

    def facts(o):
        return (o.refused, o.quality, o.refusal_log_odds, o.kl, o.token_digest, o.prompt_hash)
    whole = {(o.arm, o.prompt): facts(o) for o in outcomes}
    stream = p.stub.Evaluate(p.evaluate_request(prompts, arms), timeout=60)
    held = {}
    for event in stream:
        if event.HasField("outcome"):
            held[event.outcome.arm, event.outcome.prompt] = facts(event.outcome)
        if len(held) == 9:
            stream.cancel()
            break
    rest = p.evaluate_request(prompts, arms, held=[p.m.HeldRow(arm=a, prompt=i) for a, i in held])
    more = {(e.outcome.arm, e.outcome.prompt): facts(e.outcome) for e in p.stub.Evaluate(rest, timeout=60) if e.HasField("outcome")}
    assert len(more) == 23 and not held.keys() & more.keys() and {**held, **more} == whole


def split(p):
    """The server keeps the split: a TEST on a fitted or selected prompt is refused."""
    fitted = failure_of(lambda: p.stub.Evaluate(p.evaluate_request(p.harmful[:2], [p.ablate()], purpose=p.m.PURPOSE_TEST), timeout=30))
    assert (fitted.code, fitted.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROMPT_WAS_FITTED_OR_SELECTED_ON")
    list(p.stub.Evaluate(p.evaluate_request(p.harmful[300:302], [p.ablate()], purpose=p.m.PURPOSE_SELECT), timeout=30))
    chosen = failure_of(lambda: p.stub.Evaluate(p.evaluate_request(p.harmful[301:303], [p.ablate()], purpose=p.m.PURPOSE_TEST), timeout=30))
    assert chosen.reason == "PROMPT_WAS_FITTED_OR_SELECTED_ON" and p.harmful[301] not in chosen.message
    list(p.stub.Evaluate(p.evaluate_request(p.harmful[302:304], [p.ablate()], purpose=p.m.PURPOSE_TEST), timeout=30))


def errors(p):
    """Errors carry ErrorInfo and BadRequest with every violation."""
    bad = p.evaluate_request(["x", ""], [None, None], readout="no such", decoding=p.m.Decoding(max_new_tokens=0, temperature=1))
    bad.arms[1].name = bad.arms[0].name
    refused = failure_of(lambda: p.stub.Evaluate(bad, timeout=30))
    assert (refused.code, refused.reason, refused.domain) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "steer"), vars(refused)
    assert {"prompts[1].user", "readout", "decoding.max_new_tokens", "decoding.temperature", "arms[1].name"} <= set(refused.fields), refused.fields
    request = p.generate_request()
    request.expected_model_fingerprint = "f" * 64
    assert failure_of(lambda: p.stub.Generate(request, timeout=30)).reason == "MODEL_MISMATCH"
    missing = failure_of(lambda: p.stub.DeleteDirection(p.m.DeleteDirectionRequest(set_id=NO_SET), timeout=30))
    assert missing.code == grpc.StatusCode.NOT_FOUND and missing.domain == "steer"
    page = failure_of(lambda: p.stub.ListDirections(p.m.ListDirectionsRequest(page_token="?"), timeout=30))
    assert page.code == grpc.StatusCode.INVALID_ARGUMENT and page.fields == ["page_token"], vars(page)
    first = p.fit_request(0, 4)
    list(p.stub.FitDirection(first, timeout=30))
    other = p.fit_request(4, 4)
    other.request_id = first.request_id
    assert failure_of(lambda: p.stub.FitDirection(other, timeout=30)).code == grpc.StatusCode.ALREADY_EXISTS


def raw_bytes(p):
    """Bytes that are no message, an unknown method and metadata beyond the limit end in a status; the server lives on."""
    nonsense = p.channel.unary_unary("/steer.v1.SteerService/Tokenize")
    # Said by gRPC 1.51 itself: a message that cannot be parsed does not reach the service.
    assert failure_of(lambda: nonsense(b"\xff" * 64, timeout=30)).code == grpc.StatusCode.UNIMPLEMENTED
    unknown = p.channel.unary_unary("/steer.v1.SteerService/NoSuch")
    assert failure_of(lambda: unknown(b"", timeout=30)).code == grpc.StatusCode.UNIMPLEMENTED
    large = [("x-large", "y" * 40_000)]
    # On a connection of its own, which gRPC 1.51 closes soon after; nobody else's is.
    with grpc.insecure_channel(p.server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as other:
        refused = failure_of(lambda: type(p.stub)(other).GetModel(p.m.GetModelRequest(), timeout=30, metadata=large))
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED, vars(refused)
    small = [("x-small", "1"), ("x-binary-bin", b"\x00\xff")]
    assert p.stub.GetModel(p.m.GetModelRequest(), timeout=30, metadata=small) == p.model


def long_evaluate(p):
    return p.evaluate_request([f"Explain round ladrel {i}" for i in range(200)], [None] * 8, decode_full_window=True, scores=False)


def idle_again(p):
    for _ in range(400):
        if p.metric('steer_requests_in_flight{method="Evaluate"}') == 0:
            return True
        time.sleep(0.01)
    return False


def deadline(p):
    """A deadline in the middle of a stream ends it, and its rows are gone."""
    assert failure_of(lambda: p.stub.Evaluate(long_evaluate(p), timeout=0.5)).code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert idle_again(p)


def cancel(p):
    """A cancelled stream ends, and its rows are gone."""
    stream = p.stub.Evaluate(long_evaluate(p), timeout=60)
    next(stream)
    assert p.metric('steer_requests_in_flight{method="Evaluate"}') == 1
    stream.cancel()
    assert failure_of(lambda: stream).code == grpc.StatusCode.CANCELLED
    assert idle_again(p)


def overload(p):
    """One call more than --max-concurrent-calls is refused with RetryInfo."""
    streams = [p.stub.Evaluate(long_evaluate(p), timeout=60) for _ in range(4)]
    for stream in streams:
        next(stream)
    refused = failure_of(lambda: p.stub.GetModel(p.m.GetModelRequest(), timeout=30))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS") and refused.retry_seconds > 0
    for stream in streams:
        stream.cancel()
    assert idle_again(p)


def metrics_page(p):
    """promtool finds nothing to say about the live /metrics page."""
    page = urllib.request.urlopen(p.server.metrics, timeout=10).read()
    assert b"steer_rows_total" in page
    linted = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert linted.returncode == 0 and not linted.stdout + linted.stderr, linted.stdout + linted.stderr


def health_and_drain(p):
    """Health by grpcio-health-checking; after SIGTERM it says NOT_SERVING, new calls get UNAVAILABLE with RetryInfo, the running one ends."""
    health = health_pb2_grpc.HealthStub(p.channel)
    serving = health_pb2.HealthCheckResponse
    for service in ("", "steer.v1.SteerService"):
        assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status == serving.SERVING
    unknown = failure_of(lambda: health.Check(health_pb2.HealthCheckRequest(service="no.such"), timeout=10))
    assert unknown.code == grpc.StatusCode.NOT_FOUND
    states = []
    watch = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=60)

    def follow():
        try:
            states.extend(s.status for s in watch)
        except grpc.RpcError:
            pass  # the server is gone
    watcher = threading.Thread(target=follow)
    watcher.start()
    running = p.stub.Evaluate(long_evaluate(p), timeout=120)
    next(running)
    p.server.process.send_signal(signal.SIGTERM)
    while health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == serving.SERVING:
        time.sleep(0.01)
    refused = failure_of(lambda: p.stub.GetModel(p.m.GetModelRequest(), timeout=30))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING") and refused.retry_seconds > 0
    assert list(running)[-1].summary.outcomes == 1600
    assert p.server.process.wait(timeout=60) == 0
    watcher.join()
    assert states == [serving.SERVING, serving.NOT_SERVING], states


CHECKS = [model, tokenize, fit, get_direction, list_and_delete, transfer, generate, evaluate, split, errors, raw_bytes, deadline, cancel, overload,
          metrics_page, health_and_drain]


def main():
    with temporary_folder() as folder:
        contract, stub_class = compile_contract(folder)
        server = Server(sys.argv[1], folder, ["--max-concurrent-calls", "4"])
        try:
            return run(CHECKS, Peer(server, contract, stub_class))
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
