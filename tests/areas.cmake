# What tests are about, beside the suite that they are in: `tools/test --label AREA`. ctest reads this
# in the folders that CMakeLists.txt names, behind the lists of their tests. A pattern is looked for in
# "PROGRAM TEST", such as "integration_tls_test integration.TlsTest.WebSocketOnTls".
set(area_admin "[Aa]dmin|Managed")
set(area_delivery "^(content|inbox|dispatch|trigger)_test |^integration_(acknowledge|content|deduplicate|exactly_once|receive_maximum|redelivery|inbox_upgrade|large_message|batch|brief|keep_alive|proxy|websocket_frames|delivery|full_volume|hang|inbox_files|lifecycle|outage|outbox|pacing|scaling|service)_test |Gate|Leaving|Session|Wire(Link|Receiver)")
set(area_isolation "[Ii]solat")
set(area_mqtt5 "[Mm]qtt5|[.](Properties|Reason|TopicAliases)[.]")
set(area_packages "[Pp]ackage")
set(area_reload "[Rr]eload|Rotat|_rebuild_|ChangeDetector|ChildProbe|Difference|PluginBoard|Probation|StagedCopy|Trial|Watcher")
set(area_tls "[Tt]ls")
set(area_triggerctl "triggerctl|_offline_run_|webmethods")

get_cmake_property(lists VARIABLES)
list(FILTER lists INCLUDE REGEX "_TESTS$")
foreach(list IN LISTS lists)
  string(REGEX REPLACE "_TESTS$" "" program ${list})
  foreach(test IN LISTS ${list})
    foreach(area admin delivery isolation mqtt5 packages reload tls triggerctl)
      if("${program} ${test}" MATCHES "${area_${area}}")
        set_tests_properties("${test}" PROPERTIES LABELS ${area})  # in ctest this adds one
      endif()
    endforeach()
  endforeach()
  unset(${list})
endforeach()
