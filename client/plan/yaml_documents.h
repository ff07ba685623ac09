// How many YAML documents a text has, before any of it is read. Private to client/plan.
#ifndef STEER_CLIENT_PLAN_YAML_DOCUMENTS_H_
#define STEER_CLIENT_PLAN_YAML_DOCUMENTS_H_

#include <string>

#include "client/plan/yaml_reader.h"

namespace steer {

// True for exactly one document; otherwise a problem at the place of the second is added. Throws as yaml-cpp does on a syntax error. Do this
// before YAML::LoadAll or instead of it: that function never returns for a closing bracket which stands after a document ("a: b ]").
bool CheckOneDocument(const std::string& yaml, YamlProblems* problems);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_YAML_DOCUMENTS_H_
