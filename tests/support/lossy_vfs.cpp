#include "support/lossy_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/mutex.hpp"

namespace triggerd::test {
namespace {

constexpr int kMaxPath = 1024;
constexpr sqlite3_int64 kUnixEpochMs = 210'866'760'000'000;  // 1970 in Julian milliseconds

}  // namespace

// Functions that take a Handle, or a path, have the signatures of SQLite's methods behind it and
// return its codes. SQLite gets to them through on_file() and on_vfs().
struct LossyVfs::State {
  // What SQLite calls a file: one opening of it. SQLite owns the memory.
  struct Handle : sqlite3_file {
    State* state;
    LossyDisk::FilePtr file;  // nullptr: a temporary file
    std::string temporary;
    std::string remove_on_close;  // a path, or empty
    int level = SQLITE_LOCK_NONE;

    using Region = std::unique_ptr<std::byte[]>;
    std::shared_ptr<std::vector<Region>> shared_memory;  // one for all handles that map the file's
    unsigned shared_slots = 0;                           // of xShmLock, bit by bit
    unsigned exclusive_slots = 0;
  };

  State(std::string vfs_name, std::size_t sector);

  template <auto Method, class... Args>
  static int on_file(sqlite3_file* file, Args... args) {
    Handle& handle = *static_cast<Handle*>(file);
    State& state = *handle.state;
    const MutexLock lock(state.mutex);
    return state.powered ? (state.*Method)(handle, args...) : SQLITE_IOERR;
  }
  template <auto Method, class... Args>
  static int on_vfs(sqlite3_vfs* vfs, Args... args) {
    State& state = *static_cast<State*>(vfs->pAppData);
    const MutexLock lock(state.mutex);
    return state.powered ? (state.*Method)(args...) : SQLITE_IOERR;
  }
  static int close(sqlite3_file* file);
  static int full_path(sqlite3_vfs*, const char* path, int size, char* into);
  static int randomness(sqlite3_vfs* vfs, int size, char* into);
  static int sleep(sqlite3_vfs* vfs, int microseconds);
  static int now(sqlite3_vfs*, sqlite3_int64* julian_ms);

  int open(const char* path, sqlite3_file* memory, int flags, int* flags_out)
      TRIGGERD_REQUIRES(mutex);
  int remove(const char* path, int with_folder_synced) TRIGGERD_REQUIRES(mutex);
  int access(const char* path, int flags, int* yes) TRIGGERD_REQUIRES(mutex);

  int read(Handle& handle, void* into, int size, sqlite3_int64 at) TRIGGERD_REQUIRES(mutex);
  int write(Handle& handle, const void* from, int size, sqlite3_int64 at) TRIGGERD_REQUIRES(mutex);
  int truncate(Handle& handle, sqlite3_int64 size) TRIGGERD_REQUIRES(mutex);
  int sync(Handle& handle, int flags) TRIGGERD_REQUIRES(mutex);
  int file_size(Handle& handle, sqlite3_int64* size) TRIGGERD_REQUIRES(mutex);
  int lock(Handle& handle, int level) TRIGGERD_REQUIRES(mutex);
  int unlock(Handle& handle, int level) TRIGGERD_REQUIRES(mutex);
  int is_reserved(Handle& handle, int* yes) TRIGGERD_REQUIRES(mutex);
  int map_shared(Handle& handle, int index, int size, int extend, void volatile** region)
      TRIGGERD_REQUIRES(mutex);
  int lock_shared(Handle& handle, int first, int count, int flags) TRIGGERD_REQUIRES(mutex);
  int unmap_shared(Handle& handle, int remove) TRIGGERD_REQUIRES(mutex);

  void cut(std::uint64_t with_seed) TRIGGERD_REQUIRES(mutex);
  // To be returned where it is not SQLITE_OK: the power went during this operation.
  int count_operation() TRIGGERD_REQUIRES(mutex);
  // Whether it is so of another handle of the same file.
  template <class Predicate>
  bool another(const Handle& handle, Predicate&& is_so) const TRIGGERD_REQUIRES(mutex) {
    return std::any_of(handles.begin(), handles.end(), [&](const Handle* other) {
      return other != &handle && other->file == handle.file && is_so(*other);
    });
  }
  bool another_has(const Handle& handle, int level) const TRIGGERD_REQUIRES(mutex) {
    return another(handle, [level](const Handle& other) { return other.level >= level; });
  }

  const std::string name;
  const std::size_t sector_size;
  sqlite3_vfs vfs{};
  sqlite3_io_methods methods{};

  mutable Mutex mutex;
  CondVar released;  // a lock, or nobody has any since the power is gone
  LossyDisk disk TRIGGERD_GUARDED_BY(mutex);
  std::set<Handle*> handles TRIGGERD_GUARDED_BY(mutex);
  bool powered TRIGGERD_GUARDED_BY(mutex) = true;
  Loss loss TRIGGERD_GUARDED_BY(mutex);
  std::size_t operations TRIGGERD_GUARDED_BY(mutex) = 0;
  std::size_t operations_left TRIGGERD_GUARDED_BY(mutex) = 0;  // 0: no cut is planned
  std::uint64_t seed TRIGGERD_GUARDED_BY(mutex) = 0;
  int write_code TRIGGERD_GUARDED_BY(mutex) = SQLITE_OK;
  int sync_code TRIGGERD_GUARDED_BY(mutex) = SQLITE_OK;
  std::mt19937_64 random TRIGGERD_GUARDED_BY(mutex);
};

LossyVfs::State::State(std::string vfs_name, std::size_t sector)
    : name(std::move(vfs_name)), sector_size(sector), disk(sector) {
  methods.iVersion = 2;  // 3 is memory-mapped I/O
  methods.xClose = close;
  methods.xRead = on_file<&State::read>;
  methods.xWrite = on_file<&State::write>;
  methods.xTruncate = on_file<&State::truncate>;
  methods.xSync = on_file<&State::sync>;
  methods.xFileSize = on_file<&State::file_size>;
  methods.xLock = on_file<&State::lock>;
  methods.xUnlock = on_file<&State::unlock>;
  methods.xCheckReservedLock = on_file<&State::is_reserved>;
  methods.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
  methods.xSectorSize = [](sqlite3_file* file) {
    return static_cast<int>(static_cast<Handle*>(file)->state->sector_size);
  };
  methods.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };
  methods.xShmMap = on_file<&State::map_shared>;
  methods.xShmLock = on_file<&State::lock_shared>;
  methods.xShmUnmap = on_file<&State::unmap_shared>;
  // Taking the lock orders memory as a fence does, and ThreadSanitizer knows it.
  methods.xShmBarrier = [](sqlite3_file* file) {
    const MutexLock lock(static_cast<Handle*>(file)->state->mutex);
  };

  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(Handle);
  vfs.mxPathname = kMaxPath;
  vfs.zName = name.c_str();
  vfs.pAppData = this;
  vfs.xOpen = on_vfs<&State::open>;
  vfs.xDelete = on_vfs<&State::remove>;
  vfs.xAccess = on_vfs<&State::access>;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleep;
  vfs.xCurrentTimeInt64 = now;
  vfs.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
}

int LossyVfs::State::close(sqlite3_file* file) {
  auto* handle = static_cast<Handle*>(file);
  State& state = *handle->state;
  const MutexLock lock(state.mutex);
  if (state.powered && !handle->remove_on_close.empty()) {
    state.disk.remove(handle->remove_on_close, false);
  }
  state.handles.erase(handle);
  state.released.notify_all();
  handle->~Handle();
  return SQLITE_OK;
}

int LossyVfs::State::full_path(sqlite3_vfs*, const char* path, int size, char* into) {
  const std::size_t length = std::strlen(path);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(into, path, length + 1);
  return SQLITE_OK;
}

int LossyVfs::State::randomness(sqlite3_vfs* vfs, int size, char* into) {
  State& state = *static_cast<State*>(vfs->pAppData);
  const MutexLock lock(state.mutex);
  for (int i = 0; i < size; ++i) into[i] = static_cast<char>(state.random());
  return size;
}

// A busy handler pausing until it tries again. Only another connection can make that worthwhile.
int LossyVfs::State::sleep(sqlite3_vfs* vfs, int microseconds) {
  State& state = *static_cast<State*>(vfs->pAppData);
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  const MutexLock lock(state.mutex);
  if (state.powered) state.released.wait_until(state.mutex, until);
  return microseconds;
}

int LossyVfs::State::now(sqlite3_vfs*, sqlite3_int64* julian_ms) {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  *julian_ms =
      kUnixEpochMs + std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
  return SQLITE_OK;
}

int LossyVfs::State::open(const char* path, sqlite3_file* memory, int flags, int* flags_out) {
  LossyDisk::FilePtr file;
  if (path != nullptr) {
    file = disk.find(path);
    if (file == nullptr ? (flags & SQLITE_OPEN_CREATE) == 0
                        : (flags & SQLITE_OPEN_EXCLUSIVE) != 0) {
      return SQLITE_CANTOPEN;
    }
    if (file == nullptr) file = disk.create(path);
  }
  auto* handle = new (memory) Handle{};
  handle->pMethods = &methods;
  handle->state = this;
  handle->file = std::move(file);
  if (path != nullptr && (flags & SQLITE_OPEN_DELETEONCLOSE) != 0) handle->remove_on_close = path;
  handles.insert(handle);
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int LossyVfs::State::remove(const char* path, int with_folder_synced) {
  // A cut in the middle of it comes before the folder is synced.
  const bool synced = with_folder_synced != 0 && operations_left != 1;
  const bool removed = disk.remove(path, synced);
  if (const int code = count_operation(); code != SQLITE_OK) return code;
  return removed ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

// As on Linux, an empty file does not "exist": SQLite left one behind between creating and writing.
int LossyVfs::State::access(const char* path, int flags, int* yes) {
  const LossyDisk::FilePtr file = disk.find(path);
  *yes = file != nullptr && (flags != SQLITE_ACCESS_EXISTS || !file->content().empty()) ? 1 : 0;
  return SQLITE_OK;
}

int LossyVfs::State::read(Handle& handle, void* into, int size, sqlite3_int64 at) {
  const std::string_view content =
      handle.file == nullptr ? handle.temporary : handle.file->content();
  const std::string_view found = content.substr(
      std::min(content.size(), static_cast<std::size_t>(at)), static_cast<std::size_t>(size));
  char* const end = std::copy(found.begin(), found.end(), static_cast<char*>(into));
  if (found.size() == static_cast<std::size_t>(size)) return SQLITE_OK;
  std::fill(end, static_cast<char*>(into) + size, '\0');
  return SQLITE_IOERR_SHORT_READ;
}

int LossyVfs::State::write(Handle& handle, const void* from, int size, sqlite3_int64 at) {
  const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(size));
  const auto offset = static_cast<std::size_t>(at);
  if (handle.file == nullptr) {
    handle.temporary.resize(std::max(handle.temporary.size(), offset + bytes.size()));
    handle.temporary.replace(offset, bytes.size(), bytes);
    return SQLITE_OK;
  }
  if (write_code == SQLITE_OK) LossyDisk::write(*handle.file, offset, bytes);
  const int code = count_operation();
  return code != SQLITE_OK ? code : write_code;
}

int LossyVfs::State::truncate(Handle& handle, sqlite3_int64 size) {
  if (handle.file == nullptr) {
    handle.temporary.resize(static_cast<std::size_t>(size));
    return SQLITE_OK;
  }
  disk.resize(*handle.file, static_cast<std::size_t>(size));
  return count_operation();
}

int LossyVfs::State::sync(Handle& handle, int /*flags*/) {
  if (handle.file == nullptr) return SQLITE_OK;
  if (const int code = count_operation(); code != SQLITE_OK) return code;
  if (sync_code != SQLITE_OK) {
    disk.sync_in_vain(*handle.file);
  } else {
    disk.sync(*handle.file);
  }
  return sync_code;
}

int LossyVfs::State::file_size(Handle& handle, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(handle.file == nullptr ? handle.temporary.size()
                                                            : handle.file->content().size());
  return SQLITE_OK;
}

// SQLite's five levels: one may reserve while others read; who is about to write keeps new readers
// out (pending) until those who are there have gone.
int LossyVfs::State::lock(Handle& handle, int level) {
  if (handle.level >= level || handle.file == nullptr) return SQLITE_OK;
  if (another_has(handle,
                  level == SQLITE_LOCK_SHARED ? SQLITE_LOCK_PENDING : SQLITE_LOCK_RESERVED)) {
    return SQLITE_BUSY;
  }
  if (level == SQLITE_LOCK_EXCLUSIVE && another_has(handle, SQLITE_LOCK_SHARED)) {
    handle.level = SQLITE_LOCK_PENDING;
    return SQLITE_BUSY;
  }
  handle.level = level;
  return SQLITE_OK;
}

int LossyVfs::State::unlock(Handle& handle, int level) {
  handle.level = std::min(handle.level, level);
  released.notify_all();
  return SQLITE_OK;
}

int LossyVfs::State::is_reserved(Handle& handle, int* yes) {
  *yes = handle.level >= SQLITE_LOCK_RESERVED || another_has(handle, SQLITE_LOCK_RESERVED) ? 1 : 0;
  return SQLITE_OK;
}

int LossyVfs::State::map_shared(Handle& handle, int index, int size, int extend,
                                void volatile** region) {
  for (const Handle* other : handles) {
    if (handle.shared_memory == nullptr && other->file == handle.file) {
      handle.shared_memory = other->shared_memory;
    }
  }
  if (handle.shared_memory == nullptr) {
    handle.shared_memory = std::make_shared<std::vector<Handle::Region>>();
  }
  auto& regions = *handle.shared_memory;
  const auto wanted = static_cast<std::size_t>(index);
  while (extend != 0 && regions.size() <= wanted) {
    regions.push_back(std::make_unique<std::byte[]>(static_cast<std::size_t>(size)));
  }
  *region = wanted < regions.size() ? regions[wanted].get() : nullptr;
  return SQLITE_OK;
}

int LossyVfs::State::lock_shared(Handle& handle, int first, int count, int flags) {
  const unsigned slots = ((1U << count) - 1) << first;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    handle.shared_slots &= ~slots;
    handle.exclusive_slots &= ~slots;
    released.notify_all();
    return SQLITE_OK;
  }
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if (another(handle, [&](const Handle& other) {
        return (slots & (other.exclusive_slots | (exclusive ? other.shared_slots : 0U))) != 0;
      })) {
    return SQLITE_BUSY;
  }
  (exclusive ? handle.exclusive_slots : handle.shared_slots) |= slots;
  return SQLITE_OK;
}

int LossyVfs::State::unmap_shared(Handle& handle, int /*remove*/) {
  handle.shared_memory.reset();
  handle.shared_slots = 0;
  handle.exclusive_slots = 0;
  released.notify_all();
  return SQLITE_OK;
}

void LossyVfs::State::cut(std::uint64_t with_seed) {
  loss = disk.cut(with_seed);
  powered = false;
  operations_left = 0;
  released.notify_all();
}

int LossyVfs::State::count_operation() {
  ++operations;
  if (operations_left == 0 || --operations_left > 0) return SQLITE_OK;
  cut(seed);
  return SQLITE_IOERR;
}

LossyVfs::LossyVfs(std::string name, std::size_t sector_size)
    : state_(std::make_unique<State>(std::move(name), sector_size)) {
  if (sqlite3_vfs_find(state_->name.c_str()) != nullptr) {
    throw std::logic_error("SQLite has a VFS of the name " + state_->name + " already");
  }
  if (sqlite3_vfs_register(&state_->vfs, 0) != SQLITE_OK) {
    throw std::runtime_error("SQLite does not take the VFS " + state_->name);
  }
}

LossyVfs::~LossyVfs() {
  sqlite3_vfs_unregister(&state_->vfs);
  const MutexLock lock(state_->mutex);
  if (state_->handles.empty()) return;
  std::fprintf(stderr, "LossyVfs %s goes while SQLite has files of it open\n",
               state_->name.c_str());
  std::abort();
}

const std::string& LossyVfs::name() const {
  return state_->name;
}

Loss LossyVfs::cut_power(std::uint64_t seed) {
  const MutexLock lock(state_->mutex);
  if (state_->powered) state_->cut(seed);
  return state_->loss;
}

void LossyVfs::cut_power_after(std::size_t operations, std::uint64_t seed) {
  const MutexLock lock(state_->mutex);
  state_->operations_left = operations;
  state_->seed = seed;
}

void LossyVfs::restore_power() {
  const MutexLock lock(state_->mutex);
  if (!state_->powered && !state_->handles.empty()) {
    throw std::logic_error("a connection from before the power cut is still open");
  }
  state_->powered = true;
}

bool LossyVfs::powered() const {
  const MutexLock lock(state_->mutex);
  return state_->powered;
}

Loss LossyVfs::loss() const {
  const MutexLock lock(state_->mutex);
  return state_->loss;
}

void LossyVfs::fail_writes(int code) {
  const MutexLock lock(state_->mutex);
  state_->write_code = code;
}

void LossyVfs::fail_syncs(int code) {
  const MutexLock lock(state_->mutex);
  state_->sync_code = code;
}

std::size_t LossyVfs::operations() const {
  const MutexLock lock(state_->mutex);
  return state_->operations;
}

bool LossyVfs::exists(const std::string& file) const {
  const MutexLock lock(state_->mutex);
  return state_->disk.find(file) != nullptr;
}

}  // namespace triggerd::test
