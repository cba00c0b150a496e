#include "inbox/room.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "inbox/inbox_file.hpp"

namespace triggerd::inbox {
namespace {

// While a reader holds the WAL.
constexpr Millis kTrimAgain{250};
constexpr Millis kShrinkAgain{10'000};

}  // namespace

Room::Room(InboxFile& file, std::uint64_t max_size, const Clock& clock)
    : file_(file),
      clock_(clock),
      volume_(file.is_on_a_volume() ? file.folder() : std::filesystem::path()),
      budget_(max_size, volume_.portion(), volume_.working()),
      limit_(max_size) {}

void Room::begin() {
  // SQLite's own checkpoints, which move what they can whoever reads.
  const std::uint64_t pages = std::max<std::uint64_t>(budget_.portion() / Database::kPageBytes, 1);
  (void)file_.database().execute(fmt::format("PRAGMA wal_autocheckpoint = {}", pages));
  budget_.set_cramped(!volume_.reserve());
  measure();
}

void Room::prepare() {
  if (budget_.is_cramped() || !volume_.is_reserved()) budget_.set_cramped(!volume_.reserve());
  if (budget_.wal_is_held()) trim_wal(budget_.wal_allowed());
}

void Room::measure() {
  Database& database = file_.database();
  std::uint64_t values[3] = {};
  const char* const pragmas[3] = {"PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"};
  for (int i = 0; i < 3; ++i) {
    Statement query(database, pragmas[i]);
    if (query.step()) values[i] = static_cast<std::uint64_t>(query.number(0));
    (void)query.finish("read");
  }
  const std::uint64_t whole = values[0] * values[2];
  Space space;
  space.wal = database.wal_bytes();
  space.free = std::min(values[0], values[1]) * values[2];
  space.used = whole - space.free + space.wal;
  const auto available = volume_.available();
  space.known = available.has_value();
  const std::uint64_t growth = whole - std::min(whole, database.file_bytes());
  space.available = available.value_or(0) - std::min(available.value_or(0), growth);
  budget_.measured(space);
  limit_ = budget_.limit();
}

void Room::after_transaction(bool has_written) {
  if (has_written) measure();
  trim_wal(budget_.wal_allowed());
}

void Room::make_room() {
  give_up_reserve();
  checkpoint();
  shrink_file();
}

void Room::give_up_reserve() {
  budget_.set_cramped(true);
  volume_.release();
}

void Room::give_back() {
  trim_wal(budget_.wal_allowed());
  shrink_file();
}

void Room::shrink_file() {
  if (!budget_.is_worth_shrinking() || clock_.now() < shrink_at_) return;
  // All of it goes through the WAL, which does not become smaller while somebody holds it.
  checkpoint();
  if (budget_.wal_is_held()) return;
  if (!file_.database().execute("PRAGMA temp_store = MEMORY; VACUUM")) {
    shrink_at_ = clock_.now() + kShrinkAgain;
  }
  checkpoint();
}

void Room::checkpoint() {
  const auto done = file_.database().checkpoint();
  budget_.set_wal_held(done == Database::Checkpoint::held);
  trim_at_ = done == Database::Checkpoint::done ? Monotonic() : clock_.now() + kTrimAgain;
  measure();
}

void Room::trim_wal(std::uint64_t allowed) {
  if (budget_.space().wal <= allowed) {
    budget_.set_wal_held(false);
    return;
  }
  if (clock_.now() >= trim_at_) checkpoint();
}

WriteTrouble Room::find_trouble() {
  trim_wal(budget_.wal_allowed());
  if (budget_.is_over_size()) trim_wal(0);  // which counts
  RoomBudget::Shortage shortage = budget_.judge();
  if (shortage == RoomBudget::Shortage::volume) {
    shrink_file();
    shortage = budget_.judge();
  }
  return trouble_of(shortage);
}

WriteTrouble Room::trouble_of(RoomBudget::Shortage shortage) const {
  const Space& space = budget_.space();
  switch (shortage) {
    case RoomBudget::Shortage::none:
      break;
    case RoomBudget::Shortage::reader:
      return {
          WriteTrouble::Kind::reader,
          fmt::format("somebody who reads inbox.db keeps its WAL from being used again: it has {} "
                      "bytes; end that program, or its transaction",
                      space.wal)};
    case RoomBudget::Shortage::volume:
      return {WriteTrouble::Kind::volume,
              fmt::format("the volume of {} is full but for what the inbox needs to work: {} bytes "
                          "are left",
                          file_.folder().string(), space.available)};
    case RoomBudget::Shortage::size:
      return {WriteTrouble::Kind::size,
              fmt::format("it holds {} bytes, over max_size ({})", space.used, budget_.max_size())};
  }
  return {};
}

}  // namespace triggerd::inbox
