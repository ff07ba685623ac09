// steer-parity MODEL_DIR float32|bfloat16: the product's side of tests/parity/run.sh. It answers each line of its input by one line, both JSON:
//
//   {"text": "..."}                                           the prompt as this checkpoint's template renders it, and its ids
//   -> {"rendered": "...", "ids": [...]}
//   {"ids": [...], "greedy": 32, "positions": [...], "out": PATH}   runs the ids as one row and writes PATH (safetensors: states, logits
//   -> {"tokens": n}                                               at the positions, top1, greedy)
//
// An answer may be {"error": "..."} instead. Text is rendered raw if "raw" is true or the checkpoint has no template.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "server/tokenizer/chat_template.h"
#include "server/tokenizer/tokenizer.h"
#include "server/weights/checkpoint.h"
#include "tests/parity/row_runner.h"

namespace steer {
namespace {

constexpr int64_t kArenaTokens = 4096;

struct Model {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::unique_ptr<Decoder> decoder;
  // Errors of these two are answers to the requests that need them.
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer;
  absl::StatusOr<std::shared_ptr<const ChatTemplate>> chat_template;
};

absl::StatusOr<Model> LoadModel(const std::string& folder, const std::string& dtype) {
  STEER_ASSIGN_OR_RETURN(auto checkpoint, Checkpoint::Open(folder));
  STEER_ASSIGN_OR_RETURN(auto decoder, Decoder::Load(*checkpoint, {"cpu", dtype, kArenaTokens}));
  return Model{std::move(checkpoint), std::move(decoder), Tokenizer::Load(folder),
               ChatTemplate::Load(folder)};
}

absl::StatusOr<Json> RenderText(const Model& model, const Json& request) {
  STEER_ASSIGN_OR_RETURN(std::string text, JsonString(request, "text", "request"));
  STEER_RETURN_IF_ERROR(model.tokenizer.status());
  const bool no_template = absl::IsFailedPrecondition(model.chat_template.status());
  if (!request.value("raw", false) && !no_template) {
    STEER_RETURN_IF_ERROR(model.chat_template.status());
    STEER_ASSIGN_OR_RETURN(text, (*model.chat_template)->Render({{"user", text}}, true));
  }
  STEER_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, (*model.tokenizer)->Encode(text));
  return Json{{"rendered", text}, {"ids", ids}};
}

absl::StatusOr<std::vector<int32_t>> Int32s(const Json& request, const std::string& key) {
  std::vector<int32_t> numbers;
  if (!request.contains(key) || !request[key].is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be an array"));
  }
  for (const Json& number : request[key]) {
    if (!number.is_number_integer()) {
      return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must hold integers"));
    }
    numbers.push_back(number.get<int32_t>());
  }
  return numbers;
}

absl::StatusOr<Json> RunIds(const Model& model, const Json& request) {
  STEER_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, Int32s(request, "ids"));
  STEER_ASSIGN_OR_RETURN(const std::vector<int32_t> positions, Int32s(request, "positions"));
  STEER_ASSIGN_OR_RETURN(const int64_t greedy, JsonInt(request, "greedy", "request"));
  STEER_ASSIGN_OR_RETURN(const std::string out, JsonString(request, "out", "request"));
  STEER_ASSIGN_OR_RETURN(const RowValues values,
                         RunRow(*model.decoder, ids, static_cast<int32_t>(greedy), positions));
  STEER_RETURN_IF_ERROR(WriteRow(values, model.decoder->config(), out));
  return Json{{"tokens", ids.size()}};
}

absl::StatusOr<Json> Answer(const Model& model, const std::string& line) {
  STEER_ASSIGN_OR_RETURN(const Json request, ParseJson(line));
  if (!request.is_object()) return absl::InvalidArgumentError("a request is an object");
  return request.contains("ids") ? RunIds(model, request) : RenderText(model, request);
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: steer-parity MODEL_DIR float32|bfloat16\n");
    return 2;
  }
  const absl::StatusOr<Model> model = LoadModel(argv[1], argv[2]);
  if (!model.ok()) {
    std::fprintf(stderr, "steer-parity: %s\n", std::string(model.status().message()).c_str());
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const absl::StatusOr<Json> answer = Answer(*model, line);
    std::cout << (answer.ok() ? *answer : Json{{"error", std::string(answer.status().message())}})
              << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace steer

int main(int argc, char** argv) { return steer::Main(argc, argv); }
