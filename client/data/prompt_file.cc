#include "client/data/prompt_file.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "client/data/csv.h"
#include "client/data/text.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "common/utf8.h"

namespace steer {
namespace {

constexpr std::pair<PromptFormat, absl::string_view> kFormats[] = {
    {PromptFormat::kCsv, "csv"},
    {PromptFormat::kJson, "json"},
    {PromptFormat::kJsonl, "jsonl"},
    {PromptFormat::kText, "text"},
};

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Text that is about to be a prompt or to be compared by a filter.
using Lookup = absl::StatusOr<std::string>;

// Takes the records of one file in order and keeps the prompts among them.
class Collector {
 public:
  Collector(const PromptSource& source, PromptFile* file) : source_(source), file_(file) {}

  // `field(name)` returns the record's text under a column or key ("" for the record itself).
  template <typename Field>
  absl::Status Take(const Field& field) {
    const int64_t row = file_->rows++;
    STEER_ASSIGN_OR_RETURN(const std::string raw, field(source_.field));
    const std::string text(TrimWhiteSpace(raw));
    if (static_cast<int64_t>(text.size()) > kMaxPromptBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a prompt of ", text.size(), " bytes; at most ", kMaxPromptBytes, " are taken"));
    }
    if (text.find('\0') != std::string::npos)
      return absl::InvalidArgumentError("a prompt holds a NUL character");
    bool keep = true;
    for (const FieldFilter& filter : source_.filters) {
      STEER_ASSIGN_OR_RETURN(const std::string value, field(filter.field));
      keep = keep && (TrimWhiteSpace(value) == TrimWhiteSpace(filter.value)) == filter.equal;
    }
    if (text.empty()) {
      ++file_->blank;
      return absl::OkStatus();
    }
    const int64_t characters = static_cast<int64_t>(CountCodePoints(text));
    keep = keep && characters >= source_.min_characters &&
           (source_.max_characters == 0 || characters <= source_.max_characters);
    if (!keep) {
      ++file_->filtered;
      return absl::OkStatus();
    }
    file_->kept.push_back({row, text});
    return absl::OkStatus();
  }

 private:
  const PromptSource& source_;
  PromptFile* file_;
};

// Every line without its line end (LF or CRLF), with its number from 1. No line follows the last
// line end.
template <typename Visit>
absl::Status ForEachLine(absl::string_view bytes, const Visit& visit) {
  for (int64_t line = 1; !bytes.empty(); ++line) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    absl::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    absl::Status status = visit(line, text);
    if (!status.ok()) return Annotate(status, absl::StrCat("line ", line));
  }
  return absl::OkStatus();
}

absl::Status TakeCsv(const PromptSource& source, absl::string_view bytes, Collector* collector) {
  STEER_ASSIGN_OR_RETURN(const std::vector<CsvRecord> records, ParseCsv(bytes));
  const std::vector<std::string>& header = records.front().fields;
  for (size_t i = 0; i < header.size(); ++i) {
    if (std::find(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(i), header[i]) !=
        header.begin() + static_cast<std::ptrdiff_t>(i)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line 1: the column \"", header[i], "\" occurs twice"));
    }
  }
  std::vector<std::string> wanted = {source.field};
  for (const FieldFilter& filter : source.filters) wanted.push_back(filter.field);
  for (const std::string& name : wanted) {
    if (std::find(header.begin(), header.end(), name) == header.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line 1: no column \"", name, "\" in the header"));
    }
  }
  for (size_t i = 1; i < records.size(); ++i) {
    absl::Status status = collector->Take([&](const std::string& name) -> Lookup {
      return records[i].fields[static_cast<size_t>(std::find(header.begin(), header.end(), name) -
                                                   header.begin())];
    });
    if (!status.ok()) return Annotate(status, absl::StrCat("line ", records[i].line));
  }
  return absl::OkStatus();
}

absl::Status TakeJsonRecord(const PromptSource& source, const Json& record, Collector* collector) {
  if (source.field.empty()) {
    if (!record.is_string()) {
      return absl::InvalidArgumentError(
          "not a string; where lines are objects, name the key that holds the prompt");
    }
  } else if (!record.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not an object, so it has no key \"", source.field, "\""));
  }
  return collector->Take([&](const std::string& key) -> Lookup {
    if (key.empty()) return record.get<std::string>();
    auto it = record.find(key);
    if (it == record.end())
      return absl::InvalidArgumentError(absl::StrCat("the key \"", key, "\" is missing"));
    if (it->is_string()) return it->get<std::string>();
    // Prompts are strings; filters may also look at numbers and booleans.
    if (key != source.field && (it->is_number() || it->is_boolean())) return it->dump();
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" is not a string"));
  });
}

absl::Status TakeJson(const PromptSource& source, absl::string_view bytes, Collector* collector) {
  STEER_ASSIGN_OR_RETURN(const Json records, ParseJson(bytes));
  if (!records.is_array())
    return absl::InvalidArgumentError("not a JSON array of objects or strings");
  for (size_t i = 0; i < records.size(); ++i) {
    absl::Status status = TakeJsonRecord(source, records[i], collector);
    if (!status.ok()) return Annotate(status, absl::StrCat("element ", i));
  }
  return absl::OkStatus();
}

absl::Status TakeJsonLines(const PromptSource& source, absl::string_view bytes,
                           Collector* collector) {
  return ForEachLine(bytes, [&](int64_t, absl::string_view line) -> absl::Status {
    if (TrimWhiteSpace(line).empty()) return absl::OkStatus();
    STEER_ASSIGN_OR_RETURN(const Json record, ParseJson(line));
    return TakeJsonRecord(source, record, collector);
  });
}

absl::Status TakeLines(absl::string_view bytes, Collector* collector) {
  return ForEachLine(bytes, [&](int64_t, absl::string_view line) {
    return collector->Take([&](const std::string&) -> Lookup { return std::string(line); });
  });
}

absl::Status TakeAll(const PromptSource& source, absl::string_view bytes, Collector* collector) {
  const size_t valid = ValidUtf8Prefix(bytes);
  if (valid < bytes.size()) {
    const auto line =
        1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(valid), '\n');
    return absl::InvalidArgumentError(absl::StrCat("line ", line, ": not valid UTF-8"));
  }
  if (bytes.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    bytes.remove_prefix(kByteOrderMark.size());
  if (source.format == PromptFormat::kCsv) return TakeCsv(source, bytes, collector);
  if (source.format == PromptFormat::kJson) return TakeJson(source, bytes, collector);
  if (source.format == PromptFormat::kJsonl) return TakeJsonLines(source, bytes, collector);
  return TakeLines(bytes, collector);
}

}  // namespace

absl::string_view PromptFormatName(PromptFormat format) {
  // Every format has its entry.
  return std::find_if(std::begin(kFormats), std::end(kFormats),
                      [format](const auto& known) { return known.first == format; })
      ->second;
}

absl::StatusOr<PromptFormat> ParsePromptFormat(absl::string_view name) {
  for (const auto& [value, known] : kFormats) {
    if (known == name) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" is none of csv, json, jsonl, text"));
}

absl::StatusOr<PromptFile> ParsePrompts(const PromptSource& source, absl::string_view bytes,
                                        absl::string_view name) {
  PromptFile file;
  file.file = source.file;
  file.sha256 = Sha256Hex(bytes);
  file.bytes = static_cast<int64_t>(bytes.size());
  Collector collector(source, &file);
  absl::Status status = TakeAll(source, bytes, &collector);
  if (!status.ok()) return Annotate(status, name);
  return file;
}

absl::StatusOr<PromptFile> ReadPromptFile(const PromptSource& source,
                                          const std::string& data_root) {
  const std::string path = absl::StrCat(data_root, "/", source.file);
  auto bytes = ReadFile(path, kMaxPromptFileBytes);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(
        absl::StrCat(path,
                     ": no such file; --data-root names the folder that data files are relative "
                     "to"));
  }
  if (!bytes.ok()) return bytes.status();
  return ParsePrompts(source, *bytes, path);
}

}  // namespace steer
