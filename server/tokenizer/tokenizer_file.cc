#include "server/tokenizer/tokenizer_file.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace steer::tok {
namespace {

// Builds the tree from events, turning aside at model.vocab and model.merges: a tree of a million
// nodes, parsed twice as ParseJson does, takes longer than all the rest of loading.
class Reader : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(TokenizerFile* file) : file_(file) {}

  bool null() override { return Value(nullptr); }
  bool boolean(bool value) override { return Value(value); }
  bool number_integer(number_integer_t value) override { return Integer(value, value); }
  bool number_unsigned(number_unsigned_t value) override {
    return Integer(value > uint64_t{INT64_MAX} ? INT64_MAX : static_cast<int64_t>(value), value);
  }
  // The parser has refused a number beyond the range of a double.
  bool number_float(number_float_t value, const string_t&) override { return Value(value); }
  bool binary(binary_t&) override { return Fail("binary data"); }

  bool string(string_t& value) override {
    if (list_ != List::kMerges) return Value(std::move(value));
    TextRef ref = Keep(value);
    if (list_depth_ == 1) {
      file_->merges.push_back({ref, {}, false});
    } else if (pair_parts_ == 0) {
      file_->merges.push_back({ref, {}, true});
    } else if (pair_parts_ == 1) {
      file_->merges.back().right = ref;
    } else {
      return BadMerge();
    }
    ++pair_parts_;
    return true;
  }

  bool start_object(std::size_t) override {
    if (list_ == List::kMerges) return BadMerge();
    if (list_ == List::kVocabulary) return BadToken();
    if (AtModelField("vocab")) {
      list_ = List::kVocabulary;
      file_->has_vocabulary = true;
      return true;
    }
    return Open(Json::object());
  }
  bool end_object() override {
    if (list_ != List::kVocabulary) return Close();
    list_ = List::kNone;
    return true;
  }
  bool key(string_t& name) override {
    if (list_ == List::kVocabulary) {
      token_ = Keep(name);
      return true;
    }
    if (open_.back()->contains(name) || (AtModel() && ((name == "vocab" && file_->has_vocabulary) ||
                                                       (name == "merges" && file_->has_merges)))) {
      return Fail(absl::StrCat("the key \"", name.substr(0, 80), "\" occurs twice in one object"));
    }
    key_ = name;
    return true;
  }

  bool start_array(std::size_t) override {
    if (list_ == List::kVocabulary) return BadToken();
    if (list_ == List::kMerges) {
      pair_parts_ = 0;
      if (++list_depth_ > 2) return BadMerge();
      return true;
    }
    if (AtModelField("merges")) {
      list_ = List::kMerges;
      list_depth_ = 1;
      file_->has_merges = true;
      return true;
    }
    return Open(Json::array());
  }
  bool end_array() override {
    if (list_ != List::kMerges) return Close();
    if (list_depth_ == 2 && pair_parts_ != 2) return BadMerge();
    if (--list_depth_ == 0) list_ = List::kNone;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, ..."; all of the library's messages
    // begin like that.
    const std::string what = e.what();
    return Fail(what.substr(what.find("] ") + 2));
  }

  const std::string& problem() const { return problem_; }

 private:
  enum class List { kNone, kVocabulary, kMerges };

  // The parser stops at the first false.
  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool BadToken() {
    return Fail(
        absl::StrCat("model.vocab[\"", file_->Text(token_).substr(0, 80), "\"]: not an integer"));
  }
  bool BadMerge() {
    size_t index = file_->merges.size() - (list_depth_ >= 2 && pair_parts_ > 0 ? 1 : 0);
    return Fail(absl::StrCat("model.merges[", index, "]: neither a string nor a pair of strings"));
  }

  TextRef Keep(const std::string& value) {
    TextRef ref{static_cast<uint32_t>(file_->text.size()), static_cast<uint32_t>(value.size())};
    file_->text += value;
    return ref;
  }

  template <typename Exact>
  bool Integer(int64_t id, Exact exact) {
    if (list_ != List::kVocabulary) return Value(exact);
    file_->vocabulary.push_back({token_, id});
    return true;
  }

  template <typename T>
  bool Value(T&& value) {
    if (list_ == List::kVocabulary) return BadToken();
    if (list_ == List::kMerges) return BadMerge();
    Place(Json(std::forward<T>(value)));
    return true;
  }

  Json* Place(Json value) {
    if (open_.empty()) {
      file_->root = std::move(value);
      return &file_->root;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  // Pointers in open_ stay good: a container grows only once everything opened in it is closed.
  bool Open(Json value) {
    if (open_.size() >= static_cast<size_t>(kMaxJsonDepth))
      return Fail(absl::StrCat("nested deeper than ", kMaxJsonDepth));
    bool model = open_.size() == 1 && open_[0]->is_object() && key_ == "model" && value.is_object();
    open_.push_back(Place(std::move(value)));
    if (model) model_ = open_.back();
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }
  bool AtModel() const { return open_.size() == 2 && open_.back() == model_; }
  bool AtModelField(absl::string_view name) const { return AtModel() && key_ == name; }

  TokenizerFile* file_;
  std::vector<Json*> open_;
  Json* model_ = nullptr;
  std::string key_;
  List list_ = List::kNone;
  int list_depth_ = 0;
  int pair_parts_ = 0;
  TextRef token_;
  std::string problem_;
};

}  // namespace

absl::StatusOr<TokenizerFile> ReadTokenizerFile(absl::string_view json) {
  if (json.size() > (size_t{1} << 30)) return absl::InvalidArgumentError("larger than 1 GiB");
  // The parser takes a NUL for the end, and would not look at what follows it.
  if (const size_t at = json.find('\0'); at != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not valid JSON: a NUL character at byte ", at));
  }
  TokenizerFile file;
  Reader reader(&file);
  if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &reader)) {
    absl::string_view problem = reader.problem();
    if (absl::string_view(problem).substr(0, 6) == "model.")
      return absl::InvalidArgumentError(problem);
    return absl::InvalidArgumentError(absl::StrCat("not valid JSON: ", problem.substr(0, 400)));
  }
  return file;
}

}  // namespace steer::tok
