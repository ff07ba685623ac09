#include "server/tokenizer/tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "server/tokenizer/json_tokenizer.h"

namespace steer {
namespace {

class IdByIdStream : public TextStream {
 public:
  explicit IdByIdStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  void Push(int32_t id) override { text_ += tokenizer_.Decode({&id, 1}, true); }
  void Finish() override {}
  const std::string& text() const override { return text_; }

 private:
  const Tokenizer& tokenizer_;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Load(const std::string& folder) {
  std::string path = absl::StrCat(folder, "/tokenizer.json");
  STEER_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return FromJson(file->bytes(), path);
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::FromJson(absl::string_view json,
                                                                     absl::string_view name) {
  auto tokenizer = tok::JsonTokenizer::Create(json);
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), name);
  return tokenizer;
}

std::unique_ptr<TextStream> Tokenizer::OpenTextStream() const {
  return std::make_unique<IdByIdStream>(*this);
}

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)), stream_(tokenizer_->OpenTextStream()) {}

}  // namespace steer
