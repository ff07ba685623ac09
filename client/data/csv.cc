#include "client/data/csv.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status LineError(int64_t line, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", problem));
}

class CsvReader {
 public:
  explicit CsvReader(absl::string_view bytes) : bytes_(bytes) {}

  bool AtEnd() const { return at_ >= bytes_.size(); }

  absl::StatusOr<CsvRecord> Next() {
    CsvRecord record;
    record.line = line_;
    while (true) {
      STEER_ASSIGN_OR_RETURN(std::string field, NextField());
      record.fields.push_back(std::move(field));
      if (AtEnd()) return record;
      if (bytes_[at_] == ',') {
        ++at_;
        continue;
      }
      // NextField stops at a separator, a line end or the end of the file only.
      at_ += bytes_[at_] == '\r' ? 2 : 1;
      ++line_;
      return record;
    }
  }

 private:
  // True at LF or CRLF.
  bool AtLineEnd() const {
    return bytes_[at_] == '\n' ||
           (bytes_[at_] == '\r' && at_ + 1 < bytes_.size() && bytes_[at_ + 1] == '\n');
  }

  absl::StatusOr<std::string> NextField() {
    if (!AtEnd() && bytes_[at_] == '"') return QuotedField();
    std::string field;
    while (!AtEnd() && bytes_[at_] != ',' && !AtLineEnd()) {
      if (bytes_[at_] == '"') {
        return LineError(
            line_, "a quote inside an unquoted field; quote the whole field and double the quote");
      }
      if (bytes_[at_] == '\r') return LineError(line_, "a carriage return without a line feed");
      field.push_back(bytes_[at_++]);
    }
    return field;
  }

  absl::StatusOr<std::string> QuotedField() {
    const int64_t opened = line_;
    std::string field;
    ++at_;
    while (true) {
      if (AtEnd()) return LineError(opened, "a quoted field is never closed");
      const char c = bytes_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        field.push_back(c);
      } else if (!AtEnd() && bytes_[at_] == '"') {
        field.push_back('"');
        ++at_;
      } else {
        break;
      }
    }
    if (!AtEnd() && bytes_[at_] != ',' && !AtLineEnd()) {
      return LineError(line_,
                       "text after a closing quote; a quote inside a quoted field is doubled");
    }
    return field;
  }

  absl::string_view bytes_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view bytes) {
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF") bytes.remove_prefix(3);
  std::vector<CsvRecord> records;
  for (CsvReader reader(bytes); !reader.AtEnd();) {
    STEER_ASSIGN_OR_RETURN(CsvRecord record, reader.Next());
    const size_t width = records.empty() ? record.fields.size() : records.front().fields.size();
    if (record.fields.size() != width) {
      return LineError(record.line,
                       absl::StrCat(record.fields.size(), " fields where the header has ", width));
    }
    records.push_back(std::move(record));
  }
  if (records.empty()) return LineError(1, "the file is empty; a header line is needed");
  return records;
}

}  // namespace steer
