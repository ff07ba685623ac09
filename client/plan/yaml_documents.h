// How many YAML documents a text has, before any of it is read. Private to client/plan.
#ifndef STEER_CLIENT_PLAN_YAML_DOCUMENTS_H_
#define STEER_CLIENT_PLAN_YAML_DOCUMENTS_H_

#include <string>

#include "client/plan/yaml_reader.h"

namespace steer {

// True for exactly one document; otherwise a problem at the place of the second is added. Throws as yaml-cpp does on a syntax error. Done
// instead of YAML::LoadAll, which never returns where a comma stands outside brackets (",a: b"): it makes empty documents of it without end.
bool CheckOneDocument(const std::string& yaml, YamlProblems* problems);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_YAML_DOCUMENTS_H_
