// A skipped site or row shows in the counts that the receipt is made of.
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "server/steering/edit_table.h"
#include "tests/server/steering/run_self.h"

namespace steer {
namespace {

// Edits that are applied to 4 tokens by either kernel, by count returned and by tallies.
std::vector<int64_t> Counts() {
  auto edit = std::make_shared<LinearEdit>();
  edit->k = 1;
  edit->v = edit->u = {1, 0, 0};
  edit->b = {0};
  EditEntry entry;
  entry.write.resize(3);
  entry.stream = {nullptr, edit, nullptr};
  const std::vector<const EditEntry*> entries = {nullptr, &entry, &entry, &entry, nullptr, &entry};
  std::vector<int64_t> counts;
  for (auto kernel : {&ApplyEditsCpu, &ApplyEditsTorch}) {
    at::Tensor x = at::ones({6, 3});
    std::vector<EditTally> tallies(6);
    counts.push_back(kernel(1, EditTarget::kStream, entries, x, absl::MakeSpan(tallies)));
    int64_t tallied = 0;
    for (const EditTally& tally : tallies) tallied += tally.edits;
    counts.push_back(tallied);
    counts.push_back(6 - x.select(1, 0).sum().item<float>());  // rows that were changed
  }
  return counts;
}

const Child kAll("all", [] { EXPECT_EQ(Counts(), std::vector<int64_t>(6, 4)); });
const Child kRow("row", [] { EXPECT_EQ(Counts(), std::vector<int64_t>(6, 3)); });
const Child kSite("site", [] { EXPECT_EQ(Counts(), std::vector<int64_t>(6, 0)); });

TEST(EditFailpoints, ReduceWhatIsCounted) {
  EXPECT_TRUE(Passed(RunSelf("all", "")));
  EXPECT_TRUE(Passed(RunSelf("row", "edit.skip_row=skip")));
  EXPECT_TRUE(Passed(RunSelf("site", "edit.skip_site=skip")));
}

}  // namespace
}  // namespace steer
