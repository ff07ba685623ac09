// Interventions: what a caller asks for, and its exact host form. One formula is every linear edit:
// at a site, with V and U of shape [hidden, K] and b of shape [K],  x <- x + V (b - U^T x). No
// torch, no protobuf.
#ifndef STEER_SERVER_STEERING_INTERVENTION_H_
#define STEER_SERVER_STEERING_INTERVENTION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/steering/control.h"
#include "server/steering/intervention_class.h"

namespace steer {

enum class EditTarget { kDefault, kStream, kWrite };
enum class TokenScope { kAll, kPrompt, kGenerated, kLastPromptAndGenerated };
enum class OpKind { kAblate, kAdd, kSetProjection };

struct OpSpec {
  OpKind kind = OpKind::kAblate;
  std::vector<DirectionRef> directions;  // one, or 1 to 8 for kAblate
  double amount = 1;  // kAblate: fraction (0, 2]; kAdd: coefficient; kSetProjection: target value
                      // on the unit direction
  bool all_sites = false;  // with `sites` empty and all_sites false: the kind's default
  std::vector<int> sites;  // strictly ascending
  EditTarget target = EditTarget::kDefault;
  TokenScope scope = TokenScope::kAll;
  int last_prompt_tokens = 0;
};

struct InterventionSpec {
  std::vector<OpSpec> ops;
};

// x <- x + V (b - U^T x) at one site, float32. Columns are stored one after another: V [K, hidden].
struct LinearEdit {
  int k = 0;
  std::vector<float> v;  // [k, hidden]
  std::vector<float> u;  // [k, hidden]; all zero for an addition
  std::vector<float> b;  // [k]
  // Rows of an orthonormal basis whose projections the edit sends to zero, for the receipt's
  // residual; empty if it ablates nothing.
  int ablated = 0;
  std::vector<float> ablated_basis;  // [ablated, hidden]
};

// The edits of one token at every site. Sites share LinearEdits.
struct EditEntry {
  std::vector<std::shared_ptr<const LinearEdit>> write;   // [sites], null where nothing
  std::vector<std::shared_ptr<const LinearEdit>> stream;  // [sites], null where nothing
  // Sites with an edit of either kind, counted once for each kind.
  int edits = 0;
};

// Host form of an intervention for one model. Immutable, thread-safe.
struct CompiledIntervention {
  // Entry of a token, null for untouched: `index` within the row, `prompt_tokens` in its prompt.
  const EditEntry* EntryFor(int64_t index, int64_t prompt_tokens) const;
  bool empty() const { return spans.empty(); }
  InterventionClass type;
  bool ablates = false;  // some edit sends a projection to zero, see LinearEdit::ablated
  // Distinct sites edited.
  int distinct_sites = 0;
  // Digests of the resolved directions, recomputed from the vectors that were compiled in, in the
  // order of ops and their directions.
  std::vector<std::string> direction_digests;
  std::vector<std::string> content_digests;

  // Token classes with one entry each: early prompt, last prompt tokens, generated.
  struct Span {
    enum Part { kEarlyPrompt, kLastPrompt, kGenerated } part;
    std::shared_ptr<const EditEntry> entry;
  };
  std::vector<Span> spans;
  int last_prompt_tokens =
      0;  // boundary between kEarlyPrompt and kLastPrompt; 0: all prompt tokens are early
};

struct ModelShape {
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t sites() const { return 2 * layers + 1; }
};

// Resolves a name; errors are reported as violations of the op's direction, except NOT_FOUND and
// FAILED_PRECONDITION, which are returned.
using DirectionResolver = std::function<absl::StatusOr<ResolvedDirection>(const DirectionRef&)>;

// Directions ablated together are orthonormalised in float64; at a site, ablations and projections
// come before additions, and everything at a site becomes one LinearEdit a target, the write's
// applied before the stream's. INVALID_ARGUMENT with every violation, paths prefixed with `field`
// ("arms[3].intervention"): unknown sites, stream targets that would compound (fraction != 1 at more
// than one site), dependent directions (less than kDependent of one is new), numbers out of range,
// additions that float32 cannot hold, ops that cannot be merged exactly (two non-orthogonal
// ablations or projections at one site given as separate ops, unless they name equal subspaces; an
// addition to the write along what is projected out of the stream).
absl::StatusOr<CompiledIntervention> CompileIntervention(const InterventionSpec& spec,
                                                         const ModelShape& shape,
                                                         const DirectionResolver& resolve,
                                                         absl::string_view field);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_INTERVENTION_H_
