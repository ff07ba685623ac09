// What a plan needs to know of the server: the client's run folder fills it from GetModel. A plain
// struct, so that plans are checked, frozen and tested without a server.
#ifndef STEER_CLIENT_PLAN_SERVER_FACTS_H_
#define STEER_CLIENT_PLAN_SERVER_FACTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace steer {

struct ServerFacts {
  std::string model_name;
  std::string family;
  int layers = 0;  // L
  int hidden = 0;
  int vocabulary = 0;
  std::string model_fingerprint;
  std::string numeric_fingerprint;
  std::string dtype;
  std::string device;
  std::string chat_template_digest;
  std::string contract_version;
  double suggested_repetition_penalty = 0;      // 0: none
  std::map<std::string, std::string> readouts;  // name -> digest
  struct RefusalToken {
    int id = 0;
    std::string piece;
  };
  std::vector<RefusalToken> refusal_tokens;  // default ids
  std::vector<std::string> control_families;
  std::vector<std::string> features;
  // Limits (proto Limits); 0 means unknown and is not checked.
  int64_t max_context_tokens = 0;
  int64_t max_new_tokens = 0;
  int64_t max_prompts = 0;
  int64_t max_arms = 0;
  int64_t max_rows = 0;
  int64_t max_state_bytes = 0;
  // Measured at the server's start; 0: not measured.
  double prefill_tokens_per_second = 0;
  double decode_steps_per_second = 0;
  int decode_rows = 0;     // R
  int prefill_tokens = 0;  // C
};

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_SERVER_FACTS_H_
