#include "plugin/isolation/ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <thread>

namespace triggerd::plugin::isolation {
namespace {

struct Ring {
  RingCounts counts;
  std::array<std::byte, 256> bytes{};
  RingWriter writer{counts, bytes};
  RingReader reader{counts, bytes};

  bool write(std::uint32_t type, std::string_view record) {
    return writer.write(type, record) == RingWriter::Outcome::written;
  }
  // "TYPE:RECORD", or what else came of it.
  std::string read() {
    std::uint32_t type = 0;
    std::string record;
    switch (reader.read(type, record)) {
      case RingReader::Outcome::record:
        return std::to_string(type) + ":" + record;
      case RingReader::Outcome::empty:
        return "empty";
      case RingReader::Outcome::protocol_error:
        break;
    }
    return "protocol error";
  }
  void put_head(std::uint32_t type, std::uint32_t size) {
    const std::array<std::uint32_t, 2> head{type, size};
    std::memcpy(bytes.data(), head.data(), sizeof head);
  }
};

TEST(IsolationRing, GivesRecordsInTheirOrder) {
  Ring ring;
  EXPECT_EQ(ring.read(), "empty");
  EXPECT_TRUE(ring.write(1, "one"));
  EXPECT_TRUE(ring.write(2, ""));
  EXPECT_FALSE(ring.writer.drained());
  EXPECT_EQ(ring.read(), "1:one");
  EXPECT_EQ(ring.read(), "2:");
  EXPECT_EQ(ring.read(), "empty");
  EXPECT_TRUE(ring.writer.drained());
}

TEST(IsolationRing, WrapsAtAnyByte) {
  Ring ring;
  for (int i = 0; i < 2'000; ++i) {
    const std::string record(static_cast<std::size_t>(i % 120), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(ring.write(7, record));
    ASSERT_EQ(ring.read(), "7:" + record);
  }
}

TEST(IsolationRing, IsFullBeforeItOverwrites) {
  Ring ring;
  int written = 0;
  while (ring.write(1, std::string(24, 'x'))) ++written;
  EXPECT_EQ(written, 8);
  EXPECT_EQ(ring.read(), "1:" + std::string(24, 'x'));
  EXPECT_TRUE(ring.write(2, std::string(24, 'y')));
  EXPECT_FALSE(ring.write(2, ""));
  EXPECT_FALSE(Ring().write(1, std::string(300, 'x'))) << "never fits";
}

TEST(IsolationRing, BelievesNoCount) {
  for (const std::uint64_t written : {std::uint64_t{257}, std::uint64_t{4}, ~std::uint64_t{0}}) {
    Ring ring;
    ring.counts.written = written;
    EXPECT_EQ(ring.read(), "protocol error") << written;
  }
  for (const std::uint64_t read : {std::uint64_t{1}, ~std::uint64_t{0} - 300}) {
    Ring ring;
    ring.counts.read = read;
    EXPECT_EQ(ring.writer.write(1, "x"), RingWriter::Outcome::protocol_error) << read;
  }
}

TEST(IsolationRing, BelievesNoLength) {
  for (const std::uint32_t size : {9U, 256U, 0x7FFF'FFFFU, 0xFFFF'FFF8U, 0xFFFF'FFFFU}) {
    Ring ring;
    ring.put_head(1, size);
    ring.counts.written = 16;
    EXPECT_EQ(ring.read(), "protocol error") << size;
  }
}

TEST(IsolationRing, SurvivesAnyBytes) {
  std::mt19937 engine(20'261'125);
  for (int round = 0; round < 5'000; ++round) {
    Ring ring;
    for (std::byte& byte : ring.bytes) byte = static_cast<std::byte>(engine());
    if (engine() % 2 == 0) ring.put_head(engine() % 12, engine() % 300);
    ring.counts.written = engine() % 300;
    for (int i = 0; i < 40 && ring.read() != "protocol error"; ++i) {
      ring.counts.written = ring.counts.written + engine() % 3 * 8;
    }
  }
}

TEST(IsolationRing, CarriesAStreamBetweenTwoThreads) {
  Ring ring;
  constexpr int kRecords = 20'000;
  std::thread writing([&] {
    for (int i = 0; i < kRecords; ++i) {
      while (!ring.write(static_cast<std::uint32_t>(i), std::to_string(i))) {
        std::this_thread::yield();
      }
    }
  });
  for (int i = 0; i < kRecords;) {
    const std::string got = ring.read();
    if (got == "empty") {
      std::this_thread::yield();
      continue;
    }
    const std::string expected = std::to_string(i) + ":" + std::to_string(i);
    EXPECT_EQ(got, expected);
    if (got != expected) break;
    ++i;
  }
  writing.join();
}

}  // namespace
}  // namespace triggerd::plugin::isolation
