// CMake wants a source in a target, and what counts here is its headers: see fast.cmake.
