// An authority, and certificates of it, made by the openssl command in a folder.
#ifndef STEER_TESTS_INTEGRATION_CERTIFICATES_H_
#define STEER_TESTS_INTEGRATION_CERTIFICATES_H_

#include <string>

namespace steer {

// Writes <folder>/<name>.pem and <name>.key; false if openssl fails. Valid for two days.
bool MakeAuthority(const std::string& folder, const std::string& name);

// A certificate of that authority for `alternative_name` ("IP:127.0.0.1", "DNS:steer.example").
// `days` may be negative: expired.
bool MakeCertificate(const std::string& folder, const std::string& name,
                     const std::string& authority, const std::string& alternative_name,
                     int days = 2);

}  // namespace steer

#endif  // STEER_TESTS_INTEGRATION_CERTIFICATES_H_
