#include "inbox/inbox.hpp"

#include <sys/stat.h>

#include "inbox/figures.hpp"
#include "inbox/inbox_file.hpp"
#include "inbox/schema.hpp"
#include "inbox/volume.hpp"

namespace triggerd::inbox {

Inbox::Inbox(std::unique_ptr<InboxFile> file)
    : file_(std::move(file)),
      messages_(*file_),
      packet_ids_(*file_),
      outgoing_(*file_),
      dead_letters_(*file_),
      handled_keys_(*file_),
      triggers_(*file_),
      sessions_(*file_) {}
Inbox::~Inbox() = default;

Result<Figures> Inbox::figures() {
  return count_all(file_->counting());
}

Result<std::unique_ptr<Inbox>> Inbox::open_whole(const std::filesystem::path& file,
                                                 const OpenOptions& options, bool& damaged) {
  const mode_t mask = ::umask(0077);
  auto database = Database::open(file, options.vfs, damaged);
  ::umask(mask);
  if (!database) return tl::make_unexpected(database.error());
  // Reads all of it, so it has its price; what a start may cost.
  Statement check(**database, "PRAGMA quick_check(1)");
  std::string verdict = "ok";
  if (check.step()) verdict = check.text(0);
  const auto checked = check.finish("check");
  damaged = verdict != "ok" || (!checked && (*database)->corrupt());
  if (!checked) return tl::make_unexpected(checked.error());
  if (damaged) return fail("{} is damaged: {}", file.string(), verdict);
  if (auto migrated = migrate(**database); !migrated) {
    return tl::make_unexpected(migrated.error());
  }
  (*database)->remember_files();
  const RowClock row_clock(*options.clock);
  if (auto begun = row_clock.begin(**database); !begun) return tl::make_unexpected(begun.error());
  return std::unique_ptr<Inbox>(
      new Inbox(std::make_unique<InboxFile>(*std::move(database), file, options.vfs, row_clock)));
}

Result<std::unique_ptr<Inbox>> Inbox::open(const std::filesystem::path& file,
                                           const OpenOptions& options) {
  bool damaged = false;
  auto opened = open_whole(file, options, damaged);
  if (!opened && opened.error().code == Database::kNoRoom && options.vfs.empty()) {
    Volume(file.parent_path().empty() ? "." : file.parent_path()).release();
    opened = open_whole(file, options, damaged);
  }
  if (opened || !damaged || !options.set_aside) return opened;
  const std::string suffix = fmt::format(".damaged-{}", to_ms(options.clock->wall()));
  for (const char* part : Database::kParts) {
    const std::filesystem::path from = file.string() + part;
    std::error_code error;
    if (!std::filesystem::exists(from, error)) continue;
    std::filesystem::rename(from, file.string() + suffix + part, error);
    if (error) return fail("cannot set {} aside: {}", from.string(), error.message());
  }
  options.set_aside(file.string() + suffix, opened.error().message);
  return open_whole(file, options, damaged);
}

}  // namespace triggerd::inbox
