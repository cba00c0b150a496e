#include "mqtt/wire/table.hpp"

#include <unordered_map>

#include "base/mutex.hpp"

namespace triggerd::mqtt::wire {
namespace {

struct Table {
  Mutex mutex;
  std::unordered_map<int, std::shared_ptr<Link>> links TRIGGERD_GUARDED_BY(mutex);
};

// Never destroyed: the library's threads may outlive main().
Table& table() {
  static auto* const made = new Table;
  return *made;
}

}  // namespace

std::shared_ptr<Link> find_link(int fd) {
  Table& t = table();
  MutexLock lock(t.mutex);
  const auto found = t.links.find(fd);
  return found == t.links.end() ? nullptr : found->second;
}

std::shared_ptr<Link> link_of(int fd) {
  Table& t = table();
  MutexLock lock(t.mutex);
  std::shared_ptr<Link>& link = t.links[fd];
  if (!link) link = std::make_shared<Link>(fd);
  return link;
}

void add_link(std::shared_ptr<Link> link) {
  Table& t = table();
  MutexLock lock(t.mutex);
  const int fd = link->fd();
  t.links[fd] = std::move(link);
}

void forget_link(int fd) {
  std::shared_ptr<Link> gone;
  {
    Table& t = table();
    MutexLock lock(t.mutex);
    const auto found = t.links.find(fd);
    if (found == t.links.end()) return;
    gone = std::move(found->second);
    t.links.erase(found);
  }
  gone->shut_down();
}

}  // namespace triggerd::mqtt::wire
