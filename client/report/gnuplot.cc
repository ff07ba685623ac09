#include "client/report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status Failed(absl::StatusCode code, absl::string_view what) {
  return MakeError(code, kFigureReason, absl::StrCat("cannot draw the figure: ", what));
}

// An anonymous file that holds `bytes`, at its beginning.
absl::StatusOr<int> MemoryFile(absl::string_view bytes) {
  int fd = memfd_create("steer", MFD_CLOEXEC);
  if (fd < 0) return Failed(absl::StatusCode::kInternal, strerror(errno));
  // pwrite leaves the file at its beginning, for whoever reads it as a standard input.
  if (pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    close(fd);
    return Failed(absl::StatusCode::kInternal, "no memory for the script");
  }
  return fd;
}

// Reads until the other end closes. False if `deadline` passed first.
bool ReadAll(int fd, std::chrono::steady_clock::time_point deadline, std::string* out) {
  char buffer[1 << 16];
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd entry = {fd, POLLIN, 0};
    // Out of time, or a signal: the deadline above tells them apart.
    if (poll(&entry, 1, static_cast<int>(left.count())) <= 0) continue;
    ssize_t n = read(fd, buffer, sizeof(buffer));  // of what is there: it does not wait
    if (n <= 0) return n == 0;
    out->append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

std::string GnuplotQuote(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}, {"\n", " "}, {"\r", " "}}), "'");
}

absl::StatusOr<std::string> RunGnuplot(absl::string_view script, absl::Duration timeout) {
  STEER_ASSIGN_OR_RETURN(int input, MemoryFile(script));
  absl::Cleanup close_input = [input] { close(input); };
  STEER_ASSIGN_OR_RETURN(int errors, MemoryFile(""));
  absl::Cleanup close_errors = [errors] { close(errors); };
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return Failed(absl::StatusCode::kInternal, strerror(errno));
  absl::Cleanup close_output = [&output] { close(output[0]); };

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  posix_spawn_file_actions_adddup2(&actions, errors, 2);
  const char* argv[] = {"gnuplot", "--default-settings", "-", nullptr};
  const char* path = getenv("PATH");
  std::string path_variable = absl::StrCat("PATH=", path != nullptr ? path : "/usr/bin:/bin");
  const char* environment[] = {path_variable.c_str(), "LC_ALL=C.UTF-8", "HOME=/nonexistent",
                               nullptr};
  pid_t pid = 0;
  int error = posix_spawnp(&pid, "gnuplot", &actions, nullptr, const_cast<char**>(argv),
                           const_cast<char**>(environment));
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  if (error != 0) {
    return Failed(absl::StatusCode::kUnavailable,
                  absl::StrCat("gnuplot: ", strerror(error),
                               "; install gnuplot-nox, then `steerctl report`"));
  }
  std::string drawn;
  bool finished = ReadAll(
      output[0], std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout), &drawn);
  if (!finished) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!finished) return Failed(absl::StatusCode::kInternal, "gnuplot took too long");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !drawn.empty()) return drawn;
  char words[512];
  ssize_t n = pread(errors, words, sizeof(words), 0);
  return Failed(
      absl::StatusCode::kInternal,
      absl::StrCat("gnuplot: ", n > 0 ? absl::string_view(words, static_cast<size_t>(n))
                                      : absl::string_view("it drew nothing and does not say why")));
}

}  // namespace steer
