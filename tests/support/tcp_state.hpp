// What the kernel knows of a TCP connection, for tests in which no time may decide.
#pragma once

#include <cstdint>

namespace triggerd::test {

// Bytes that have come from the other end so far, read or not. 0 where `fd` is not TCP.
std::uint64_t tcp_bytes_received(int fd);

// Whether the other end takes no more, and has acknowledged all that it took: what is written now
// stays in this end's buffer, and nothing leaves it until the other end reads. Where `fd` is not
// TCP this is always so.
bool tcp_is_full(int fd);

}  // namespace triggerd::test
