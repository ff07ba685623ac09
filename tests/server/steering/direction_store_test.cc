#include "server/steering/direction_store.h"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "common/errors.h"
#include "common/files.h"
#include "tests/server/steering/fixtures.h"
#include "tests/server/steering/store_fixtures.h"

namespace steer {
namespace {

using testing::HasSubstr;

std::vector<std::string> Ids(const absl::StatusOr<std::vector<StoredSet>>& list) {
  EXPECT_TRUE(list.ok()) << list.status();
  std::vector<std::string> ids;
  for (const StoredSet& stored : *list) ids.push_back(stored.set->set_id);
  return ids;
}

TEST(DirectionStore, KeepsSetsOverARestart) {
  TempFolder folder;
  const DirectionSet with = MadeSet("with"), without = MadeSet("without", false);
  {
    auto store = OpenStore(folder.path());
    ASSERT_TRUE(store->Put(with).ok());
    ASSERT_TRUE(store->Put(without).ok());
    ASSERT_TRUE(store->Put(with).ok());
  }
  auto store = OpenStore(folder.path());
  auto got = store->Get(with.set_id);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->set->directions, with.directions);
  EXPECT_EQ(got->set->content_digest, with.content_digest);
  EXPECT_TRUE(got->set->states.empty());
  EXPECT_TRUE(got->has_states);
  EXPECT_EQ(got->stored_bytes, static_cast<int64_t>(std::filesystem::file_size(
                                   folder.path() + "/" + with.set_id + ".safetensors")));
  EXPECT_EQ((*store->GetWithStates(with.set_id))->states, with.states);
  EXPECT_EQ(store->GetWithStates(without.set_id).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->Get(Sha256Hex("x")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(store->Get(Sha256Hex("x")).status().message()),
              HasSubstr(Sha256Hex("x")));
  EXPECT_EQ(store->Get("../x").status().code(), absl::StatusCode::kNotFound);
}

TEST(DirectionStore, RefusesAnotherContentUnderOneId) {
  TempFolder folder;
  auto store = OpenStore(folder.path());
  DirectionSet set = MadeSet("a"), other = MadeSet("a", true, {-1});
  ASSERT_TRUE(store->Put(set).ok());
  EXPECT_EQ(store->Put(other).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ((*store->Get(set.set_id)).set->positions, set.positions);
  set.set_id = "../a";
  EXPECT_EQ(store->Put(set).code(), absl::StatusCode::kInvalidArgument);
  DirectionSet wrong = MadeSet("b");
  wrong.content_digest = Sha256Hex("x");
  EXPECT_EQ(store->Put(wrong).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store->Get(wrong.set_id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(folder.Files().size(), 1u);
}

TEST(DirectionStore, HoldsAtMostSoManySets) {
  TempFolder folder;
  const DirectionSet a = MadeSet("a"), b = MadeSet("b"), c = MadeSet("c");
  {
    auto store = OpenStore(folder.path());
    store->set_max_sets(2);
    ASSERT_TRUE(store->Put(a).ok());
    ASSERT_TRUE(store->Put(b).ok());
    const absl::Status full = store->Put(c);
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(full), "TOO_MANY_DIRECTIONS");
    EXPECT_FALSE(RetryDelayOf(full).has_value());
    EXPECT_FALSE(store->CheckRoom(c.set_id).ok());
    EXPECT_TRUE(store->CheckRoom(a.set_id).ok());
    EXPECT_TRUE(store->Put(a).ok());
    // What is mended is no set more.
    std::filesystem::remove(folder.path() + "/" + b.set_id + ".safetensors");
    EXPECT_TRUE(store->Put(b).ok());
  }
  // Under a lower limit the sets stay; room comes as they go.
  auto store = OpenStore(folder.path());
  store->set_max_sets(1);
  EXPECT_TRUE(store->Get(a.set_id).ok() && store->Get(b.set_id).ok());
  ASSERT_TRUE(store->Delete(a.set_id).ok());
  EXPECT_FALSE(store->Put(c).ok());
  ASSERT_TRUE(store->Delete(b.set_id).ok());
  EXPECT_TRUE(store->Put(c).ok());
}

TEST(DirectionStore, FollowsNoLink) {
  namespace fs = std::filesystem;
  TempFolder folder, elsewhere;
  const DirectionSet a = MadeSet("a"), b = MadeSet("b");
  const std::string in = folder.path() + "/", out = elsewhere.path() + "/";
  {
    auto store = OpenStore(folder.path());
    ASSERT_TRUE(store->Put(a).ok() && store->Put(b).ok());
    ASSERT_TRUE(store->RecordSelected(b.set_id, {Sha256Hex("s")}).ok());
  }
  const std::string set = a.set_id + ".safetensors", ledger = b.set_id + ".selected";
  for (const std::string& name : {set, ledger}) {
    ASSERT_TRUE(fs::exists(in + name)) << name;
    fs::rename(in + name, out + name);
    fs::create_symlink(out + name, in + name);
  }
  const std::vector<std::string> before = elsewhere.Files();
  for (int start = 0; start < 2; ++start) {
    std::vector<std::string> warnings;
    auto store = DirectionStore::Open(folder.path(), &warnings);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_EQ(warnings.size(), start == 0 ? 2u : 1u);
    for (const std::string& warning : warnings) EXPECT_THAT(warning, HasSubstr("is a link"));
    EXPECT_FALSE((*store)->Get(a.set_id).ok());
    // Without its ledger it would take what was selected on for unseen, now and at the next start.
    EXPECT_FALSE((*store)->Get(b.set_id).ok());
    EXPECT_FALSE((*store)->Put(b).ok());
  }
  {
    // A set put in the link's place is a file of the store's own.
    std::vector<std::string> warnings;
    auto store = DirectionStore::Open(folder.path(), &warnings);
    ASSERT_TRUE(store.ok() && (*store)->Put(a).ok());
    EXPECT_FALSE(fs::is_symlink(in + set));
  }
  EXPECT_EQ(elsewhere.Files(), before);
  fs::remove(in + ".lock");
  fs::create_symlink(out + "lock", in + ".lock");
  EXPECT_FALSE(DirectionStore::Open(folder.path(), nullptr).ok());
  EXPECT_FALSE(fs::exists(out + "lock"));
}

TEST(DirectionStore, ListsNewestFirstInPages) {
  TempFolder folder;
  std::vector<std::string> wanted;
  {
    auto store = OpenStore(folder.path());
    std::vector<DirectionSet> sets;
    for (int i = 0; i < 7; ++i) {
      DirectionSet set = MadeSet(std::to_string(i), false, {-1}, 1, 2);
      set.create_time = absl::FromUnixSeconds(1000 + i / 2);  // pairs of equal times
      if (i == 3) set.model_fingerprint = "other";
      ASSERT_TRUE(store->Put(set).ok());
      sets.push_back(set);
    }
    std::sort(sets.begin(), sets.end(), [](const DirectionSet& a, const DirectionSet& b) {
      return a.create_time != b.create_time ? a.create_time > b.create_time : a.set_id < b.set_id;
    });
    for (const DirectionSet& set : sets) wanted.push_back(set.set_id);
  }
  auto store = OpenStore(folder.path());
  EXPECT_EQ(Ids(store->List("", "", 100)), wanted);
  std::vector<std::string> paged;
  for (std::string after; paged.size() < 7; after = paged.back()) {
    const std::vector<std::string> page = Ids(store->List("", after, 3));
    ASSERT_FALSE(page.empty());
    paged.insert(paged.end(), page.begin(), page.end());
  }
  EXPECT_EQ(paged, wanted);
  EXPECT_EQ(Ids(store->List("other", "", 100)), std::vector<std::string>{Sha256Hex("3")});
  EXPECT_TRUE(Ids(store->List("", wanted.back(), 5)).empty());
  EXPECT_EQ(store->List("", Sha256Hex("x"), 5).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE((*store->List("", "", 1))[0].set->directions.empty());
}

TEST(DirectionStore, LeasesKeepASetFromDeletion) {
  TempFolder folder;
  auto store = OpenStore(folder.path());
  const DirectionSet set = MadeSet("a");
  ASSERT_TRUE(store->Put(set).ok());
  ASSERT_TRUE(store->RecordSelected(set.set_id, {Sha256Hex("p")}).ok());
  {
    auto first = store->Acquire(set.set_id);
    ASSERT_TRUE(first.ok());
    DirectionStore::Lease kept;
    {
      auto second = store->Acquire(set.set_id);
      ASSERT_TRUE(second.ok());
      kept = *std::move(second);
    }
    DirectionStore::Lease moved(std::move(kept));
    *first = DirectionStore::Lease();  // given back; `moved` still holds
    const absl::Status in_use = store->Delete(set.set_id);
    EXPECT_EQ(in_use.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(in_use), "DIRECTION_IN_USE");
    EXPECT_THAT(std::string(in_use.message()), HasSubstr("by 1 running"));
  }
  EXPECT_TRUE(store->Delete(set.set_id).ok());
  EXPECT_TRUE(folder.Files().empty());
  EXPECT_EQ(store->Delete(set.set_id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->Acquire(set.set_id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->RecordSelected(set.set_id, {}).code(), absl::StatusCode::kNotFound);
}

TEST(DirectionStore, KeepsTheSplit) {
  TempFolder folder;
  const DirectionSet set = MadeSet("a"), other = MadeSet("b");
  const std::vector<std::string> selected = {Sha256Hex("s0"), Sha256Hex("s1")};
  {
    auto store = OpenStore(folder.path());
    ASSERT_TRUE(store->Put(set).ok());
    ASSERT_TRUE(store->Put(other).ok());
    EXPECT_TRUE(store->CheckUnseen(set.set_id, selected).ok());
    ASSERT_TRUE(store->RecordSelected(set.set_id, selected).ok());
    ASSERT_TRUE(store->RecordSelected(set.set_id, {selected[1], Sha256Hex("s2")}).ok());
    EXPECT_EQ(store->Get(set.set_id)->selected_prompts, 3);
    EXPECT_FALSE(store->RecordSelected(set.set_id, {"a prompt"}).ok());
  }
  auto store = OpenStore(folder.path());
  EXPECT_EQ(store->Get(set.set_id)->selected_prompts, 3);
  const absl::Status seen = store->CheckUnseen(
      set.set_id, {Sha256Hex("new"), selected[0], Sha256Hex("new2"), Sha256Hex("fitted 4")});
  EXPECT_EQ(seen.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(seen), "PROMPT_WAS_FITTED_OR_SELECTED_ON");
  EXPECT_THAT(std::string(seen.message()), HasSubstr("2 of 4 prompts, the first at index 1"));
  EXPECT_TRUE(store->CheckUnseen(other.set_id, selected).ok());
  EXPECT_FALSE(store->CheckUnseen(other.set_id, {Sha256Hex("fitted 4")}).ok());
  EXPECT_TRUE(store->CheckUnseen(set.set_id, {Sha256Hex("new")}).ok());
  EXPECT_EQ(store->CheckUnseen(Sha256Hex("x"), {}).code(), absl::StatusCode::kNotFound);
}

TEST(DirectionStore, IsForOneProcess) {
  TempFolder folder;
  auto store = OpenStore(folder.path());
  const auto second = DirectionStore::Open(folder.path(), nullptr);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(folder.path()));
  store.reset();
  EXPECT_TRUE(DirectionStore::Open(folder.path(), nullptr).ok());
}

TEST(DirectionStore, MovesDamagedFilesAsideAndStarts) {
  TempFolder folder;
  const DirectionSet good = MadeSet("good"), bad = MadeSet("bad");
  const std::string bad_path = folder.path() + "/" + bad.set_id + ".safetensors";
  {
    auto store = OpenStore(folder.path());
    ASSERT_TRUE(store->Put(good).ok());
    ASSERT_TRUE(store->Put(bad).ok());
    ASSERT_TRUE(store->RecordSelected(bad.set_id, {Sha256Hex("s")}).ok());
  }
  std::string bytes = *ReadFile(bad_path);
  bytes[bytes.size() / 2] ^= 4;
  ASSERT_TRUE(WriteFileAtomically(bad_path, bytes).ok());
  // A set under another set's name is damaged too.
  const std::string alias = folder.path() + "/" + Sha256Hex("alias") + ".safetensors";
  std::filesystem::copy_file(folder.path() + "/" + good.set_id + ".safetensors", alias);
  std::ofstream(folder.path() + "/notes.txt") << "not ours";
  std::ofstream(folder.path() + "/" + good.set_id + ".safetensors.tmp.1.2") << "cut short";
  std::ofstream(folder.path() + "/" + Sha256Hex("gone") + ".selected") << "of a deleted set";

  std::vector<std::string> warnings;
  auto store = *DirectionStore::Open(folder.path(), &warnings);
  EXPECT_THAT(warnings, testing::UnorderedElementsAre(HasSubstr(bad_path), HasSubstr(alias)));
  EXPECT_TRUE(store->Get(good.set_id).ok());
  EXPECT_EQ(store->Get(bad.set_id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(folder.Files(), testing::UnorderedElementsAre(
                                  good.set_id + ".safetensors", bad.set_id + ".safetensors.damaged",
                                  bad.set_id + ".selected",
                                  Sha256Hex("alias") + ".safetensors.damaged", "notes.txt"));
  // Fitted again, the damaged set still knows what was selected on with it.
  ASSERT_TRUE(store->Put(bad).ok());
  EXPECT_FALSE(store->CheckUnseen(bad.set_id, {Sha256Hex("s")}).ok());
}

TEST(DirectionStore, NoticesAFileDamagedWhileOpenAndMendsItByPut) {
  TempFolder folder;
  const DirectionSet set = MadeSet("a");
  const std::string path = folder.path() + "/" + set.set_id + ".safetensors";
  {
    auto store = OpenStore(folder.path());
    ASSERT_TRUE(store->Put(set).ok());
  }
  auto store = OpenStore(folder.path());
  std::string bytes = *ReadFile(path);
  bytes[bytes.size() - 20] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  EXPECT_EQ(store->Get(set.set_id).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store->GetWithStates(set.set_id).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(store->Put(set).ok());
  EXPECT_TRUE(store->Get(set.set_id).ok());
  EXPECT_EQ((*store->GetWithStates(set.set_id))->states, set.states);
}

TEST(DirectionStore, KeepsTheSetsInMemoryThatWereUsedLast) {
  TempFolder folder;
  auto store = OpenStore(folder.path());
  const DirectionSet a = MadeSet("a"), b = MadeSet("b"), c = MadeSet("c");
  const auto damage = [&](const DirectionSet& set, const char* bytes) {
    ASSERT_TRUE(WriteFileAtomically(folder.path() + "/" + set.set_id + ".safetensors", bytes).ok());
  };
  const auto bytes_of = [](const DirectionSet& set) {
    return static_cast<int64_t>(
        sizeof(float) *
        (set.directions.size() + 2 * set.harmful_means.size() + 2 * set.harmful_mean_norms.size()));
  };
  store->set_cache_bytes(bytes_of(a) + bytes_of(b));
  ASSERT_TRUE(store->Put(a).ok() && store->Put(b).ok());
  ASSERT_TRUE(store->Get(a.set_id).ok());
  ASSERT_TRUE(store->Put(c).ok());  // and so b, whose last use lies furthest back, leaves
  for (const DirectionSet& set : {a, b, c}) damage(set, "damaged");
  EXPECT_TRUE(store->Get(a.set_id).ok());
  EXPECT_EQ(store->Get(b.set_id).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store->Get(c.set_id)->set->directions, c.directions);
  // The set used last stays whatever its size.
  store->set_cache_bytes(0);
  ASSERT_TRUE(store->Put(b).ok());
  damage(b, "damaged");
  EXPECT_TRUE(store->Get(b.set_id).ok());
  EXPECT_FALSE(store->Get(a.set_id).ok() || store->Get(c.set_id).ok());
}

TEST(DirectionStore, KeepsEveryHashOfADamagedLedger) {
  TempFolder folder;
  const DirectionSet set = MadeSet("a");
  const std::string path = folder.path() + "/" + set.set_id + ".selected";
  std::vector<std::string> selected;
  for (int i = 0; i < 20; ++i) selected.push_back(Sha256Hex("s" + std::to_string(i)));
  {
    auto store = OpenStore(folder.path());
    ASSERT_TRUE(store->Put(set).ok());
    ASSERT_TRUE(store->RecordSelected(set.set_id, selected).ok());
  }
  const std::string text = *ReadFile(path);
  ASSERT_TRUE(WriteFileAtomically(path, absl::string_view(text).substr(0, text.size() - 30)).ok());
  std::vector<std::string> warnings;
  auto store = *DirectionStore::Open(folder.path(), &warnings);
  EXPECT_THAT(warnings, testing::ElementsAre(
                            testing::AllOf(HasSubstr("20 hashes"), HasSubstr(path + ".damaged"))));
  EXPECT_EQ(*ReadFile(path + ".damaged"), text.substr(0, text.size() - 30));
  for (const std::string& hash : selected)
    EXPECT_FALSE(store->CheckUnseen(set.set_id, {hash}).ok());
  store.reset();
  EXPECT_NE(OpenStore(folder.path()), nullptr);  // without warnings again
}

TEST(DirectionStore, IsThreadSafe) {
  TempFolder folder;
  auto store = OpenStore(folder.path());
  std::vector<DirectionSet> sets;
  for (int i = 0; i < 4; ++i) sets.push_back(MadeSet(std::to_string(i), true, {-1}, 1, 2));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const DirectionSet& set = sets[static_cast<size_t>((t + i) % 4)];
        EXPECT_TRUE(store->Put(set).ok());
        auto lease = store->Acquire(set.set_id);
        if (!lease.ok()) continue;  // another thread deleted it
        EXPECT_TRUE(store->Get(set.set_id).ok());
        EXPECT_TRUE(
            store->RecordSelected(set.set_id, {Sha256Hex(std::to_string(t * 100 + i))}).ok());
        EXPECT_TRUE(store->List("", "", 10).ok());
        EXPECT_FALSE(store->Delete(set.set_id).ok());
        *lease = DirectionStore::Lease();
        if (i % 5 == 0) (void)store->Delete(set.set_id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const DirectionSet& set : sets) EXPECT_TRUE(store->Put(set).ok());
  EXPECT_EQ(store->List("", "", 10)->size(), 4u);
}

}  // namespace
}  // namespace steer
