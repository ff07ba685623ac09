// Text stays inside: a model whose words are marked, and a search of what programs leave behind.
#ifndef STEER_TESTS_INTEGRATION_LEFTOVERS_H_
#define STEER_TESTS_INTEGRATION_LEFTOVERS_H_

#include <string>
#include <vector>

namespace steer {

// One stem in every mark, in two spellings. A search is without regard to case, and for the stem cut
// short, so that a mark that is broken up into pieces of some letters is seen too.
inline constexpr char kMarkStem[] = "zqcanary";
inline constexpr char kMarkSought[] = "zqcan";

// Copies the planted checkpoint `model` to `folder` with its words renamed: what prompts begin with,
// what completions that answer and that refuse say, a name in the template. Ids stay, so the
// network computes what it did.
void MarkModel(const std::string& model, const std::string& folder);

// Files below `folder`, but for those below one of `inside` (the models, with their prompts), that
// hold one of `sought` in any case, or that are core files. How many were searched goes to
// *searched.
std::vector<std::string> FilesThatHold(const std::string& folder,
                                       const std::vector<std::string>& sought,
                                       const std::vector<std::string>& inside, int* searched);

}  // namespace steer

#endif  // STEER_TESTS_INTEGRATION_LEFTOVERS_H_
