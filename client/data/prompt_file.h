// Prompt files: CSV, JSON, JSON lines or plain text, read strictly. Pure functions; any thread.
//
// Rows count records of the file from 0: CSV data rows (the header is not one), elements of the
// JSON array, lines of JSON lines (blank ones not counted), lines of text. A prompt is the field's
// text without leading and trailing white space; nothing else about it changes. Errors name file
// and line (for a JSON array: the element) and never quote a prompt.
#ifndef STEER_CLIENT_DATA_PROMPT_FILE_H_
#define STEER_CLIENT_DATA_PROMPT_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

enum class PromptFormat { kCsv, kJson, kJsonl, kText };
absl::string_view PromptFormatName(PromptFormat format);  // "csv", "json", "jsonl", "text"
absl::StatusOr<PromptFormat> ParsePromptFormat(absl::string_view name);

// Keeps a row if the field's text, trimmed, is (or is not) `value`. A JSON field may be a string,
// number or boolean; its absence is an error, so that a misspelt filter never passes everything.
struct FieldFilter {
  std::string field;
  std::string value;
  bool equal = true;
  friend bool operator==(const FieldFilter&, const FieldFilter&) = default;
};

// Where the prompts of one class come from.
struct PromptSource {
  // As written in the plan: relative to the data root, never absolute.
  std::string file;
  PromptFormat format = PromptFormat::kText;
  // CSV column or JSON key; empty for text and for JSON that holds strings.
  std::string field;
  std::vector<FieldFilter> filters;
  // Code points after trimming; rows outside are filtered. 0: no upper limit.
  int64_t min_characters = 1;
  int64_t max_characters = 0;
  friend bool operator==(const PromptSource&, const PromptSource&) = default;
};

// Longest prompt in bytes that the contract takes (proto Prompt.user).
inline constexpr int64_t kMaxPromptBytes = 32768;
// Largest file that is read.
inline constexpr int64_t kMaxPromptFileBytes = int64_t{256} << 20;

struct PromptRow {
  int64_t row = 0;
  std::string text;
};

struct PromptFile {
  std::string file;    // PromptSource.file
  std::string sha256;  // over the bytes of the file
  int64_t bytes = 0;
  int64_t rows = 0;             // records in the file
  int64_t blank = 0;            // dropped: nothing but white space
  int64_t filtered = 0;         // dropped by a filter or a length limit
  std::vector<PromptRow> kept;  // ascending rows
};

// INVALID_ARGUMENT: malformed syntax, not UTF-8, NUL, a missing column or key, a field that is no
// string, a row of another width than the header, a prompt over kMaxPromptBytes. `name` stands in
// errors.
absl::StatusOr<PromptFile> ParsePrompts(const PromptSource& source, absl::string_view bytes,
                                        absl::string_view name);

// As ParsePrompts, on data_root + "/" + source.file. NOT_FOUND names the path and --data-root.
absl::StatusOr<PromptFile> ReadPromptFile(const PromptSource& source, const std::string& data_root);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_PROMPT_FILE_H_
