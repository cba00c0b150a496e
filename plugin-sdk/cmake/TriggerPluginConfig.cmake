# find_package(TriggerPlugin 1 REQUIRED) brings:
#
#   trigger_add_plugin()     builds a plugin, see TriggerPlugin.cmake
#   TriggerPlugin::sdk       the headers, for a plugin that is built in another way
#   TriggerPlugin::testing   the test kit, trigger/testing.hpp
#   TriggerPlugin::testing_c the test kit in C, trigger/testing.h
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/TriggerPluginTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/TriggerPlugin.cmake)
