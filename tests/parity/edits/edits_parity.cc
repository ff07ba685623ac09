// edits_parity MODEL_DIR float32|bfloat16 REFERENCE ...: edits of a checkpoint against transformers' hooks, and what must hold to the
// bit. References come from make_reference.py. Exit 1 if anything does not hold.
#include <c10/core/InferenceMode.h>

#include <cstdio>

#include "server/weights/checkpoint.h"
#include "tests/parity/edits/checks.h"

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: edits_parity MODEL_DIR float32|bfloat16 REFERENCE ...\n");
    return 2;
  }
  const auto checkpoint = steer::Checkpoint::Open(argv[1]);
  if (!checkpoint.ok()) {
    std::fprintf(stderr, "%s\n", checkpoint.status().ToString().c_str());
    return 2;
  }
  steer::DecoderOptions options;
  options.dtype = argv[2];
  options.kv_tokens = 512;
  const auto decoder = steer::Decoder::Load(**checkpoint, options);
  if (!decoder.ok()) {
    std::fprintf(stderr, "%s\n", decoder.status().ToString().c_str());
    return 2;
  }
  const c10::InferenceMode inference;
  steer::EditChecks checks(decoder->get(), options.dtype == "float32");
  std::printf("%s, %s\n", argv[1], argv[2]);
  for (int i = 3; i < argc; ++i) {
    const auto golden = steer::EditGolden::Open(argv[i]);
    if (!golden.ok()) {
      std::fprintf(stderr, "%s\n", golden.status().ToString().c_str());
      return 2;
    }
    // The second and later prompts in pieces.
    checks.Hooks(*golden, i == 3 ? 0 : 5);
    checks.Weights(*golden);
    if (i == 3) checks.Exact(*golden);
  }
  std::printf("%s\n", checks.failures() == 0 ? "all checks hold" : "NOT ALL CHECKS HOLD");
  return checks.failures() == 0 ? 0 : 1;
}
