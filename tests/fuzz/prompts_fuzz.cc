// client/data: the first byte chooses format and filters, the rest is the file.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/data/csv.h"
#include "client/data/prompt_file.h"
#include "client/data/text.h"
#include "common/digest.h"
#include "tests/fuzz/check.h"

namespace {

steer::PromptSource SourceOf(uint8_t choice) {
  steer::PromptSource source;
  source.format = static_cast<steer::PromptFormat>(choice & 3);
  source.file = "f";
  const bool csv = source.format == steer::PromptFormat::kCsv;
  if (csv || (choice & 4) != 0) source.field = "a";
  if (source.format == steer::PromptFormat::kText) source.field.clear();
  if (!source.field.empty() && (choice & 8) != 0)
    source.filters.push_back({"b", "x", (choice & 16) != 0});
  if ((choice & 32) != 0) source.max_characters = 12;
  return source;
}

// Every field quoted: the same records in another spelling.
void CheckCsv(absl::string_view bytes) {
  const auto records = steer::ParseCsv(bytes);
  if (!records.ok()) return steer::fuzz::CheckRefusal(records.status(), "line ");
  std::string written;
  for (const steer::CsvRecord& record : *records) {
    FUZZ_CHECK(record.fields.size() == records->front().fields.size());
    for (size_t i = 0; i < record.fields.size(); ++i)
      absl::StrAppend(&written, i == 0 ? "" : ",", "\"",
                      absl::StrReplaceAll(record.fields[i], {{"\"", "\"\""}}), "\"");
    absl::StrAppend(&written, "\r\n");
  }
  const auto again = steer::ParseCsv(written);
  FUZZ_CHECK(again.ok() && again->size() == records->size());
  for (size_t i = 0; i < records->size(); ++i)
    FUZZ_CHECK((*again)[i].fields == (*records)[i].fields);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const steer::PromptSource source = SourceOf(data[0]);
  const absl::string_view bytes = steer::fuzz::Text(data + 1, size - 1);
  if (source.format == steer::PromptFormat::kCsv) CheckCsv(bytes);
  const auto file = steer::ParsePrompts(source, bytes, "in.data");
  if (!file.ok()) {
    steer::fuzz::CheckRefusal(file.status(), "in.data: ");
    return 0;
  }
  FUZZ_CHECK(file->sha256 == steer::Sha256Hex(bytes));
  FUZZ_CHECK(file->bytes == static_cast<int64_t>(bytes.size()));
  FUZZ_CHECK(file->rows == file->blank + file->filtered + static_cast<int64_t>(file->kept.size()));
  int64_t last = -1;
  for (const steer::PromptRow& row : file->kept) {
    FUZZ_CHECK(row.row > last && row.row < file->rows);
    last = row.row;
    FUZZ_CHECK(!row.text.empty() && steer::IsValidUtf8(row.text));
    FUZZ_CHECK(row.text.find('\0') == std::string::npos);
    FUZZ_CHECK(steer::TrimWhiteSpace(row.text) == row.text);
    if (source.max_characters != 0)
      FUZZ_CHECK(steer::CountCodePoints(row.text) <= static_cast<size_t>(source.max_characters));
  }
  if (source.format == steer::PromptFormat::kCsv)
    FUZZ_CHECK(file->rows + 1 == static_cast<int64_t>(steer::ParseCsv(bytes)->size()));
  if (source.format == steer::PromptFormat::kText) {
    const absl::string_view body = bytes.substr(0, 3) == "\xEF\xBB\xBF" ? bytes.substr(3) : bytes;
    const auto ends = std::count(body.begin(), body.end(), '\n');
    FUZZ_CHECK(file->rows == ends + (!body.empty() && body.back() != '\n' ? 1 : 0));
  }
  return 0;
}
