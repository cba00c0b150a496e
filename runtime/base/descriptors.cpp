#include "base/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/file.hpp"

namespace triggerd {

// A table never shrinks, so one high descriptor that is closed again is enough.
void make_room_for_descriptors(unsigned count) {
  constexpr rlim_t kMost = 65'536;  // of these the table has half a megabyte
  rlimit limit{};
  if (count == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0) return;
  const rlim_t highest = std::min({rlim_t{count}, limit.rlim_cur, kMost}) - 1;
  const UniqueFd any(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!any) return;
  // At `highest` or above: one that is open already is left alone.
  const UniqueFd high(::fcntl(any.get(), F_DUPFD_CLOEXEC, static_cast<int>(highest)));
}

}  // namespace triggerd
