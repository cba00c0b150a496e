#include "plugin/process/crash_record.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <vector>

namespace triggerd::plugin {
namespace {

constexpr std::string_view kFirst = "triggerd-crashes";

// SipHash-2-4 (https://www.aumasson.jp/siphash/siphash.pdf): a sender who does not know the key
// cannot make two messages look like one. Byte by byte, so that it may be fed in pieces.
class SipHash {
 public:
  explicit SipHash(const IdentityKey& key)
      : v0_(0x736f6d6570736575ULL ^ key[0]),
        v1_(0x646f72616e646f6dULL ^ key[1]),
        v2_(0x6c7967656e657261ULL ^ key[0]),
        v3_(0x7465646279746573ULL ^ key[1]) {}

  void add(std::string_view bytes) {
    for (const char c : bytes) {
      word_ |= std::uint64_t{static_cast<std::uint8_t>(c)} << (8 * (count_ & 7));
      if ((++count_ & 7) == 0) take_word();
    }
  }
  std::uint64_t end() {
    word_ |= count_ << 56;
    take_word();
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void take_word() {
    v3_ ^= word_;
    round();
    round();
    v0_ ^= word_;
    word_ = 0;
  }
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
  std::uint64_t word_ = 0;
  std::uint64_t count_ = 0;
};

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  while (!line.empty()) {
    const auto end = line.find(' ');
    found.push_back(line.substr(0, end));
    line.remove_prefix(end == line.npos ? line.size() : end + 1);
  }
  return found;
}

std::string text(std::string_view word) {
  return word == "-" ? std::string() : std::string(word);
}

template <class Number>
bool read(std::string_view word, Number& into, int base = 10) {
  const char* const end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, into, base);
  return error == std::errc() && stopped == end;
}

// "-" is 0.
bool read_identity(std::string_view word, std::uint64_t& into) {
  return word == "-" || (word.size() == 16 && read(word, into, 16));
}

}  // namespace

std::uint64_t identity_of(const IdentityKey& key, std::string_view trigger, std::string_view topic,
                          std::string_view payload) {
  SipHash hash(key);
  hash.add(trigger);
  hash.add({"\0", 1});  // neither has one
  hash.add(topic);
  hash.add({"\0", 1});
  hash.add(payload);
  const std::uint64_t identity = hash.end();
  return identity == 0 ? 1 : identity;
}

std::string first_line(const IdentityKey& key) {
  return fmt::format("{} 1 {:016x}{:016x}\n", kFirst, key[0], key[1]);
}

std::string line_of(const DeathLine& death) {
  return fmt::format("death {} {} {} {:016x} {}\n", death.when, death.signal, death.trigger,
                     death.identity, death.deaths);
}

std::optional<IdentityKey> read_first_line(std::string_view line) {
  const auto word = words(line);
  IdentityKey key{};
  if (word.size() != 3 || word[0] != kFirst || word[1] != "1" || word[2].size() != 32 ||
      !read(word[2].substr(0, 16), key[0], 16) || !read(word[2].substr(16), key[1], 16)) {
    return std::nullopt;
  }
  return key;
}

std::optional<CrashLine> read_crash(std::string_view line) {
  const auto word = words(line);
  CrashLine crash;
  if (word.size() != 10 || word[0] != "crash" || !read(word[1], crash.when) ||
      !read_identity(word[8], crash.identity) || !read(word[9], crash.messages)) {
    return std::nullopt;
  }
  crash.signal = text(word[2]);
  crash.plugin = text(word[3]);
  crash.service = text(word[4]);
  crash.trigger = text(word[5]);
  crash.function = text(word[6]);
  crash.message = text(word[7]);
  return crash;
}

std::optional<DeathLine> read_death(std::string_view line) {
  const auto word = words(line);
  DeathLine death;
  if (word.size() != 6 || word[0] != "death" || !read(word[1], death.when) ||
      !read_identity(word[4], death.identity) || !read(word[5], death.deaths)) {
    return std::nullopt;
  }
  death.signal = text(word[2]);
  death.trigger = text(word[3]);
  return death;
}

}  // namespace triggerd::plugin
