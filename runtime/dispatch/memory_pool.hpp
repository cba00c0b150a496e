// Memory for many objects of one size that one thread makes and others destroy.
//
// malloc() would do, but memory that is freed by another thread than the one that allocated it
// makes both of them contend for one lock, for each message. Here the maker takes back all that was
// returned at once. What was allocated stays with the pool until its end, so it holds what the
// busiest moment needed.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "base/cache.hpp"
#include "base/mutex.hpp"

namespace triggerd::dispatch {

// allocate(): one thread at a time; deallocate(): any thread. It outlives what it gave out.
class MemoryPool {
 public:
  MemoryPool() = default;
  ~MemoryPool() {
    for (void* block : ready_) ::operator delete(block);
    for (void* block : returned_) ::operator delete(block);
  }
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // All calls have the same `size`.
  void* allocate(std::size_t size) {
    if (ready_.empty()) {
      MutexLock lock(mutex_);
      ready_.swap(returned_);
    }
    if (ready_.empty()) return ::operator new(size);
    void* block = ready_.back();
    ready_.pop_back();
    if (!ready_.empty()) fetch_to_write(ready_.back(), size);
    return block;
  }
  void deallocate(void* block) {
    MutexLock lock(mutex_);
    returned_.push_back(block);
  }

 private:
  std::vector<void*> ready_;  // the maker's
  // On a cache line of its own: it is written for each message, by other threads.
  alignas(kCacheLine) Mutex mutex_;
  std::vector<void*> returned_ TRIGGERD_GUARDED_BY(mutex_);
};

// For std::allocate_shared, which allocates one object and its counters in one piece.
template <class T>
class PoolAllocator {
 public:
  using value_type = T;
  explicit PoolAllocator(MemoryPool& pool) : pool_(&pool) {}
  template <class U>
  PoolAllocator(const PoolAllocator<U>& other)  // NOLINT(google-explicit-constructor)
      : pool_(other.pool()) {}

  T* allocate(std::size_t count) { return static_cast<T*>(pool_->allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) { pool_->deallocate(memory); }
  MemoryPool* pool() const { return pool_; }

  friend bool operator==(const PoolAllocator& a, const PoolAllocator& b) {
    return a.pool_ == b.pool_;
  }

 private:
  MemoryPool* pool_;
};

}  // namespace triggerd::dispatch
