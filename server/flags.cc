#include "server/flags.h"

#include <cstdlib>
#include <iostream>

#include "CLI/CLI.hpp"
#include "common/usage_message.h"

#ifndef STEER_VERSION
#error "STEER_VERSION comes from CMake"
#endif

namespace steer {
namespace {

// Exit code of a bad command line, as sysexits.h has it.
constexpr int kUsageExit = 64;

// What CLI11 fills in types that it knows and that we then convert.
struct Raw {
  double drain_seconds = 60;
  double max_call_seconds = 6 * 3600;
  double max_connection_age = 3600;
  double max_connection_idle = 600;
  double drain_window_seconds = 0.5;
  double stale_seconds = 30;
  double canary_seconds = 30;
};

void AddModelFlags(CLI::App* app, SteerdFlags* f) {
  EngineOptions& e = f->engine;
  app->add_option("--model", f->model,
                  "Checkpoint folder in Hugging Face format, or the ORG/NAME of a model in the "
                  "Hugging Face cache (HF_HUB_CACHE, HF_HOME); nothing is downloaded, and a folder "
                  "that exists wins over a name")
      ->type_name("DIR|ORG/NAME");
  app->add_option("--revision", f->revision,
                  "Branch, tag or commit of a model in the cache; default: main");
  app->add_option("--name", e.model_name,
                  "Name shown for the model; default: ORG/NAME or the folder's name");
  app->add_option("--device", e.device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app->add_option("--dtype", e.dtype, "float32, bfloat16 or auto")
      ->check(CLI::IsMember({"float32", "bfloat16", "auto"}))
      ->capture_default_str();
  app->add_option("--threads", e.threads, "Compute threads; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app->add_option("--decode-rows", e.decode_rows, "Rows of every decode step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app->add_option("--prefill-tokens", e.prefill_tokens, "Tokens of every prefill step")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app->add_option("--max-context-tokens", e.max_context_tokens,
                  "Prompt plus generated tokens of a row; at most the model's")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  app->add_option("--kv-tokens", e.kv_tokens, "Tokens of the KV arena; 0: chosen by the server")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 31))
      ->capture_default_str();
  app->add_option(
         "--memory-limit", e.memory_limit,
         "What weights, KV arena and work space may take: bytes, MiB, GiB, or a share (80%) "
         "of the device's memory or, on a CPU, of what this process may use")
      ->type_name("BYTES|PERCENT");
  app->add_option("--cuda-plugin", f->cuda_plugin, "libsteer_cuda.so; default: beside the program");
}

void AddServiceFlags(CLI::App* app, SteerdFlags* f, Raw* raw) {
  ServiceOptions& s = f->rpc.service;
  app->add_option("--store", f->store, "Folder of direction sets; default: " + f->store)
      ->type_name("DIR");
  app->add_option("--max-concurrent-calls", s.max_concurrent_calls,
                  "Calls at once; one more is refused")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--queue-calls", s.queue_calls,
                  "Fit, Evaluate and Generate calls that may wait for their first step")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--queue-tokens", s.queue_tokens,
                  "Tokens, prompts and what may be generated, of all running calls together")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  app->add_option("--queue-bytes", s.queue_bytes, "Bytes of requests of all running calls together")
      ->check(CLI::Range(int64_t{1} << 10, int64_t{1} << 40))
      ->capture_default_str();
  app->add_option("--max-request-bytes", s.max_request_bytes, "Bytes of a request message")
      ->check(CLI::Range(int64_t{1} << 10, int64_t{1} << 30))
      ->capture_default_str();
  app->add_option("--max-import-bytes", s.max_import_bytes, "Bytes of an imported direction set")
      ->check(CLI::Range(int64_t{1} << 10, int64_t{1} << 40))
      ->capture_default_str();
  app->add_option("--max-directions", s.max_directions,
                  "Direction sets in the store; one more is refused")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31))
      ->capture_default_str();
  app->add_option("--max-call-seconds", raw->max_call_seconds,
                  "Longest call, whatever deadline the client sets")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  app->add_option("--drain-seconds", raw->drain_seconds,
                  "How long running calls may go on after SIGTERM")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app->add_option("--drain-window-seconds", raw->drain_window_seconds,
                  "How long the port stays open after SIGTERM at least, saying NOT_SERVING")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  app->add_option("--stale-seconds", raw->stale_seconds,
                  "Not ready when the engine has finished no step for so long (or 20 times its "
                  "slowest step, if that is longer)")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  app->add_option("--canary-seconds", raw->canary_seconds,
                  "Idle time after which a row of the server's own is computed and compared")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  app->add_flag("--allow-edited-text", s.allow_edited_text,
                "Generate also returns the text of rows with an intervention");
  app->add_flag("--reflection", f->rpc.reflection, "Serve gRPC reflection");
  app->add_option("--audit-log", f->audit_log,
                  "Append one JSON line a call, chained by hashes (steerctl audit verify); no text")
      ->type_name("FILE");
}

void AddListenFlags(CLI::App* app, SteerdFlags* f, Raw* raw) {
  ListenOptions& l = f->rpc.listen;
  app->add_option("--listen", l.address, "host:port, [v6]:port or unix:/path; port 0: any")
      ->capture_default_str();
  app->add_option("--metrics-listen", f->metrics_listen, "host:port of /metrics; \"\": none")
      ->capture_default_str();
  app->add_flag("--metrics-insecure", f->metrics_insecure,
                "/metrics beyond loopback: everyone who reaches it may read it");
  app->add_option("--tls-cert", l.tls_cert, "Certificate chain, PEM")->type_name("FILE");
  app->add_option("--tls-key", l.tls_key, "Private key, PEM")->type_name("FILE");
  app->add_option("--tls-client-ca", l.tls_client_ca,
                  "Require client certificates of this authority, PEM")
      ->type_name("FILE");
  app->add_option("--tokens-file", l.tokens_file,
                  "Who may call: lines \"ROLE SHA256-OF-TOKEN NAME\", read again when they change")
      ->type_name("FILE");
  app->add_flag("--insecure", l.insecure, "Listen beyond loopback without TLS or tokens");
  app->add_option("--max-connection-age", raw->max_connection_age,
                  "Seconds after which a connection is replaced; its calls go on; 0: never")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app->add_option("--max-connection-idle", raw->max_connection_idle,
                  "Seconds after which a connection without calls is closed; 0: never")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app->add_option("--port-file", f->port_file,
                  "Written as JSON with the bound ports once the server is serving")
      ->type_name("FILE");
  // Not in --help: for tests of this program.
  app->add_flag("--failpoints", f->failpoints, "Fail where STEER_FAILPOINTS says so")->group("");
  app->add_flag("--healthcheck", f->healthcheck,
                "Do not serve: exit 0 if the server at --listen is SERVING, 1 otherwise");
}

}  // namespace

std::string DefaultStoreFolder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string base = variable("XDG_STATE_HOME");
  if (base.empty() && !variable("HOME").empty()) base = variable("HOME") + "/.local/state";
  return base.empty() ? "" : base + "/steer/directions";
}

ParsedFlags ParseFlags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  SteerdFlags& flags = parsed.flags;
  flags.store = DefaultStoreFolder();
  Raw raw;
  CLI::App app("steerd holds a chat model and its directions, and serves steer.v1 over gRPC.",
               "steerd");
  app.set_version_flag("--version", std::string("steerd ") + STEER_VERSION);
  AddModelFlags(&app, &flags);
  AddServiceFlags(&app, &flags, &raw);
  AddListenFlags(&app, &flags, &raw);
  app.failure_message([](const CLI::App* a, const CLI::Error& error) {
    std::vector<std::string> known;
    for (const CLI::Option* option : a->get_options()) known.push_back(option->get_name());
    return UsageMessage("steerd", error.what(), a->remaining(true), known);
  });
  try {
    app.parse(argc, argv);
    if (!flags.healthcheck && flags.model.empty()) {
      throw CLI::RequiredError("--model DIR or --model ORG/NAME");
    }
    if (!flags.healthcheck && flags.store.empty()) {
      throw CLI::RequiredError("--store DIR (there is no $HOME)");
    }
    const char* failpoints = std::getenv("STEER_FAILPOINTS");
    if (failpoints != nullptr && *failpoints != 0 && !flags.failpoints) {
      throw CLI::ValidationError(
          "STEER_FAILPOINTS", "is set, which makes a server fail on purpose, for tests: unset it");
    }
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error, std::cout, std::cerr) == 0 ? 0 : kUsageExit;
  }
  flags.drain = absl::Seconds(raw.drain_seconds);
  flags.rpc.drain_window = absl::Seconds(raw.drain_window_seconds);
  flags.rpc.stale_heartbeat = absl::Seconds(raw.stale_seconds);
  flags.engine.canary_period = absl::Seconds(raw.canary_seconds);
  flags.rpc.service.max_call = absl::Seconds(raw.max_call_seconds);
  flags.rpc.max_connection_age = absl::Seconds(raw.max_connection_age);
  flags.rpc.max_connection_idle = absl::Seconds(raw.max_connection_idle);
  return parsed;
}

}  // namespace steer
