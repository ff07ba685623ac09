// Words of a command line that people copy into a POSIX shell.
#ifndef STEER_COMMON_SHELL_QUOTE_H_
#define STEER_COMMON_SHELL_QUOTE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace steer {

// One word that `sh` reads back as `text`, which holds no NUL: bare where nothing in it has a
// meaning to a shell, else in single quotes. Pure.
std::string ShellQuote(absl::string_view text);

// For comments and terminals: control characters (line ends among them) and bytes that are not
// UTF-8 as \xNN, so that text from a file of others can neither end a comment nor steer a terminal.
std::string OneLine(absl::string_view text);

}  // namespace steer

#endif  // STEER_COMMON_SHELL_QUOTE_H_
