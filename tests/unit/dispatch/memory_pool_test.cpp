#include "dispatch/memory_pool.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>

namespace triggerd::dispatch {
namespace {

constexpr std::size_t kSize = 64;

TEST(MemoryPool, WhatAnotherThreadReturnedIsGivenOutAgain) {
  MemoryPool pool;
  const std::set<void*> first = {pool.allocate(kSize), pool.allocate(kSize), pool.allocate(kSize)};
  ASSERT_EQ(first.size(), 3U);
  std::thread([&] {
    for (void* block : first) pool.deallocate(block);
  }).join();
  const std::set<void*> second = {pool.allocate(kSize), pool.allocate(kSize), pool.allocate(kSize)};
  EXPECT_EQ(second, first);
  for (void* block : second) pool.deallocate(block);
}

TEST(MemoryPool, WhatIsOutIsGivenToNobodyElse) {
  MemoryPool pool;
  void* kept = pool.allocate(kSize);
  void* returned = pool.allocate(kSize);
  pool.deallocate(returned);
  void* next = pool.allocate(kSize);
  void* last = pool.allocate(kSize);
  EXPECT_EQ(next, returned);
  EXPECT_NE(last, kept);
  EXPECT_NE(last, returned);
  for (void* block : {kept, next, last}) pool.deallocate(block);
}

TEST(MemoryPool, AllocatorsOfOnePoolAreEqual) {
  MemoryPool pool;
  MemoryPool other;
  EXPECT_TRUE(PoolAllocator<int>(pool) == PoolAllocator<int>(pool));
  EXPECT_FALSE(PoolAllocator<int>(pool) == PoolAllocator<int>(other));
  EXPECT_EQ(PoolAllocator<long>(PoolAllocator<int>(pool)).pool(), &pool);
}

}  // namespace
}  // namespace triggerd::dispatch
