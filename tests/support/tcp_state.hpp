// What the kernel knows of a TCP connection, for tests in which no time may decide.
#pragma once

#include <cstdint>

namespace triggerd::test {

// Bytes that have come from the other end so far, read or not. 0 where `fd` is not TCP.
std::uint64_t tcp_bytes_received(int fd);

}  // namespace triggerd::test
