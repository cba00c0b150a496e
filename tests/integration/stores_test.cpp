// Truststores and keystores as administrators see them: what is in them, who uses them, until when,
// and nothing that is secret.
#include "integration/tls_fixture.hpp"

namespace triggerd::test {
namespace {

class StoresTest : public TlsFixture {
 protected:
  std::string triggerctl(const std::string& arguments) {
    Process process({"/bin/sh", "-c", fmt::format("{} {}", TRIGGERCTL_BINARY, arguments)},
                    {triggerd_.dir().path(), {}});
    EXPECT_EQ(process.wait(), Exit{}) << process.output();
    return process.output();
  }
  TriggerdProcess triggerd_{""};
};

TEST_F(StoresTest, AreListedWithCertificatesAndUsersAndWithoutAnySecret) {
  const Identity one = authority_.issue({.name = "edge-one"});
  const Identity old = authority_.issue({.name = "edge-old", .to = std::chrono::hours(24)});
  const std::string bytes = pkcs12({{"first", one}, {"second", old}}, "hunter2");
  secret("keys.p12", bytes);
  secret("pin", "hunter2\n");
  write_key(one);
  const std::string stores =
      truststore(authority_.pem()) + "[truststores.all]\nfile = \"system\"\n" +
      fmt::format("[keystores.keys]\nfile = \"{}\"\npassword_file = \"{}\"\n",
                  file("keys.p12").string(), file("pin").string()) +
      keystore(one);
  const std::string tls = "truststore = \"ca\"\nkeystore = \"keys\"\nkey_alias = \"first\"\n";
  triggerd_.write_config("[admin]\nlisten = \"\"\n" + runtime_table() + stores +
                         alias("a", "ssl://localhost:1", tls) +
                         alias("b", "ssl://localhost:1", tls));
  triggerd_.start();
  ASSERT_TRUE(triggerd_.wait_for_event("admin.listening", {"socket="})) << triggerd_.output();

  const std::string json = triggerctl("--json store list");
  for (const char* part :
       {R"("subject": "CN=edge-one")", R"("subject": "CN=edge-old")", R"("issuer": "CN=Test CA")",
        R"("key_alias": "second")", R"("state": "ends_soon")", R"("kind": "truststore")",
        R"("file": "system")"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
  }
  for (const std::string& hidden : {std::string("hunter2"), std::string("PRIVATE"),
                                    std::string("BEGIN"), one.key_pem().substr(40, 40)}) {
    EXPECT_EQ(json.find(hidden), std::string::npos) << json;
  }
  const std::string list = triggerctl("store list");
  EXPECT_NE(list.find("a, b"), std::string::npos) << list;
  EXPECT_NE(triggerctl("store show keys").find("CN=edge-old"), std::string::npos);

  // What the files hold now, whether it is good or not.
  secret("keys.p12", pkcs12({{"first", authority_.issue({.name = "edge-new"})}}, "hunter2"));
  EXPECT_NE(triggerctl("store list").find("CN=edge-new"), std::string::npos);
  secret("edge.key", "no key");
  EXPECT_NE(triggerctl("store list").find("holds no private key"), std::string::npos);
  EXPECT_EQ(triggerd_.stop(), Exit{}) << triggerd_.output();
}

}  // namespace
}  // namespace triggerd::test
