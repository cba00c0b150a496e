#include "broker/publishes.hpp"

#include <algorithm>

#include "common/mqtt.hpp"

namespace bench {
namespace {

// A round stays in a core's second cache, and is long enough for large writes.
constexpr std::size_t kRoundBytes = 256 << 10;
constexpr std::size_t kLargePayload = 4 << 10;
constexpr std::size_t kMostIds = 65'535;

std::size_t round_size(const Options& options) {
  const std::size_t topics = options.filters;
  std::size_t size = std::max<std::size_t>(kRoundBytes / (options.payload + 16), 16);
  // Twice the window, so that one slow acknowledgement does not hold the others up.
  if (options.qos > 0) size = std::max(size, 2 * options.window);
  size = (size + topics - 1) / topics * topics;
  return options.qos > 0 ? std::min(size, kMostIds) : size;
}

}  // namespace

Publishes::Publishes(const Options& options) {
  const bool large = options.payload > kLargePayload;
  std::string payload(options.payload, options.content.empty() ? 'x' : ' ');
  options.content.copy(payload.data(), payload.size());
  if (large) body_ = payload;
  const std::size_t size = round_size(options);
  std::size_t start = 0;
  for (std::size_t i = 0; i < size; ++i) {
    heads_.push_back(bytes_.size());
    starts_.push_back(start);
    mqtt::append_publish_head(bytes_, options.qos, "bench/" + std::to_string(i % options.filters),
                              static_cast<std::uint16_t>(i + 1), options.payload);
    if (!large) bytes_ += payload;
    start += bytes_.size() - heads_.back() + body_.size();
  }
  heads_.push_back(bytes_.size());
  starts_.push_back(start);
}

void Publishes::gather(Position from, std::uint64_t until, Parts& out) const {
  std::uint64_t left = std::min<std::uint64_t>(until - from.message, size());
  std::size_t at = slot(from.message);
  std::size_t offset = from.offset;
  if (body_.empty()) {
    while (left > 0) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, size() - at));
      out.add(head(at) + offset, heads_[at + count] - heads_[at] - offset);
      left -= count;
      at = 0;
      offset = 0;
    }
    return;
  }
  for (; left > 0 && out.count + 2 <= Parts::kMost; --left) {
    const std::size_t before = head_size(at);
    if (offset < before) out.add(head(at) + offset, before - offset);
    const std::size_t behind = offset < before ? 0 : offset - before;
    out.add(body_.data() + behind, body_.size() - behind);
    offset = 0;
    at = at + 1 == size() ? 0 : at + 1;
  }
}

Position Publishes::after(Position from, std::size_t written) const {
  const std::size_t at = slot(from.message);
  std::size_t place = starts_[at] + from.offset + written;
  std::uint64_t message = from.message - at;
  const std::size_t round = starts_.back();
  message += place / round * size();
  place %= round;
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), place);
  const auto reached = static_cast<std::size_t>(next - starts_.begin()) - 1;
  return {message + reached, place - starts_[reached]};
}

}  // namespace bench
