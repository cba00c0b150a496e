#include "support/lossy_disk.hpp"

#include <algorithm>
#include <limits>

namespace triggerd::test {
namespace {

void overwrite(std::string& content, std::size_t at, std::string_view bytes) {
  if (content.size() < at + bytes.size()) content.resize(at + bytes.size());
  content.replace(at, bytes.size(), bytes);
}

}  // namespace

LossyDisk::FilePtr LossyDisk::find(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second;
}

LossyDisk::FilePtr LossyDisk::create(const std::string& path) {
  auto file = std::make_shared<File>();
  file->journalled_ = ++journalled_;
  journal_.push_back({journalled_, path, file});
  files_[path] = file;
  return file;
}

bool LossyDisk::remove(const std::string& path, bool with_folder_synced) {
  if (files_.erase(path) == 0) return false;
  journal_.push_back({++journalled_, path, nullptr});
  if (with_folder_synced) make_durable(journalled_);
  return true;
}

void LossyDisk::write(File& file, std::size_t at, std::string_view bytes) {
  overwrite(file.live_, at, bytes);
  file.changes_.push_back({0, at, std::string(bytes)});
}

void LossyDisk::resize(File& file, std::size_t size) {
  if (size > file.live_.size()) {
    write(file, file.live_.size(), std::string(size - file.live_.size(), '\0'));
  } else if (size < file.live_.size()) {
    file.live_.resize(size);
    file.journalled_ = ++journalled_;
    file.changes_.push_back({journalled_, size, {}});
  }
}

void LossyDisk::sync(File& file) {
  for (const File::Change& change : file.changes_) {
    if (change.journalled == 0) {
      overwrite(file.durable_, change.at, change.bytes);
    } else {
      file.durable_.resize(change.at);
    }
  }
  file.changes_.clear();
  make_durable(file.journalled_);
}

void LossyDisk::sync_in_vain(File& file) {
  Loss loss;
  file.durable_ = survivors(file, journalled_, loss);
  file.changes_.clear();
}

Loss LossyDisk::cut(std::uint64_t seed) {
  random_.seed(seed);
  const std::uint64_t end = journal_durable_ + below(journalled_ - journal_durable_ + 1);
  Loss loss;
  loss.undone = journalled_ - end;
  make_durable(end);
  for (auto& [path, file] : durable_files_) {
    auto survivor = std::make_shared<File>();
    survivor->durable_ = survivors(*file, end, loss);
    survivor->live_ = survivor->durable_;
    file = std::move(survivor);
  }
  files_ = durable_files_;
  journal_.clear();
  journal_durable_ = journalled_;
  return loss;
}

void LossyDisk::make_durable(std::uint64_t until) {
  journal_durable_ = std::max(journal_durable_, until);
  for (; !journal_.empty() && journal_.front().journalled <= until; journal_.pop_front()) {
    Entry& entry = journal_.front();
    if (entry.file != nullptr) {
      durable_files_[entry.path] = std::move(entry.file);
    } else {
      durable_files_.erase(entry.path);
    }
  }
}

// With the same odds for every sector, a commit of many would never be lost, nor survive, as a
// whole. So the odds are drawn for each file, and all or nothing are likely.
std::string LossyDisk::survivors(const File& file, std::uint64_t journal_end, Loss& loss) {
  constexpr std::uint64_t kSure = 1000;
  const std::uint64_t luck = below(8);
  const std::uint64_t keep = luck == 0 ? 0 : luck == 1 ? kSure : below(kSure + 1);
  const std::uint64_t tear = below(2) == 0 ? 0 : below(kSure / 2);

  std::string content = file.durable_;
  std::size_t end = std::numeric_limits<std::size_t>::max();  // nothing survives behind it
  for (const File::Change& change : file.changes_) {
    if (change.journalled != 0) {
      if (change.journalled <= journal_end) {
        content.resize(change.at);
      } else {
        end = std::min(end, change.at);
      }
      continue;
    }
    std::size_t next = 0;
    for (std::size_t done = 0; done < change.bytes.size(); done = next) {
      const std::size_t at = change.at + done;
      next = std::min(change.bytes.size(), done + sector_size_ - at % sector_size_);
      if (at >= end) {
        ++loss.dropped;
        continue;
      }
      const auto piece =
          std::string_view(change.bytes).substr(done, std::min(next - done, end - at));
      if (below(kSure) < keep) {
        overwrite(content, at, piece);
        ++loss.kept;
      } else if (below(kSure) >= tear) {
        ++loss.dropped;
      } else {
        ++loss.torn;
        const std::size_t where = below(piece.size());
        const std::uint64_t how = below(3);
        if (how != 0) overwrite(content, at, piece.substr(0, where));
        if (how == 0) overwrite(content, at + where, piece.substr(where));
        if (how == 1) {
          std::string garbage(piece.size() - where, '\0');
          for (char& byte : garbage) byte = static_cast<char>(random_());
          overwrite(content, at + where, garbage);
        }
      }
    }
  }
  return content;
}

}  // namespace triggerd::test
