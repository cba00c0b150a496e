#include "mqtt/session/credentials.hpp"

#include <gtest/gtest.h>

#include "support/capture_log.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::mqtt {
namespace {

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    options_.password = config::Secret("one");
    options_.proxy = config::Proxy{.password = config::Secret("of the proxy")};
  }
  // As an editor does it.
  void replace(const std::filesystem::path& file, const std::string& content) const {
    std::filesystem::rename(dir_.write("new", content), file);
  }

  triggerd::test::TempDir dir_;
  triggerd::test::CaptureLog log_;
  ConnectionOptions options_;
  const ConnectionLog fields_{log_, options_};
};

TEST_F(CredentialsTest, ThoseInNoFileAreAsConfigured) {
  Credentials credentials(options_, fields_);
  EXPECT_EQ(credentials.password().reveal(), "one");
  EXPECT_EQ(credentials.proxy_password().reveal(), "of the proxy");
  EXPECT_FALSE(credentials.in_files());
  EXPECT_FALSE(credentials.changed_file());
}

TEST_F(CredentialsTest, AFileIsReadEachTime) {
  options_.password_file = dir_.write("password", "one\n");
  Credentials credentials(options_, fields_);
  EXPECT_TRUE(credentials.in_files());
  replace(options_.password_file, "two\n");
  EXPECT_EQ(credentials.password().reveal(), "two");
  EXPECT_FALSE(credentials.changed_file()) << "it has been read since";
}

TEST_F(CredentialsTest, AFileThatHasChangedIsNamedOnce) {
  options_.password_file = dir_.write("password", "one\n");
  options_.proxy->password_file = dir_.write("proxy", "of the proxy");
  Credentials credentials(options_, fields_);
  EXPECT_FALSE(credentials.changed_file());
  replace(options_.proxy->password_file, "another");
  EXPECT_EQ(credentials.changed_file(), options_.proxy->password_file);
  EXPECT_FALSE(credentials.changed_file());
  EXPECT_EQ(credentials.proxy_password().reveal(), "another");
}

TEST_F(CredentialsTest, WhileAFileCannotBeReadTheLastPasswordStays) {
  options_.password_file = dir_.write("password", "one\n");
  Credentials credentials(options_, fields_);
  std::filesystem::remove(options_.password_file);
  EXPECT_EQ(credentials.password().reveal(), "one");
  EXPECT_EQ(credentials.password().reveal(), "one");
  EXPECT_EQ(log_.lines("password.unreadable").size(), 1U) << "the same is news once";
  dir_.write("password", "two");
  EXPECT_EQ(credentials.password().reveal(), "two");
  std::filesystem::remove(options_.password_file);
  EXPECT_EQ(credentials.password().reveal(), "two");
  EXPECT_EQ(log_.lines("password.unreadable").size(), 2U);
}

}  // namespace
}  // namespace triggerd::mqtt
