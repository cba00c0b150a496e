// The aliases or the triggers that run, in the order in which they were added, and found by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace triggerd::control {

// Each has a name of its own. A copy shares the members and copies the index, which is one array: a
// snapshot is made for each change. It has no lock, since the list of a snapshot stays as it is.
template <class Member>
class MemberList {
 public:
  using Pointer = std::shared_ptr<Member>;

  MemberList() = default;
  explicit MemberList(std::vector<Pointer> members);

  // In the order in which they were added.
  const std::vector<Pointer>& all() const { return in_order_; }
  auto begin() const { return in_order_.begin(); }
  auto end() const { return in_order_.end(); }
  std::size_t size() const { return in_order_.size(); }
  // Null if there is none of that name. A binary search.
  Pointer find(std::string_view name) const;

  void add(Pointer member);
  // Ignores those that are not in it.
  void remove(std::vector<Pointer> members);
  void remove_if(const std::function<bool(const Pointer&)>& condition);
  void clear();

 private:
  void sort_by_name();

  std::vector<Pointer> in_order_;
  std::vector<std::uint32_t> by_name_;  // their places in in_order_
};

}  // namespace triggerd::control
