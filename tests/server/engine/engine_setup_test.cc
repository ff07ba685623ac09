// What an engine refuses to start with, and what it makes of a folder.
#include <filesystem>

#include <gmock/gmock.h>

#include "common/errors.h"
#include "common/files.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

using testing::HasSubstr;

class EngineSetup : public EngineTest {
 protected:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(
      const std::function<void(EngineOptions&)>& change) {
    EngineOptions options = engine().options();
    options.model_folder = model_folder();
    options.model_name = "";
    options.memory_limit = "";
    change(options);
    return Engine::Create(options, &store(), nullptr);
  }
  static absl::Status Refusal(const std::function<void(EngineOptions&)>& change) {
    return Create(change).status();
  }
  // A copy of the model with one more file.
  static absl::Status RefusalWith(const std::string& name, const std::string& text) {
    const std::filesystem::path copy = model_folder() + "_copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(model_folder(), copy, std::filesystem::copy_options::recursive);
    EXPECT_TRUE(WriteFileAtomically((copy / name).string(), text).ok());
    absl::Status refused =
        Refusal([&](EngineOptions& options) { options.model_folder = copy.string(); });
    std::filesystem::remove_all(copy);
    return refused;
  }
};

TEST_F(EngineSetup, OptionsOutOfRangeAreAllNamed) {
  const absl::Status status = Refusal([](EngineOptions& options) {
    options.device = "tpu";
    options.dtype = "float16";
    options.threads = -1;
    options.decode_rows = 0;
    options.prefill_tokens = 65537;
    options.max_context_tokens = 1;
    options.kv_tokens = -1;
    options.max_new_tokens = 0;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  std::vector<std::string> fields;
  for (const Violation& v : ViolationsOf(status)) fields.push_back(v.field);
  EXPECT_THAT(fields, testing::ElementsAre("--device", "--dtype", "--threads", "--decode-rows",
                                           "--max-context-tokens", "--kv-tokens",
                                           "--max-new-tokens", "--prefill-tokens"));
  const absl::Status rows = Refusal([](EngineOptions& options) { options.decode_rows = 4097; });
  EXPECT_THAT(std::string(rows.message()), HasSubstr("must be at most 4096"));
}

TEST_F(EngineSetup, OfADevicesMemoryTheSumIsTakenInItsOwnType) {
  const auto on_card = [](const char* dtype, const char* limit) {
    return std::string(Refusal([&](EngineOptions& options) {
                         options.device = "cuda";
                         options.dtype = dtype;
                         options.device_memory = 1 << 20;
                         options.memory_limit = limit;
                       }).message());
  };
  EXPECT_THAT(on_card("auto", ""), HasSubstr("and the device's memory is 1 MiB"));
  EXPECT_THAT(on_card("auto", ""), HasSubstr("parameters of 2 bytes"));
  EXPECT_THAT(on_card("float32", "50%"), HasSubstr("and --memory-limit is 0 MiB"));
  EXPECT_THAT(on_card("float32", "50%"), HasSubstr("parameters of 4 bytes"));
  EXPECT_THAT(on_card("bfloat16", "none"), HasSubstr("--memory-limit none: bytes, or a number"));
}

TEST_F(EngineSetup, ADeviceThatNoLibraryServesIsRefused) {
  const absl::Status status = Refusal([](EngineOptions& options) {
    options.device = "cuda";
    options.device_memory = 0;  // unknown: nothing to compare with
  });
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cuda"));
}

TEST_F(EngineSetup, AModelIsNamedAfterItsFolder) {
  for (const char* end : {"", "/"}) {
    auto made =
        Create([&](EngineOptions& options) { options.model_folder = model_folder() + end; });
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ((*made)->facts().name, "model");
  }
}

TEST_F(EngineSetup, ADamagedFileOfTheModelIsNamed) {
  EXPECT_THAT(std::string(RefusalWith("generation_config.json",
                                      R"({"eos_token_id": [1], "repetition_penalty": 0})")
                              .message()),
              HasSubstr("generation_config.json: \"repetition_penalty\" must be > 0"));
  EXPECT_THAT(
      std::string(RefusalWith("chat_template.jinja", "{{ raise_exception('never') }}").message()),
      HasSubstr("refusal tokens: a plain user turn"));
}

// The first step of each kind warms up; those after it are measured.
TEST_F(EngineSetup, AStepThatFailsAtTheStartEndsIt) {
  for (int fails : {1, 2}) {
    int steps = 0;
    const absl::Status status = Refusal([&](EngineOptions& options) {
      options.measure_rates = true;
      options.step_fault = [&](size_t) {
        if (++steps == fails) throw std::bad_alloc();
      };
    });
    EXPECT_EQ(ReasonOf(status), "OUT_OF_MEMORY") << status;
    EXPECT_EQ(steps, fails);
  }
}

}  // namespace
}  // namespace steer
