// Calls from one part of the MQTT library to another that come here first. They only save time: a
// version of the library that has no such function, or does not call it, works as it does by
// itself.
#include <atomic>
#include <cstdint>
#include <ctime>
#include <string_view>

#include "mqtt/wire/receiver.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.

namespace triggerd::mqtt::wire {
namespace {

// What the library calls its receive thread.
constexpr std::string_view kReceiveThread = "MQTTAsync_rcv";
// How often the library may look for connections that it has given up.
constexpr std::int64_t kBrokenLookMs = 50;

// The library's lists, as LinkedList.h has them.
struct Element {
  Element* previous;
  Element* next;
  void* content;
};
struct List {
  Element* first;
  Element* last;
  Element* current;  // found last
};

}  // namespace
}  // namespace triggerd::mqtt::wire

extern "C" {

using triggerd::mqtt::wire::Element;
using triggerd::mqtt::wire::List;

// The library's own functions behind the wraps; null: it is not linked, or has no such function.
// Its time is a timespec or, in older versions, a timeval: two registers either way.
__attribute__((weak)) void Thread_set_name(const char* name);
__attribute__((weak)) void MQTTProtocol_retry(timespec now, int retry, int regardless);
__attribute__((weak)) List* ListInitialize();
__attribute__((weak)) Element* ListAppend(List* list, void* content, std::size_t size);
__attribute__((weak)) void ListFreeNoContent(List* list);
__attribute__((weak)) Element* ListFindItem(List* list, void* content, int (*same)(void*, void*));

// The receive thread begins by sleeping, as there is no connection yet. The first connection has to
// end that sleep.
void __wrap_Thread_set_name(const char* name) {
  if (Thread_set_name != nullptr) Thread_set_name(name);
  if (std::string_view(name == nullptr ? "" : name) == triggerd::mqtt::wire::kReceiveThread) {
    triggerd::mqtt::wire::Receiver::is_this_thread();
  }
}

// The library calls it for each packet, and then all it does is go through all connections for
// those that it has given up and not closed: with a thousand connections, two fifths of the cost of
// a message. To send something again it calls it with `retry`.
void __wrap_MQTTProtocol_retry(timespec now, int retry, int regardless) {
  static std::atomic<std::int64_t> next_look{0};
  const std::int64_t ms = std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
  if (retry == 0 && regardless == 0 && ms < next_look) return;
  next_look = ms + triggerd::mqtt::wire::kBrokenLookMs;
  if (MQTTProtocol_retry != nullptr) MQTTProtocol_retry(now, retry, regardless);
}

}  // extern "C"

namespace triggerd::mqtt::wire {
namespace {

// Whether lists are what we take them for, tried with one of our own.
bool knows_lists() {
  if (ListInitialize == nullptr || ListAppend == nullptr || ListFreeNoContent == nullptr) {
    return false;
  }
  int things[2] = {};
  List* const list = ListInitialize();
  if (list == nullptr) return false;
  const Element* const first = ListAppend(list, &things[0], sizeof(int));
  const Element* const second = ListAppend(list, &things[1], sizeof(int));
  bool known = list->first == first && list->last == second && first->content == &things[0] &&
               first->next == second && second->previous == first && second->next == nullptr &&
               second->content == &things[1];
  // A search leaves what it found in `current`.
  known = known && ListFindItem(list, &things[1], nullptr) == second && list->current == second;
  ListFreeNoContent(list);
  return known;
}

bool is(const Element* element, void* content, int (*same)(void*, void*)) {
  return same == nullptr ? element->content == content : same(element->content, content) != 0;
}

// The element that is nearest to `start`, on either side.
Element* find_from(Element* start, void* content, int (*same)(void*, void*)) {
  Element* after = start;
  Element* before = start == nullptr ? nullptr : start->previous;
  while (after != nullptr || before != nullptr) {
    if (after != nullptr) {
      if (is(after, content, same)) return after;
      after = after->next;
    }
    if (before != nullptr) {
      if (is(before, content, same)) return before;
      before = before->previous;
    }
  }
  return nullptr;
}

}  // namespace
}  // namespace triggerd::mqtt::wire

// For each packet the library searches its lists of connections from the front. Packets come in the
// order of the sockets, which is nearly that of the list or its reverse, so here the search goes
// both ways from where the previous one ended. With a thousand connections, searching was half of
// the cost of a message.
extern "C" Element* __wrap_ListFindItem(List* list, void* content, int (*same)(void*, void*)) {
  static const bool known = triggerd::mqtt::wire::knows_lists();
  if (!known) return ListFindItem(list, content, same);
  Element* const start = list->current == nullptr ? list->first : list->current;
  Element* const found = triggerd::mqtt::wire::find_from(start, content, same);
  if (found != nullptr) list->current = found;
  return found;
}

// NOLINTEND(bugprone-reserved-identifier)
