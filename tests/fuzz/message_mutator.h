// Mutates a message by its fields instead of its bytes, so that most results are messages that a client could send.
#ifndef STEER_TESTS_FUZZ_MESSAGE_MUTATOR_H_
#define STEER_TESTS_FUZZ_MESSAGE_MUTATOR_H_

#include <cstdint>
#include <random>

#include "google/protobuf/message.h"

namespace steer::fuzz {

// Sets, clears, adds, removes or doubles one field somewhere in `message`; values are those at which rules change, or random.
void MutateMessage(google::protobuf::Message* message, std::minstd_rand* random);

}  // namespace steer::fuzz

#endif  // STEER_TESTS_FUZZ_MESSAGE_MUTATOR_H_
