// The cases of a folder of tests/golden: each a folder of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace triggerd::test {

// The folders in `folder`, in the order of their names; its files are no cases. Throws where there
// is no such folder.
std::vector<std::filesystem::path> golden_folders(const std::filesystem::path& folder);
std::vector<std::string> golden_names(const std::filesystem::path& folder);

// A case as a part of a test's name, where GoogleTest takes letters, digits and _ only.
std::string golden_test_name(std::string name);
// The same for INSTANTIATE_TEST_SUITE_P, of which the parameters are golden_names.
inline constexpr auto golden_name_of = [](const auto& info) {
  return golden_test_name(info.param);
};

}  // namespace triggerd::test
