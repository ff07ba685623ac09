#include "server/flags.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "common/files.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "server/process.h"

namespace steer {
namespace {

ParsedFlags Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "steerd");
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data());
}

TEST(FlagsTest, Defaults) {
  setenv("XDG_STATE_HOME", "/state", 1);
  const ParsedFlags parsed = Parse({"--model", "m"});
  ASSERT_FALSE(parsed.exit_code);
  const SteerdFlags& flags = parsed.flags;
  EXPECT_EQ(flags.model, "m");
  EXPECT_EQ(flags.revision, "");
  EXPECT_EQ(flags.engine.device, "cpu");
  EXPECT_EQ(flags.engine.dtype, "auto");
  EXPECT_EQ(flags.rpc.listen.address, "127.0.0.1:50051");
  EXPECT_EQ(flags.metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(flags.store, "/state/steer/directions");
  EXPECT_EQ(flags.drain, absl::Seconds(60));
  EXPECT_EQ(flags.rpc.service.max_call, absl::Hours(6));
  EXPECT_EQ(flags.rpc.service.max_request_bytes, 16 << 20);
  EXPECT_FALSE(flags.rpc.service.allow_edited_text);
  EXPECT_FALSE(flags.rpc.reflection);
  EXPECT_EQ(flags.rpc.stale_heartbeat, absl::Seconds(30));
  EXPECT_EQ(flags.rpc.drain_window, absl::Milliseconds(500));
  EXPECT_EQ(flags.engine.canary_period, absl::Seconds(30));
  EXPECT_EQ(flags.engine.memory_limit, "");
}

TEST(FlagsTest, LimitsOfQueueMemoryAndHealthArrive) {
  const SteerdFlags flags =
      Parse({"--model", "m", "--queue-calls", "7", "--queue-tokens", "8000", "--queue-bytes",
             "9000", "--memory-limit", "80%", "--stale-seconds", "5", "--canary-seconds", "6",
             "--drain-window-seconds", "0.25"})
          .flags;
  EXPECT_EQ(flags.rpc.service.queue_calls, 7);
  EXPECT_EQ(flags.rpc.service.queue_tokens, 8000);
  EXPECT_EQ(flags.rpc.service.queue_bytes, 9000);
  EXPECT_EQ(flags.engine.memory_limit, "80%");
  EXPECT_EQ(flags.rpc.stale_heartbeat, absl::Seconds(5));
  EXPECT_EQ(flags.engine.canary_period, absl::Seconds(6));
  EXPECT_EQ(flags.rpc.drain_window, absl::Milliseconds(250));
}

TEST(FlagsTest, EveryFlagArrives) {
  const ParsedFlags parsed = Parse({"--model",
                                    "m",
                                    "--revision",
                                    "v2",
                                    "--name",
                                    "n",
                                    "--device",
                                    "cuda",
                                    "--dtype",
                                    "bfloat16",
                                    "--threads",
                                    "3",
                                    "--decode-rows",
                                    "8",
                                    "--prefill-tokens",
                                    "64",
                                    "--max-context-tokens",
                                    "99",
                                    "--kv-tokens",
                                    "1234",
                                    "--store",
                                    "s",
                                    "--listen",
                                    "127.0.0.1:0",
                                    "--metrics-listen",
                                    "",
                                    "--allow-edited-text",
                                    "--reflection",
                                    "--audit-log",
                                    "a",
                                    "--drain-seconds",
                                    "1.5",
                                    "--max-concurrent-calls",
                                    "5",
                                    "--tls-cert",
                                    "c",
                                    "--tls-key",
                                    "k",
                                    "--tls-client-ca",
                                    "ca",
                                    "--insecure",
                                    "--port-file",
                                    "p",
                                    "--max-request-bytes",
                                    "2048",
                                    "--max-import-bytes",
                                    "4096",
                                    "--max-directions",
                                    "12",
                                    "--max-call-seconds",
                                    "9",
                                    "--cuda-plugin",
                                    "so"});
  ASSERT_FALSE(parsed.exit_code);
  const SteerdFlags& f = parsed.flags;
  EXPECT_EQ(f.revision, "v2");
  EXPECT_EQ(f.engine.model_name, "n");
  EXPECT_EQ(f.engine.device, "cuda");
  EXPECT_EQ(f.engine.dtype, "bfloat16");
  EXPECT_EQ(f.engine.threads, 3);
  EXPECT_EQ(f.engine.decode_rows, 8);
  EXPECT_EQ(f.engine.prefill_tokens, 64);
  EXPECT_EQ(f.engine.max_context_tokens, 99);
  EXPECT_EQ(f.engine.kv_tokens, 1234);
  EXPECT_EQ(f.store, "s");
  EXPECT_EQ(f.metrics_listen, "");
  EXPECT_TRUE(f.rpc.service.allow_edited_text && f.rpc.reflection && f.rpc.listen.insecure);
  EXPECT_EQ(f.audit_log, "a");
  EXPECT_EQ(f.drain, absl::Milliseconds(1500));
  EXPECT_EQ(f.rpc.service.max_concurrent_calls, 5);
  EXPECT_EQ(f.rpc.listen.tls_cert + f.rpc.listen.tls_key + f.rpc.listen.tls_client_ca, "ckca");
  EXPECT_EQ(f.port_file, "p");
  EXPECT_EQ(f.rpc.service.max_request_bytes, 2048);
  EXPECT_EQ(f.rpc.service.max_import_bytes, 4096);
  EXPECT_EQ(f.rpc.service.max_directions, 12);
  EXPECT_EQ(f.rpc.service.max_call, absl::Seconds(9));
  EXPECT_EQ(f.cuda_plugin, "so");
}

TEST(FlagsTest, MistakesEndWithAUsageError) {
  EXPECT_EQ(Parse({}).exit_code, 64);
  EXPECT_EQ(Parse({"--model", "m", "--bogus"}).exit_code, 64);
  EXPECT_EQ(Parse({"--model", "m", "stray"}).exit_code, 64);
  EXPECT_EQ(Parse({"--model", "m", "--device", "tpu"}).exit_code, 64);
  EXPECT_EQ(Parse({"--model", "m", "--decode-rows", "0"}).exit_code, 64);
  EXPECT_EQ(Parse({"--model", "m", "--threads", "many"}).exit_code, 64);
  EXPECT_EQ(Parse({"--help"}).exit_code, 0);
  EXPECT_EQ(Parse({"--version"}).exit_code, 0);
  EXPECT_FALSE(Parse({"--healthcheck"}).exit_code);
}

TEST(FlagsTest, AServerFailsOnPurposeOnlyIfAskedTwice) {
  setenv("STEER_FAILPOINTS", "edit.skip_row=skip", 1);
  EXPECT_EQ(Parse({"--model", "m"}).exit_code, 64);
  EXPECT_FALSE(Parse({"--model", "m", "--failpoints"}).exit_code);
  setenv("STEER_FAILPOINTS", "", 1);
  EXPECT_FALSE(Parse({"--model", "m"}).exit_code);
  unsetenv("STEER_FAILPOINTS");
}

TEST(FlagsTest, TheStoreFolderFollowsTheEnvironment) {
  unsetenv("XDG_STATE_HOME");
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(DefaultStoreFolder(), "/home/someone/.local/state/steer/directions");
  unsetenv("HOME");
  EXPECT_EQ(DefaultStoreFolder(), "");
  EXPECT_EQ(Parse({"--model", "m"}).exit_code, 64);
}

TEST(PortFileTest, ItsFolderIsLookedAtFirst) {
  EXPECT_TRUE(CheckPortFile("").ok());
  EXPECT_EQ(CheckPortFile("ports.json").ok(), access(".", W_OK | X_OK) == 0);
  const absl::Status status = CheckPortFile("/nonexistent/ports.json");
  EXPECT_NE(status.message().find("--port-file: cannot make a file in /nonexistent"),
            std::string::npos)
      << status;
}

// Where the program cannot be started anew it goes on: here for an argument that is too long.
TEST(ProcessTest, OpenMpWaitsPassivelyUnlessItIsTold) {
  std::string long_argument(1 << 20, 'x');
  char* argv[] = {long_argument.data(), nullptr};
  unsetenv("OMP_WAIT_POLICY");
  EnsurePassiveOpenMp(argv);
  EXPECT_STREQ(getenv("OMP_WAIT_POLICY"), "passive");
  setenv("OMP_WAIT_POLICY", "active", 1);
  EnsurePassiveOpenMp(argv);
  EXPECT_STREQ(getenv("OMP_WAIT_POLICY"), "active");
}

TEST(ProcessTest, WaitEndsWithASignalOrAnInterruption) {
  // Leaked: its thread waits for signals until the process is gone.
  auto* interrupted = new SignalWatch;
  interrupted->Interrupt();
  EXPECT_EQ(interrupted->Wait(), 0);
}

TEST(PortFileTest, HoldsThePorts) {
  const std::string path = std::filesystem::temp_directory_path() / "steer_flags_test_ports.json";
  ASSERT_TRUE(WritePortFile(path, 11, 22).ok());
  const auto json = ReadJsonFile(path);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ((*json)["grpc_port"], 11);
  EXPECT_EQ((*json)["metrics_port"], 22);
  EXPECT_GT((*json)["pid"].get<int>(), 0);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace steer
