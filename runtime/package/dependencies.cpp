#include "package/dependencies.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "config/diagnostics.hpp"
#include "package/package_file.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

class Resolver {
 public:
  explicit Resolver(const std::vector<Candidate>& candidates) {
    for (const Candidate& candidate : candidates) read(candidate);
  }

  std::vector<config::Package> run() {
    for (auto& [name, node] : nodes_) {
      if (node.package.enabled) check_needs(node);
    }
    for (const bool enabled : {true, false}) {
      for (auto& [name, node] : nodes_) {
        if (node.package.enabled == enabled) visit(node);
      }
    }
    std::vector<config::Package> ordered;
    for (Node* node : order_) ordered.push_back(std::move(node->package));
    return ordered;
  }

 private:
  struct Node {
    config::Package package;
    std::vector<Need> needs;
    Version version;
    enum { unseen, open, done } state = unseen;
  };

  void read(const Candidate& candidate) {
    Node& node = nodes_[candidate.name];
    config::Package& package = node.package;
    package.name = candidate.name;
    package.folder = candidate.folder;
    package.staged_in = candidate.staged_in;
    package.enabled = candidate.enabled;
    const fs::path& from = candidate.staged_in.empty() ? candidate.folder : candidate.staged_in;
    const std::string shown = (candidate.folder / kPackageFile).string();
    auto file = read_package_file(from, shown);
    if (!file) {
      package.problems = std::move(file.error());
      return;
    }
    if (file->name != candidate.name) {
      package.problems.push_back(
          {{shown, 0, 0},
           fmt::format("the package is named \"{}\" but its folder \"{}\"; give both the same name",
                       file->name, printable(candidate.name))});
    }
    package.version = file->version_text;
    package.description = file->description;
    for (const Need& need : file->needs) package.requirements.push_back({need.name, need.place});
    node.version = file->version;
    node.needs = std::move(file->needs);
  }

  void check_needs(Node& node) {
    for (const Need& need : node.needs) {
      const auto add = [&](std::string why) {
        node.package.problems.push_back(
            {need.place, fmt::format("package \"{}\" requires package \"{}\"{}", node.package.name,
                                     need.name, why)});
      };
      const auto found = nodes_.find(need.name);
      if (found == nodes_.end()) {
        add(fmt::format(", which is not installed{}", meant(need.name, node)));
        continue;
      }
      const config::Package& other = found->second.package;
      if (!other.enabled) {
        add(", which is disabled; enable it first");
      } else if (other.version.empty()) {
        add(", whose package.toml cannot be read");
      } else if (!need.versions.accepts(found->second.version)) {
        add(fmt::format(" {}, but version {} is installed", need.versions_text, other.version));
      }
    }
  }

  std::string meant(const std::string& name, const Node& by) const {
    std::vector<std::string_view> names;
    for (const auto& [other, node] : nodes_) {
      if (&node != &by) names.push_back(other);
    }
    return config::did_you_mean(name, names);
  }

  void visit(Node& node) {
    if (node.state != Node::unseen) return;
    node.state = Node::open;
    path_.push_back(&node);
    for (const Need& need : node.needs) {
      const auto found = nodes_.find(need.name);
      if (found == nodes_.end() || found->second.package.enabled != node.package.enabled) continue;
      if (found->second.state == Node::open) {
        report_circle(found->second);
      } else {
        visit(found->second);
      }
    }
    path_.pop_back();
    node.state = Node::done;
    order_.push_back(&node);
  }

  // The path ends in a package that requires `first`, which is on it.
  void report_circle(const Node& first) {
    const auto begin = std::find(path_.begin(), path_.end(), &first);
    std::string circle;
    for (auto at = begin; at != path_.end(); ++at) circle += (*at)->package.name + " -> ";
    circle += first.package.name;
    for (auto at = begin; at != path_.end(); ++at) {
      (*at)->package.problems.push_back(
          {{((*at)->package.folder / kPackageFile).string(), 0, 0},
           fmt::format(
               "packages require each other in a cycle: {}; remove one of these requirements",
               circle)});
    }
  }

  std::map<std::string, Node> nodes_;
  std::vector<Node*> path_;
  std::vector<Node*> order_;
};

}  // namespace

Result<std::vector<Candidate>> find_candidates(const fs::path& packages_dir,
                                               const std::set<std::string>& disabled) {
  std::vector<Candidate> candidates;
  std::error_code error;
  if (!fs::exists(packages_dir, error)) return candidates;
  for (fs::directory_iterator entry(packages_dir, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.') || !entry->is_directory(ignored)) continue;
    candidates.push_back({name, packages_dir / name, {}, disabled.count(name) == 0});
  }
  if (error) {
    return fail("cannot list {}: {}; packages_dir must be a readable folder", packages_dir.string(),
                error.message());
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.name < b.name; });
  return candidates;
}

std::vector<config::Package> resolve(const std::vector<Candidate>& candidates) {
  return Resolver(candidates).run();
}

}  // namespace triggerd::package
