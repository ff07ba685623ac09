// Runs one fuzz target without libFuzzer, built by any compiler: every file of a corpus, then mutations of them from a fixed seed.
//   fuzz_NAME CORPUS_FOLDER [--runs N] [--dictionary FILE]      or: fuzz_NAME FILE ... to replay inputs
// A crash keeps its input as fuzz_NAME.crash in the working folder; replay it with `fuzz_NAME fuzz_NAME.crash`.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "common/files.h"
#include "tests/fuzz/dictionary.h"
#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Only targets whose inputs have a structure have one.
extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                                                size_t max_size, unsigned seed);

namespace {

constexpr uint32_t kSeed = 20261126;
constexpr size_t kMaxInput = 16384;
constexpr size_t kSmallestCorpus = 2;

// What a signal handler needs, since nothing else reaches it.
std::string g_crash_file;
const std::string* g_input = nullptr;
steer::fuzz::ByteMutator* g_mutator = nullptr;

void KeepInput(int signal_number) {
  const int fd = open(g_crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0 && g_input != nullptr) (void)!write(fd, g_input->data(), g_input->size());
  constexpr char kNote[] = "the input that did this is kept beside the program as *.crash\n";
  (void)!write(2, kNote, sizeof(kNote) - 1);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void RunOne(const std::string& input) {
  g_input = &input;
  // An exact copy on the heap, so that a read past its end is seen by tools that look.
  std::vector<uint8_t> copy(input.begin(), input.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

std::string Mutated(const std::vector<std::string>& corpus, steer::fuzz::ByteMutator* mutator) {
  std::string input = corpus[mutator->Below(corpus.size())];
  if (LLVMFuzzerCustomMutator != nullptr) {
    const size_t size = input.size();
    input.resize(kMaxInput);
    input.resize(LLVMFuzzerCustomMutator(reinterpret_cast<uint8_t*>(input.data()),
                                         std::min(size, kMaxInput), kMaxInput,
                                         static_cast<unsigned>(mutator->Below(1u << 31))));
    return input;
  }
  for (size_t changes = 1 + mutator->Below(4); changes > 0; --changes) mutator->Mutate(&input);
  if (input.size() > kMaxInput) input.resize(kMaxInput);
  return input;
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 2;
}

}  // namespace

// What libFuzzer offers to custom mutators.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  std::string bytes(reinterpret_cast<char*>(data), size);
  g_mutator->Mutate(&bytes);
  const size_t length = std::min(bytes.size(), max_size);
  std::copy_n(bytes.begin(), length, data);
  return length;
}

int main(int argc, char** argv) {
  std::vector<std::string> files;
  std::vector<std::string> words;
  int64_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--runs" && i + 1 < argc) {
      if (!absl::SimpleAtoi(argv[++i], &runs)) return Fail("--runs wants a number");
    } else if (argument == "--dictionary" && i + 1 < argc) {
      const auto text = steer::ReadFile(argv[++i]);
      if (text.ok()) words = steer::fuzz::ParseDictionary(*text);
    } else if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument))
        files.push_back(entry.path().string());
    } else {
      files.push_back(argument);
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const std::string& file : files) {
    auto bytes = steer::ReadFile(file);
    if (!bytes.ok()) return Fail(bytes.status().ToString());
    corpus.push_back(*std::move(bytes));
  }
  if (corpus.empty() || (runs > 0 && corpus.size() < kSmallestCorpus))
    return Fail("no corpus: name its folder");
  g_crash_file = std::filesystem::path(argv[0]).filename().string() + ".crash";
  for (const int fatal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(fatal, KeepInput);

  const auto start = std::chrono::steady_clock::now();
  steer::fuzz::ByteMutator mutator(corpus, words, kSeed);
  g_mutator = &mutator;
  for (const std::string& input : corpus) RunOne(input);
  for (int64_t run = 0; run < runs; ++run) RunOne(Mutated(corpus, &mutator));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%zu corpus files and %lld mutations in %.1f s\n", corpus.size(),
              static_cast<long long>(runs), seconds.count());
  return 0;
}
