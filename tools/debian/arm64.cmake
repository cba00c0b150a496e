# Makes programs and packages for arm64 on a machine of another kind: with the compiler of
# g++-aarch64-linux-gnu, and the libraries that tools/debian/sysroot has put into TRIGGERD_SYSROOT, by
# default sysroot/ in the build tree. tools/debian/package --arch arm64 uses it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

if(NOT TRIGGERD_SYSROOT)
  set(TRIGGERD_SYSROOT ${CMAKE_BINARY_DIR}/sysroot)
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TRIGGERD_SYSROOT)
set(CMAKE_SYSROOT ${TRIGGERD_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(libraries ${TRIGGERD_SYSROOT}/usr/lib/aarch64-linux-gnu)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/pkgconfig:${TRIGGERD_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${TRIGGERD_SYSROOT})

# The manual pages are what the programs that were just built print.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${TRIGGERD_SYSROOT})

# Of the packages (tools/debian/CMakeLists.txt).
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${libraries} ${TRIGGERD_SYSROOT}/lib/aarch64-linux-gnu)
