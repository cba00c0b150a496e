// What all sections are written from.
#pragma once

#include <string>
#include <vector>

#include "webmethods/exported.hpp"
#include "webmethods/names.hpp"
#include "webmethods/package_plan.hpp"
#include "webmethods/webmethods.hpp"

namespace triggerd::webmethods {

// What everything is called here. Stores get their names as they are written.
struct GivenNames {
  Names truststores;
  Names keystores;
  Names aliases;
  Names triggers;
  std::vector<std::string> alias_names;    // of all, in their order
  std::vector<std::string> trigger_names;  //
};

// All outlive whoever writes from it.
struct Context {
  const Exported& exported;
  const Options& options;
  const GivenNames& names;
  const PackagePlan& plan;
};

}  // namespace triggerd::webmethods
