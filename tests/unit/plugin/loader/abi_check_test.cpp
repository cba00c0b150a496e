#include "plugin/loader/abi_check.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace triggerd::plugin {
namespace {

trigger_str text(const char* value) {
  return {value, std::strlen(value)};
}

std::int32_t create(const trigger_host*, const trigger_instance_config*, void**, trigger_result*) {
  return TRIGGER_OK;
}
std::int32_t start(void*, trigger_result*) {
  return TRIGGER_OK;
}
std::int32_t handle(void*, const trigger_message*, trigger_result*) {
  return TRIGGER_OK;
}
std::int32_t probe(void*, trigger_result*) {
  return TRIGGER_OK;
}
void stop(void*) {}
void destroy(void*) {}

trigger_service make_service(const char* name) {
  trigger_service service{};
  service.struct_size = sizeof service;
  service.name = text(name);
  service.create = create;
  service.start = start;
  service.handle = handle;
  service.stop = stop;
  service.destroy = destroy;
  service.probe = probe;
  return service;
}

// A plugin with two services, right until a test changes it.
class AbiCheck : public testing::Test {
 protected:
  AbiCheck() {
    plugin_.struct_size = sizeof plugin_;
    plugin_.abi_major = TRIGGER_ABI_MAJOR;
    plugin_.abi_minor = TRIGGER_ABI_MINOR;
    plugin_.service_count = 2;
    plugin_.name = text("Fixture");
    plugin_.version = text("1.2.3");
    plugin_.services = services_;
  }
  std::string error() const {
    const auto table = read_plugin_table(&plugin_);
    return table ? "no error" : table.error().message;
  }

  trigger_service first_ = make_service("first");
  trigger_service second_ = make_service("second");
  const trigger_service* services_[2] = {&first_, &second_};
  trigger_plugin plugin_{};
};

TEST_F(AbiCheck, CopiesWhatIsRight) {
  second_.flags = TRIGGER_SERVICE_CONCURRENT;
  const auto table = read_plugin_table(&plugin_);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->name, "Fixture");
  EXPECT_EQ(table->version, "1.2.3");
  ASSERT_EQ(table->services.size(), 2u);
  EXPECT_EQ(std::string(table->services[1].name.ptr, table->services[1].name.len), "second");
  EXPECT_EQ(table->services[1].flags, TRIGGER_SERVICE_CONCURRENT);
  EXPECT_EQ(table->services[1].handle, handle);
  EXPECT_EQ(table->services[1].probe, probe);
}

TEST_F(AbiCheck, ANewerMinorWithLargerStructsIsFine) {
  struct NewerService {
    trigger_service known;
    void* added = nullptr;
  } newer{make_service("newer")};
  newer.known.struct_size = sizeof newer;
  newer.known.flags = 0xFFFF'FFFF;
  services_[0] = &newer.known;
  plugin_.abi_minor = 7;
  plugin_.struct_size = sizeof plugin_ + 64;
  const auto table = read_plugin_table(&plugin_);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->abi_minor, 7u);
  EXPECT_EQ(table->services[0].struct_size, sizeof(trigger_service));
}

TEST_F(AbiCheck, NullIsARefusal) {
  EXPECT_EQ(read_plugin_table(nullptr).error().message,
            "refuses this runtime: its entry function returned NULL for plugin ABI 1.1; its log "
            "lines may say why");
}

TEST_F(AbiCheck, TheSizeOfThePluginMustBePlausible) {
  plugin_.struct_size = 8;
  EXPECT_EQ(
      error(),
      "has trigger_plugin.struct_size 8; ABI 1.0 has 56, and more than 65536 is not a size: set "
      "it to sizeof");
  plugin_.struct_size = 55;
  EXPECT_NE(error(), "no error");
  plugin_.struct_size = 65'537;
  EXPECT_NE(error(), "no error");
  plugin_.struct_size = 65'536;
  EXPECT_EQ(error(), "no error");
}

TEST_F(AbiCheck, TheMajorMustBeOurs) {
  plugin_.abi_major = 2;
  EXPECT_EQ(error(), "says plugin ABI major 2, this runtime has major 1; build it against that");
}

// A struct of another major may look like anything: only its size and major can be trusted.
TEST_F(AbiCheck, TheMajorIsJudgedBeforeWhatFollows) {
  plugin_.abi_major = 9;
  plugin_.service_count = 0;
  plugin_.name = {nullptr, 12};
  EXPECT_EQ(error(), "says plugin ABI major 9, this runtime has major 1; build it against that");
}

TEST_F(AbiCheck, ThereAreServices) {
  plugin_.service_count = 0;
  EXPECT_EQ(error(), "has 0 services at an address; a plugin exports 1 to 1024");
  plugin_.service_count = 1025;
  EXPECT_EQ(error(), "has 1025 services at an address; a plugin exports 1 to 1024");
  plugin_.service_count = 2;
  plugin_.services = nullptr;
  EXPECT_EQ(error(), "has 2 services at NULL; a plugin exports 1 to 1024");
}

TEST_F(AbiCheck, AServiceIsNotNull) {
  services_[1] = nullptr;
  EXPECT_EQ(error(), "has services[1] = NULL");
}

TEST_F(AbiCheck, TheSizeOfAServiceMustBePlausible) {
  second_.struct_size = 16;
  EXPECT_EQ(error(), fmt::format("has services[1].struct_size 16; ABI 1.0 has {}, and more than "
                                 "65536 is not a size: set it to sizeof",
                                 sizeof(trigger_service)));
  second_.struct_size = 0xFFFF'FFFF;
  EXPECT_NE(error(), "no error");
}

TEST_F(AbiCheck, EveryRequiredFunctionIsThere) {
  const auto message = [](const char* function) {
    return fmt::format(
        "has services[0].{} = NULL; create, start, handle, stop and destroy are required of every "
        "service",
        function);
  };
  first_.destroy = nullptr;
  EXPECT_EQ(error(), message("destroy"));
  first_.stop = nullptr;
  EXPECT_EQ(error(), message("stop"));
  first_.handle = nullptr;
  EXPECT_EQ(error(), message("handle"));
  first_.start = nullptr;
  EXPECT_EQ(error(), message("start"));
  first_.create = nullptr;
  EXPECT_EQ(error(), message("create"));
}

TEST_F(AbiCheck, ServiceNamesAreNames) {
  for (const char* wrong : {"High", "a b", "a_b", "a.b", "\xc3\xa4"}) {
    second_.name = text(wrong);
    EXPECT_TRUE(error().ends_with("; a service's name is made of a-z, 0-9 and -")) << wrong;
  }
  second_.name = text("");
  EXPECT_EQ(error(), "has services[1].name of 0 bytes at an address; a service's name has 1 to 64");
  second_.name = {nullptr, 3};
  EXPECT_EQ(error(), "has services[1].name of 3 bytes at NULL; a service's name has 1 to 64");
  // Refused by its length, before a byte of it is read.
  second_.name = {"x", std::size_t{1} << 60};
  EXPECT_EQ(error(),
            "has services[1].name of 1152921504606846976 bytes at an address; a service's name has "
            "1 to 64");
  const std::string longest(64, 'a');
  second_.name = {longest.data(), longest.size()};
  EXPECT_EQ(error(), "no error");
}

TEST_F(AbiCheck, ServiceNamesAreUnique) {
  second_.name = text("first");
  EXPECT_EQ(error(), "has services[0] and services[1] with the same name \"first\"");
}

TEST_F(AbiCheck, TextsForPeopleAreTexts) {
  plugin_.version = {nullptr, 5};
  EXPECT_EQ(error(), "has a version of 5 bytes at NULL; it may have at most 256");
  plugin_.version = {nullptr, 0};
  EXPECT_EQ(error(), "no error");
  plugin_.name = {"x", std::size_t{1} << 60};
  EXPECT_EQ(error(),
            "has a name of 1152921504606846976 bytes at an address; it may have at most 256");
  plugin_.name = text("caf\xe9");
  EXPECT_EQ(error(), "has a name that is not UTF-8: \"caf\\xe9\"");
}

}  // namespace
}  // namespace triggerd::plugin
