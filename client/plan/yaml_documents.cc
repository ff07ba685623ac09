#include "client/plan/yaml_documents.h"

#include <sstream>

#include "yaml-cpp/eventhandler.h"

namespace steer {
namespace {

// Remembers where the last document starts.
class Starts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { mark_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
  const YAML::Mark& mark() const { return mark_; }

 private:
  YAML::Mark mark_;
};

}  // namespace

bool CheckOneDocument(const std::string& yaml, YamlProblems* problems) {
  std::istringstream stream(yaml);
  YAML::Parser parser(stream);
  Starts starts;
  if (!parser.HandleNextDocument(starts)) {
    problems->Add(YAML::Mark(), "", "wants one YAML document, has none");
    return false;
  }
  if (!parser.HandleNextDocument(starts)) return true;
  problems->Add(starts.mark(), "",
                "wants one YAML document; a second one, or a comma outside brackets, stands here");
  return false;
}

}  // namespace steer
