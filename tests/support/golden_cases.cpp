#include "support/golden_cases.hpp"

#include <algorithm>
#include <cctype>

namespace triggerd::test {

std::vector<std::filesystem::path> golden_folders(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::vector<std::string> golden_names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& found : golden_folders(folder)) names.push_back(found.filename().string());
  return names;
}

std::string golden_test_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

}  // namespace triggerd::test
