#include "control/running/member_list.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "control/running/alias_connection.hpp"
#include "trigger/trigger.hpp"

namespace triggerd::control {

template <class Member>
MemberList<Member>::MemberList(std::vector<Pointer> members) : in_order_(std::move(members)) {
  sort_by_name();
}

template <class Member>
std::shared_ptr<Member> MemberList<Member>::find(std::string_view name) const {
  const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                   [this](std::uint32_t place, std::string_view wanted) {
                                     return in_order_[place]->name() < wanted;
                                   });
  if (at == by_name_.end() || in_order_[*at]->name() != name) return nullptr;
  return in_order_[*at];
}

template <class Member>
void MemberList<Member>::add(Pointer member) {
  const auto at = std::upper_bound(by_name_.begin(), by_name_.end(), member->name(),
                                   [this](std::string_view added, std::uint32_t place) {
                                     return added < in_order_[place]->name();
                                   });
  by_name_.insert(at, static_cast<std::uint32_t>(in_order_.size()));
  in_order_.push_back(std::move(member));
}

template <class Member>
void MemberList<Member>::remove(std::vector<Pointer> members) {
  std::sort(members.begin(), members.end());
  remove_if([&](const Pointer& member) {
    return std::binary_search(members.begin(), members.end(), member);
  });
}

template <class Member>
void MemberList<Member>::remove_if(const std::function<bool(const Pointer&)>& condition) {
  if (std::erase_if(in_order_, condition) > 0) sort_by_name();
}

template <class Member>
void MemberList<Member>::clear() {
  in_order_.clear();
  by_name_.clear();
}

template <class Member>
void MemberList<Member>::sort_by_name() {
  by_name_.resize(in_order_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  std::stable_sort(by_name_.begin(), by_name_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return in_order_[a]->name() < in_order_[b]->name();
  });
}

template class MemberList<AliasConnection>;
template class MemberList<trigger::Trigger>;

}  // namespace triggerd::control
