// The ledger of a direction set: hashes of the prompts that were selected on with it. A text file,
// one hash a line, closed by a line with the SHA-256 of what stands before it; replaced as a whole,
// so that a crash leaves the old ledger or the new one. No torch.
#ifndef STEER_SERVER_STEERING_LEDGER_H_
#define STEER_SERVER_STEERING_LEDGER_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace steer {

struct Ledger {
  std::set<std::string> hashes;
  // The file was changed or cut short. `hashes` then holds every line of it that is a hash: one too
  // many refuses a test prompt, one too few would let a selected prompt pass as unseen.
  bool damaged = false;
};

// An empty ledger if there is no file.
absl::StatusOr<Ledger> ReadLedger(const std::string& path);

// Durable when it returns. Failpoints "store.ledger.before_write" and "store.ledger.after_write".
absl::Status WriteLedger(const std::string& path, const std::set<std::string>& hashes);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_LEDGER_H_
