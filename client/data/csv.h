// Strict CSV: RFC 4180, with LF or CRLF, an optional UTF-8 byte order mark and nothing more
// lenient. Private to client/data.
#ifndef STEER_CLIENT_DATA_CSV_H_
#define STEER_CLIENT_DATA_CSV_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

struct CsvRecord {
  int64_t line = 0;  // of its first character, from 1
  std::vector<std::string> fields;
};

// All records, the header first. A quoted field may hold separators, line ends and doubled quotes.
// INVALID_ARGUMENT
// ("line N: ...") for a quote inside an unquoted field, text after a closing quote, a quote never
// closed, a lone carriage return, an empty file, or a record whose width is not the header's (an
// empty line is a record of one empty field).
absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view bytes);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_CSV_H_
