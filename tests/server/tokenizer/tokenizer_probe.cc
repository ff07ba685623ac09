// Encodes texts for tests/golden/tokenizer/compare_live.py, which holds them against the `tokenizers` library.
//   tokenizer_probe FOLDER encode < TEXTS   per text: count, ids, size and bytes of the ids decoded; or ~0 where it is refused
//   tokenizer_probe FOLDER time < TEXTS     "encode SECONDS IDS" and "decode SECONDS BYTES", each the best of three passes in one thread
// TEXTS: size and bytes of each. All numbers are 32-bit words, little-endian.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "server/tokenizer/tokenizer.h"

namespace {

bool ReadWord(uint32_t* word) { return std::fread(word, sizeof(*word), 1, stdin) == 1; }
void WriteWord(uint32_t word) { std::fwrite(&word, sizeof(word), 1, stdout); }

// Of this thread's own time, so that a busy neighbour does not count.
double Seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double BestOfThree(const std::function<void()>& work) {
  double best = 1e9;
  for (int pass = 0; pass < 3; ++pass) {
    const double start = Seconds();
    work();
    best = std::min(best, Seconds() - start);
  }
  return best;
}

void Time(const steer::Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::vector<std::vector<int32_t>> ids(texts.size());
  size_t count = 0, bytes = 0;
  const double encode = BestOfThree([&] {
    for (size_t i = 0; i < texts.size(); ++i) ids[i] = tokenizer.Encode(texts[i]).value();
  });
  for (const auto& each : ids) count += each.size();
  const double decode = BestOfThree([&] {
    bytes = 0;
    for (const auto& each : ids) bytes += tokenizer.Decode(each, false).size();
  });
  std::printf("encode %.6f %zu\ndecode %.6f %zu\n", encode, count, decode, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[2] : "";
  if (mode != "encode" && mode != "time") {
    std::fprintf(stderr, "usage: tokenizer_probe FOLDER encode|time < TEXTS\n");
    return 2;
  }
  auto tokenizer = steer::Tokenizer::Load(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().ToString().c_str());
    return 1;
  }
  std::vector<std::string> texts;
  for (uint32_t size; ReadWord(&size);) {
    std::string& text = texts.emplace_back(size, '\0');
    if (std::fread(text.data(), 1, size, stdin) != size) return 1;
  }
  if (mode == "time") {
    Time(**tokenizer, texts);
    return 0;
  }
  for (const std::string& text : texts) {
    auto ids = (*tokenizer)->Encode(text);
    if (!ids.ok()) {
      WriteWord(~uint32_t{0});
      continue;
    }
    WriteWord(static_cast<uint32_t>(ids->size()));
    std::fwrite(ids->data(), sizeof(int32_t), ids->size(), stdout);
    const std::string decoded = (*tokenizer)->Decode(*ids, false);
    WriteWord(static_cast<uint32_t>(decoded.size()));
    std::fwrite(decoded.data(), 1, decoded.size(), stdout);
  }
  return 0;
}
