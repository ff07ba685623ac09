#include "tests/integration/certificates.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/files.h"

namespace steer {
namespace {

constexpr char kNewKey[] = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

bool OpenSsl(const std::string& folder, const std::string& arguments) {
  const std::string command =
      absl::StrCat("cd '", folder, "' && openssl ", arguments, " 2>/dev/null");
  return std::system(command.c_str()) == 0;
}

}  // namespace

bool MakeAuthority(const std::string& folder, const std::string& name) {
  return OpenSsl(folder, absl::StrCat("req -x509 ", kNewKey, " -days 2 -subj /CN=", name,
                                      " -keyout ", name, ".key -out ", name, ".pem"));
}

bool MakeCertificate(const std::string& folder, const std::string& name,
                     const std::string& authority, const std::string& alternative_name, int days) {
  const std::string extension = absl::StrCat("subjectAltName=", alternative_name, "\n");
  return WriteFileAtomically(absl::StrCat(folder, "/", name, ".ext"), extension).ok() &&
         OpenSsl(folder, absl::StrCat("req ", kNewKey, " -subj /CN=", name, " -keyout ", name,
                                      ".key -out ", name, ".csr")) &&
         OpenSsl(folder, absl::StrCat("x509 -req -in ", name, ".csr -CA ", authority,
                                      ".pem -CAkey ", authority, ".key -CAcreateserial -days ",
                                      days, " -extfile ", name, ".ext -out ", name, ".pem"));
}

}  // namespace steer
