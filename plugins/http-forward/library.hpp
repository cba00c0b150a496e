// libcurl, ready for use while one of these lives.
#pragma once

#include <curl/curl.h>
#include <dlfcn.h>

#include <stdexcept>

namespace http_forward {

// libcurl counts its users, which may be several copies of this plugin and others beside it.
//
// The plugin can be unloaded; libcurl then stays in the process. The libraries that it stands on
// register functions for the end of the process and keys of threads, and some do not take them back
// when they are unloaded: loading them anew for each generation would leak, or worse. [control]
class LibraryUse {
 public:
  LibraryUse() {
    stay();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      throw std::runtime_error("libcurl cannot be made ready");
    }
  }
  ~LibraryUse() { curl_global_cleanup(); }
  LibraryUse(const LibraryUse&) = delete;
  LibraryUse& operator=(const LibraryUse&) = delete;

 private:
  static void stay() {
    Dl_info found{};
    if (::dladdr(reinterpret_cast<const void*>(&curl_global_init), &found) == 0) return;
    void* const library = ::dlopen(found.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    if (library != nullptr) ::dlclose(library);
  }
};

}  // namespace http_forward
