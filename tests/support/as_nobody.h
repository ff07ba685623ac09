// Root may read everything, so a test of what may not be read becomes somebody else for a while. As any other user it stays who it is.
#ifndef STEER_TESTS_SUPPORT_AS_NOBODY_H_
#define STEER_TESTS_SUPPORT_AS_NOBODY_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace steer {

class AsNobody {
 public:
  // From here on the folder, made by this process, belongs to who we are while this lives.
  explicit AsNobody(const std::string& folder) : root_(geteuid() == 0) {
    if (!root_) return;
    EXPECT_EQ(chown(folder.c_str(), kNobody, static_cast<gid_t>(-1)), 0);
    EXPECT_EQ(seteuid(kNobody), 0);
  }
  ~AsNobody() {
    if (!root_) return;
    EXPECT_EQ(seteuid(0), 0);
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  const bool root_;
};

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_AS_NOBODY_H_
