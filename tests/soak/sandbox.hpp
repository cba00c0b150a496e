// What the soak test breaks beside processes and the small disk: a network that can be cut. It
// needs root, and is gone when its object goes. enter_private_mounts() sees to it that it also is
// where the test is killed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/small_disk.hpp"

namespace triggerd::soak {

using test::SmallDisk;

// Gives this process mounts of its own, with an empty place for named network namespaces among
// them: what is mounted from here on ends with the last process that sees it. Once, before there
// are threads. Throws where the kernel refuses.
void enter_private_mounts();

// A network namespace with one link, to this machine. It is slow towards the inside where the
// kernel can make it so, so that bursts are on their way for a while: a kill then also hits what is
// between PUBLISH, PUBREC and PUBREL.
class CutNetwork {
 public:
  CutNetwork();
  ~CutNetwork();
  CutNetwork(const CutNetwork&) = delete;
  CutNetwork& operator=(const CutNetwork&) = delete;

  // This machine's address, seen from inside. It stays while the network is cut.
  const std::string& address() const { return address_; }
  bool slow() const { return slow_; }
  // Becomes the command that stands behind it, inside.
  std::vector<std::string> launcher() const;

  // Packets are dropped without a word, as by a pulled cable.
  void cut();
  void heal();

 private:
  void remove();

  const std::string name_;              // of the namespace
  const std::string outside_, inside_;  // of the link's ends
  std::string address_;
  bool slow_ = false;
};

}  // namespace triggerd::soak
