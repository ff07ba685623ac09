#include "client/data/near_twins.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "absl/strings/string_view.h"
#include "client/data/similarity.h"
#include "common/prompt_form.h"
#include "common/status_macros.h"
#include "common/utf8.h"

namespace steer {
namespace {

// Length of the character runs that the letter index is over. Within (1 - t) * length edits, t >=
// 0.85, two prompts of 3 or more characters always share one.
constexpr size_t kRun = 3;

// A feature of a prompt (a run of characters, a shingle) and where it stands in it.
struct Feature {
  uint64_t key = 0;
  size_t place = 0;
};

// Ranks features from rare to common, so that the prefixes that must overlap are the selective
// ones.
class RarityOrder {
 public:
  explicit RarityOrder(const std::vector<std::vector<Feature>>& documents) {
    for (const auto& features : documents) {
      for (const Feature& feature : features) ++frequency_[feature.key];
    }
  }
  void Sort(std::vector<Feature>* features) const {
    std::sort(features->begin(), features->end(), [&](const Feature& a, const Feature& b) {
      const size_t rare_a = frequency_.at(a.key);
      const size_t rare_b = frequency_.at(b.key);
      return std::tie(rare_a, a.key, a.place) < std::tie(rare_b, b.key, b.place);
    });
  }

 private:
  std::unordered_map<uint64_t, size_t> frequency_;
};

// Calls visit(i, j), j < i, for every pair of different groups that shares a feature within both
// prefixes with places at most reach(i) apart, each pair at most once.
template <typename PrefixLength, typename Reach, typename Visit>
void ForEachCandidate(std::vector<std::vector<Feature>> documents, absl::Span<const int> groups,
                      const PrefixLength& prefix_length, const Reach& reach, const Visit& visit) {
  const RarityOrder order(documents);
  struct Posting {
    size_t document;
    size_t place;
  };
  // By group within a feature: a small group is joined to a large one without walking the large
  // one's own lists.
  std::unordered_map<uint64_t, std::map<int, std::vector<Posting>>> postings;
  std::vector<size_t> visited(documents.size(), documents.size());
  for (size_t i = 0; i < documents.size(); ++i) {
    std::vector<Feature>& features = documents[i];
    order.Sort(&features);
    size_t length = std::min(prefix_length(i), features.size());
    // All places of the last feature belong to the prefix: which of them the other prompt kept is
    // open.
    while (length > 0 && length < features.size() &&
           features[length].key == features[length - 1].key) {
      ++length;
    }
    const size_t most_apart = reach(i);
    for (size_t f = 0; f < length; ++f) {
      const size_t place = features[f].place;
      for (const auto& [group, list] : postings[features[f].key]) {
        if (group == groups[i]) continue;
        for (const Posting& other : list) {
          if (visited[other.document] == i) continue;
          const size_t apart = std::max(other.place, place) - std::min(other.place, place);
          if (apart > most_apart) continue;
          visited[other.document] = i;
          visit(i, other.document);
        }
      }
    }
    for (size_t f = 0; f < length; ++f) {
      postings[features[f].key][groups[i]].push_back({i, features[f].place});
    }
  }
}

class PairFinder {
 public:
  PairFinder(absl::Span<const std::string> forms, absl::Span<const int> groups, double threshold)
      : groups_(groups), threshold_(threshold) {
    std::unordered_map<std::string, uint64_t> ids;
    for (const std::string& form : forms) {
      points_.push_back(ToCodePoints(form));
      std::vector<uint64_t> shingles;
      for (std::string& shingle : WordShingles(form)) {
        shingles.push_back(ids.emplace(std::move(shingle), ids.size()).first->second);
      }
      std::sort(shingles.begin(), shingles.end());
      shingles_.push_back(std::move(shingles));
    }
  }

  std::vector<SimilarPair> Find() {
    FindByLetters();
    FindByWords();
    std::vector<SimilarPair> pairs;
    for (auto& [key, similarity] : found_) pairs.push_back({key.first, key.second, similarity});
    return pairs;
  }

 private:
  void FindByLetters() {
    std::vector<std::vector<Feature>> runs(points_.size());
    for (size_t i = 0; i < points_.size(); ++i) {
      for (size_t at = 0; at + kRun <= points_[i].size(); ++at) {
        uint64_t key = 0;
        for (size_t c = 0; c < kRun; ++c) key = key << 21 | points_[i][at + c];
        runs[i].push_back({key, at});
      }
    }
    // Edits between prompt i and any prompt that it may be similar to, which is at most length /
    // threshold long.
    auto most_edits = [&](size_t i) {
      return EditLimit(
          static_cast<size_t>(static_cast<double>(points_[i].size()) / threshold_ + 1e-9),
          threshold_);
    };
    ForEachCandidate(
        std::move(runs), groups_, [&](size_t i) { return most_edits(i) * kRun + 1; }, most_edits,
        [&](size_t i, size_t j) {
          const size_t longer = std::max(points_[i].size(), points_[j].size());
          const size_t limit = EditLimit(longer, threshold_);
          const size_t edits = BoundedEditDistance(points_[i], points_[j], limit);
          if (edits <= limit)
            Keep(i, j, 1.0 - static_cast<double>(edits) / static_cast<double>(longer));
        });
  }

  void FindByWords() {
    std::vector<std::vector<Feature>> features(shingles_.size());
    for (size_t i = 0; i < shingles_.size(); ++i) {
      for (uint64_t shingle : shingles_[i]) features[i].push_back({shingle, 0});
    }
    ForEachCandidate(
        std::move(features), groups_,
        [&](size_t i) {
          const double size = static_cast<double>(shingles_[i].size());
          return shingles_[i].size() - static_cast<size_t>(std::ceil(threshold_ * size - 1e-9)) + 1;
        },
        [](size_t) { return size_t{0}; },
        [&](size_t i, size_t j) {
          const double index = JaccardIndex(shingles_[i], shingles_[j]);
          if (index >= threshold_ - 1e-9) Keep(i, j, index);
        });
  }

  void Keep(size_t i, size_t j, double similarity) {
    double& best = found_[{std::min(i, j), std::max(i, j)}];
    best = std::max(best, similarity);
  }

  absl::Span<const int> groups_;
  double threshold_;
  std::vector<std::vector<uint32_t>> points_;
  std::vector<std::vector<uint64_t>> shingles_;
  std::map<std::pair<size_t, size_t>, double> found_;
};

}  // namespace

std::vector<SimilarPair> FindSimilarPairs(absl::Span<const std::string> forms,
                                          absl::Span<const int> groups, double threshold) {
  return PairFinder(forms, groups, threshold).Find();
}

absl::StatusOr<std::vector<NearTwin>> FindNearTwins(const SeedSplits& splits, double threshold) {
  std::vector<std::string> forms;
  std::vector<int> groups;
  std::vector<NearTwin::Place> places;
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    for (SplitPart part : kSplitParts) {
      for (const PromptRecord& record : splits.of(prompt_class).of(part)) {
        STEER_ASSIGN_OR_RETURN(std::string form, PromptNormalForm(record.text));
        forms.push_back(std::move(form));
        groups.push_back(static_cast<int>(part));
        places.push_back({prompt_class, part, record.row});
      }
    }
  }
  std::vector<NearTwin> twins;
  for (const SimilarPair& pair : FindSimilarPairs(forms, groups, threshold)) {
    twins.push_back({splits.seed, places[pair.first], places[pair.second], pair.similarity});
  }
  return twins;
}

}  // namespace steer
