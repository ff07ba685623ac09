// What --model may be, and how a mistake reads.
#include "server/weights/model_location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/weights/checkpoint_links.h"
#include "server/weights/hub_cache.h"
#include "tests/server/weights/temporary_folder.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kRepo[] = "hub/models--Org--Tiny-1.5B";
constexpr char kMain[] = "0123456789abcdef0123456789abcdef01234567";
constexpr char kOther[] = "fedcba9876543210fedcba9876543210fedcba98";

class ModelLocationTest : public TemporaryFolder {
 protected:
  // As huggingface_hub lays it out: files of a snapshot are links to blobs.
  void MakeCache() const {
    for (const char* commit : {kMain, kOther}) {
      for (const char* name : {"config.json", "model.safetensors"}) {
        Write(absl::StrCat(kRepo, "/blobs/", commit, name), "{}");
        Link(absl::StrCat(kRepo, "/snapshots/", commit, "/", name),
             absl::StrCat("../../blobs/", commit, name));
      }
    }
    Write(absl::StrCat(kRepo, "/refs/main"), kMain);
    Write(absl::StrCat(kRepo, "/refs/refs/pr/7"), absl::StrCat(kOther, "\n"));
  }
  std::string Snapshot(const std::string& commit) const {
    return At(absl::StrCat(kRepo, "/snapshots/", commit));
  }
  absl::StatusOr<ModelLocation> Locate(const std::string& model,
                                       const std::string& revision = "") const {
    return LocateModel(model, revision, At("hub"));
  }
  std::string Refusal(const std::string& model, const std::string& revision = "") const {
    const auto found = Locate(model, revision);
    return found.ok() ? absl::StrCat("found ", found->folder)
                      : std::string(found.status().message());
  }
};

TEST_F(ModelLocationTest, ACachedModelIsFoundByEveryNameItHas) {
  MakeCache();
  const std::string repo = At(kRepo);
  struct Case {
    std::string model, revision, commit;
  };
  for (const Case& c :
       {Case{"Org/Tiny-1.5B", "", kMain}, Case{"Org/Tiny-1.5B", "main", kMain},
        Case{"Org/Tiny-1.5B", "refs/pr/7", kOther}, Case{"Org/Tiny-1.5B", kOther, kOther},
        Case{repo, "", kMain}, Case{repo + "/", kOther, kOther}, Case{Snapshot(kOther), "", kOther},
        Case{Snapshot(kMain) + "/", "", kMain}}) {
    const auto found = Locate(c.model, c.revision);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->name, "Org/Tiny-1.5B") << c.model;
    EXPECT_EQ(found->revision, c.commit) << c.model;
    EXPECT_TRUE(std::filesystem::equivalent(found->folder, Snapshot(c.commit))) << c.model;
  }
  // A name without an owner, and files that are no links (systems without them).
  Write("hub/models--gpt2/refs/main", kMain);
  Write(absl::StrCat("hub/models--gpt2/snapshots/", kMain, "/config.json"), "{}");
  EXPECT_EQ(Locate("gpt2")->name, "gpt2");
}

TEST_F(ModelLocationTest, AFolderThatExistsWinsOverAName) {
  MakeCache();
  Write("here/Org/Tiny-1.5B/config.json", "{}");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(At("here"));
  const auto found = Locate("Org/Tiny-1.5B");
  std::filesystem::current_path(At("here/Org/Tiny-1.5B"));
  const auto dot = Locate(".");
  Write("here/Org/Tiny-1.5B/inner/x", "");
  std::filesystem::current_path(At("here/Org/Tiny-1.5B/inner"));
  const auto dots = Locate("..");
  std::filesystem::remove_all(At("here/Org/Tiny-1.5B/inner"));
  const std::string gone = Refusal(".");
  std::filesystem::current_path(before);
  ASSERT_TRUE(found.ok() && dot.ok() && dots.ok());
  EXPECT_EQ(dots->name, "Tiny-1.5B");
  EXPECT_THAT(gone, HasSubstr("cannot look into ."));
  EXPECT_EQ(found->folder, "Org/Tiny-1.5B");
  EXPECT_EQ(found->name, "Tiny-1.5B");
  EXPECT_EQ(found->revision, "");
  EXPECT_EQ(dot->name, "Tiny-1.5B");
}

TEST_F(ModelLocationTest, WhatIsNotThereIsNamedWithWhatIsAndWithTheCure) {
  EXPECT_THAT(Refusal("Org/Tiny"), AllOf(HasSubstr("no folder Org/Tiny and no models--Org--Tiny"),
                                         HasSubstr(At("hub") + " (which holds no model)"),
                                         HasSubstr("`hf download Org/Tiny`")));
  MakeCache();
  EXPECT_THAT(Refusal("Org/Tiny", "v2"), AllOf(HasSubstr("which holds Org/Tiny-1.5B)"),
                                               HasSubstr("`hf download Org/Tiny --revision v2`")));
  EXPECT_THAT(Refusal("Org/Tiny-1.5B", "v2"),
              AllOf(HasSubstr("no revision \"v2\"; there are main (0123456789ab), refs/pr/7 ("),
                    HasSubstr("`hf download Org/Tiny-1.5B --revision v2` fetches it")));
  std::filesystem::remove(At(absl::StrCat(kRepo, "/refs/main")));
  EXPECT_THAT(Refusal("Org/Tiny-1.5B"), AllOf(HasSubstr("no revision \"main\""), HasSubstr(kMain)));
  Write(absl::StrCat(kRepo, "/refs/main"), std::string(40, 'a'));
  EXPECT_THAT(Refusal("Org/Tiny-1.5B"), HasSubstr("of which nothing has been downloaded"));
  Write(absl::StrCat(kRepo, "/refs/main"), "../../../../etc");
  EXPECT_THAT(Refusal("Org/Tiny-1.5B"), HasSubstr("which is no commit"));
  EXPECT_THAT(LocateModel("Org/Tiny", "", "").status().message(),
              HasSubstr("neither HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME nor HOME is set"));
}

TEST_F(ModelLocationTest, LongListsAreCut) {
  for (int i = 10; i < 22; ++i) Write(absl::StrCat("hub/models--Org--T", i, "/refs/main"), kMain);
  EXPECT_THAT(Refusal("Org/Tiny"),
              AllOf(HasSubstr("which holds Org/T10, Org/T11"), HasSubstr("Org/T19 and 2 more)")));
  for (int i = 10; i < 34; ++i) Write(absl::StrCat("hub/models--Org--T10/refs/v", i), kMain);
  EXPECT_THAT(Refusal("Org/T10", "x"), AllOf(HasSubstr("v28 ("), Not(HasSubstr("v29"))));
}

TEST_F(ModelLocationTest, RepositoriesWithoutOneOfTheirFolders) {
  const std::string repo = "hub/models--Org--Tiny/";
  Write(repo + "blobs/x", "");
  EXPECT_THAT(Refusal("Org/Tiny"), HasSubstr("no revision \"main\"; there are none;"));
  Write(repo + "snapshots/0123/config.json", "{}");
  EXPECT_THAT(Refusal("Org/Tiny"), HasSubstr("no revision \"main\"; there are 0123;"));
  Write(repo + "refs/v1", std::string(5000, 'x'));  // no commit, and so no name of one
  EXPECT_THAT(Refusal("Org/Tiny"), HasSubstr("there are v1 (), 0123;"));
}

TEST_F(ModelLocationTest, AReferenceHoldsOneCommit) {
  MakeCache();
  for (const char* held : {"", "a/b", "../../../../etc", "a b"}) {
    Write(absl::StrCat(kRepo, "/refs/main"), held);
    EXPECT_THAT(Refusal("Org/Tiny-1.5B"),
                HasSubstr(absl::StrCat("holds \"", held, "\", which is no commit")));
  }
}

TEST_F(ModelLocationTest, FoldersWhoseNamesOnlyLookLikeTheCache) {
  Write("models--Org--Tiny/config.json", "{}");
  EXPECT_EQ(Locate(At("models--Org--Tiny"))->name, "models--Org--Tiny");
  Write("mine/snapshots/one/config.json", "{}");
  const auto one = Locate(At("mine/snapshots/one"));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->name, "one");
  EXPECT_EQ(one->revision, "");
}

TEST_F(ModelLocationTest, NamesAndRevisionsThatCouldLeaveTheCacheAreNone) {
  MakeCache();
  Write("models--evil/refs/main", kMain);
  const std::string long_name = "Org/" + std::string(97, 'x');
  for (const char* model :
       {"../models--evil", "Org/../Tiny-1.5B", "a/b/c", "/no/such/folder", "Org//Tiny", "Org/",
        "-x", "Org/x-", "Org/x.", "Org/x--y", "Org/x..y", "Org/.x", "Org/x.git", "Org/sp ace",
        "~/models/tiny", long_name.c_str()}) {
    EXPECT_THAT(Refusal(model), AllOf(HasSubstr(absl::StrCat("there is no folder ", model)),
                                      HasSubstr("ORG/NAME"), Not(HasSubstr("hf download"))));
  }
  EXPECT_THAT(Refusal("~/models/tiny"), HasSubstr("the shell did not replace the ~"));
  const std::string long_revision(201, 'x');
  for (const char* revision :
       {long_revision.c_str(), "..", "../../x", "/etc", "a//b", ".hidden", "a/../b", "x y", "a/"}) {
    EXPECT_THAT(Refusal("Org/Tiny-1.5B", revision), HasSubstr("is neither a branch")) << revision;
  }
  for (const char* revision : {"v1.0+cpu", "refs/pr/9"}) {
    EXPECT_THAT(Refusal("Org/Tiny-1.5B", revision),
                HasSubstr(absl::StrCat("has no revision \"", revision, "\"")));
  }
}

TEST_F(ModelLocationTest, ARevisionNeedsAChoice) {
  MakeCache();
  Write("plain/config.json", "{}");
  EXPECT_THAT(Refusal(At("plain"), "main"), HasSubstr("is a folder of one revision"));
  EXPECT_THAT(Refusal(Snapshot(kMain), kOther), HasSubstr("is a folder of one revision"));
  EXPECT_THAT(Refusal(At("hub")), HasSubstr("is a Hugging Face cache; name one of its models: "
                                            "--model Org/Tiny-1.5B"));
}

TEST_F(ModelLocationTest, FilesAreToldFromFolders) {
  Write("plain/model.safetensors", "x");
  Write("tiny.gguf", "x");
  EXPECT_THAT(Refusal(At("plain/model.safetensors")),
              HasSubstr("is a file; --model takes the folder that holds it"));
  EXPECT_THAT(Refusal(At("tiny.gguf")), HasSubstr("is a GGUF file"));
  EXPECT_THAT(Refusal(""), HasSubstr("--model is empty"));
  const std::string endless(5000, 'x');  // longer than any path
  EXPECT_THAT(Refusal(endless), HasSubstr("cannot look at " + endless));
}

TEST_F(ModelLocationTest, LinksMustStayInside) {
  MakeCache();
  Write("outside/model.safetensors", "secret");
  const std::string link = absl::StrCat(kRepo, "/snapshots/", kMain, "/model.safetensors");
  for (const std::string& target :
       {std::string("../../../../outside/model.safetensors"), At("outside/model.safetensors")}) {
    Link(link, target);
    EXPECT_THAT(Refusal("Org/Tiny-1.5B"),
                AllOf(HasSubstr(At(link) + " is a link to " + At("outside/model.safetensors")),
                      HasSubstr("outside of " + At(kRepo))));
    EXPECT_THAT(Refusal(Snapshot(kMain)), HasSubstr("outside of " + At(kRepo)));
  }
  Link(link, "model.safetensors");
  EXPECT_THAT(Refusal("Org/Tiny-1.5B"), HasSubstr("runs in a circle"));
  Link(link, "config.json/weights");
  EXPECT_THAT(Refusal("Org/Tiny-1.5B"),
              HasSubstr("cannot follow the link " + At(link) + " to config.json/weights"));
  // Absolute is well where it stays inside, and files that nobody reads may lead anywhere.
  Link(link, At(absl::StrCat(kRepo, "/blobs/", kMain, "model.safetensors")));
  Link(absl::StrCat(kRepo, "/snapshots/", kMain, "/README.md"), "/etc/hostname");
  EXPECT_TRUE(Locate("Org/Tiny-1.5B").ok());
  // The snapshot itself, and the blobs.
  Write("elsewhere/config.json", "{}");
  Write(absl::StrCat(kRepo, "/refs/main"), "moved");
  Link(absl::StrCat(kRepo, "/snapshots/moved"), At("elsewhere"));
  EXPECT_THAT(Refusal("Org/Tiny-1.5B"), HasSubstr("outside of"));
  // A plain folder keeps its own links; the folder's own name may be one.
  Write("plain/real.safetensors", "x");
  Link("plain/model.safetensors", "real.safetensors");
  Link("alias", "plain");
  EXPECT_TRUE(Locate(At("plain")).ok());
  EXPECT_EQ(Locate(At("alias"))->name, "alias");
  Link("plain/config.json", "../outside/model.safetensors");
  EXPECT_THAT(Refusal(At("plain")), HasSubstr("outside of " + At("plain")));
  std::filesystem::remove(At("plain/config.json"));
  Link("plain/chat_template.jinja", "../outside/model.safetensors");
  EXPECT_THAT(Refusal(At("plain")), HasSubstr("plain/chat_template.jinja is a link"));
}

TEST_F(ModelLocationTest, WhatIsNoFolderHasNoLinks) {
  Write("plain/config.json", "{}");
  EXPECT_THAT(std::string(CheckLinks(At("plain"), At("gone")).message()),
              HasSubstr("cannot look into " + At("gone")));
  EXPECT_THAT(std::string(CheckLinks(At("plain/config.json"), At("plain")).message()),
              HasSubstr("cannot list " + At("plain/config.json")));
}

TEST_F(ModelLocationTest, AnUnfinishedDownloadIsRecognised) {
  MakeCache();
  Write(absl::StrCat(kRepo, "/blobs/77.incomplete"), std::string(2500000, 'x'));
  Write(absl::StrCat(kRepo, "/blobs/88.incomplete"), "");
  Link(absl::StrCat(kRepo, "/snapshots/", kMain, "/model.safetensors"), "../../blobs/gone");
  EXPECT_THAT(
      Refusal("Org/Tiny-1.5B"),
      AllOf(HasSubstr("model.safetensors is a link to ../../blobs/gone, which is not there"),
            HasSubstr("the download is unfinished (2.5 MB so far in " + At(kRepo) +
                      "/blobs/77.incomplete and 1 more)"),
            HasSubstr(
                absl::StrCat("`hf download Org/Tiny-1.5B --revision ", kMain, "` finishes it"))));
  // Where the link was not made yet, the step that misses the file says it.
  std::filesystem::remove(At(absl::StrCat(kRepo, "/snapshots/", kMain, "/model.safetensors")));
  const auto found = Locate("Org/Tiny-1.5B");
  ASSERT_TRUE(found.ok()) << found.status();
  const absl::Status missing = ExplainMissing(*found, absl::NotFoundError("no weights"));
  EXPECT_THAT(std::string(missing.message()),
              AllOf(HasSubstr("no weights; the download is unfinished"), HasSubstr("finishes it")));
  EXPECT_EQ(ExplainMissing(*found, absl::InternalError("x")).message(), "x");
  for (const char* name : {"77", "88"}) {
    std::filesystem::remove(At(absl::StrCat(kRepo, "/blobs/", name, ".incomplete")));
  }
  EXPECT_THAT(std::string(ExplainMissing(*found, absl::NotFoundError("no weights")).message()),
              HasSubstr("it was not downloaded: `hf download Org/Tiny-1.5B"));
  // hf download --local-dir keeps what it has begun inside the folder.
  Write("plain/config.json", "{}");
  const auto plain = Locate(At("plain"));
  EXPECT_EQ(ExplainMissing(*plain, absl::NotFoundError("x")).message(), "x");
  // Only files count.
  Write("plain/.cache/huggingface/download/a.incomplete/x", "12");
  EXPECT_THAT(std::string(ExplainMissing(*plain, absl::NotFoundError("x")).message()),
              HasSubstr("(0.0 MB so far"));
  std::filesystem::remove_all(At("plain/.cache/huggingface/download/a.incomplete"));
  Write("plain/.cache/huggingface/download/a.incomplete", "12");
  EXPECT_THAT(std::string(ExplainMissing(*plain, absl::NotFoundError("x")).message()),
              HasSubstr("`hf download` once more finishes it"));
}

TEST(HubCacheTest, TheEnvironmentSaysWhereItIs) {
  for (const char* name :
       {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
    unsetenv(name);
  }
  EXPECT_EQ(HubCacheFolder(), "");
  setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(HubCacheFolder(), "~/hf/hub");  // whose home, nobody says
  unsetenv("HF_HOME");
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(HubCacheFolder(), "/home/someone/.cache/huggingface/hub");
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(HubCacheFolder(), "/xdg/huggingface/hub");
  setenv("HF_HOME", "~", 1);
  EXPECT_EQ(HubCacheFolder(), "/home/someone/hub");
  setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(HubCacheFolder(), "/home/someone/hf/hub");
  setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
  EXPECT_EQ(HubCacheFolder(), "/old");
  setenv("HF_HUB_CACHE", "/new", 1);
  EXPECT_EQ(HubCacheFolder(), "/new");
  setenv("HF_HUB_CACHE", "", 1);
  EXPECT_EQ(HubCacheFolder(), "/old");
}

TEST(HubCacheTest, FolderNamesAndIdsAreEachOthersInverse) {
  for (const char* id : {"gpt2", "Qwen/Qwen2.5-1.5B-Instruct", "google/gemma-3-1b-it", "a_b/c.d"}) {
    EXPECT_EQ(RepoIdOf(RepoFolderName(id)), id);
  }
  EXPECT_EQ(RepoFolderName("Qwen/Qwen2.5-0.5B"), "models--Qwen--Qwen2.5-0.5B");
  for (const char* name : {"models--", "datasets--a--b", "models--a--b--c", "models--..", "x"}) {
    EXPECT_FALSE(RepoIdOf(name)) << name;
  }
}

}  // namespace
}  // namespace steer
