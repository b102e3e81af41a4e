# ptrun_room(NAME SOURCES file... [USES room...] [LIBRARIES target...] [TORCH])
#
# A folder of runtime/ as one static library ptrun_NAME, whose objects libptrun.so gathers. USES are the rooms it may
# include (the layers test holds #include lines to the same list), TORCH gives it LibTorch behind the shared
# precompiled header.
function(ptrun_room name)
  cmake_parse_arguments(PARSE_ARGV 1 ROOM "TORCH" "" "SOURCES;USES;LIBRARIES")
  add_library(ptrun_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(ptrun_${name} PUBLIC
    "${PROJECT_SOURCE_DIR}/runtime/include" "${PROJECT_SOURCE_DIR}/runtime")
  target_link_libraries(ptrun_${name} PRIVATE ptrun_settings)
  foreach(used IN LISTS ROOM_USES)
    target_link_libraries(ptrun_${name} PUBLIC ptrun_${used})
  endforeach()
  target_link_libraries(ptrun_${name} PUBLIC ${ROOM_LIBRARIES})
  if(ROOM_TORCH)
    target_link_libraries(ptrun_${name} PUBLIC LibTorch::cpu)
    target_precompile_headers(ptrun_${name} REUSE_FROM ptrun_torch_pch)
  endif()
  set_property(GLOBAL APPEND PROPERTY PTRUN_ROOMS ptrun_${name})
  # "name torch|plain used used ...": what the layers test holds the sources to.
  string(JOIN " " layer ${name} $<IF:$<BOOL:${ROOM_TORCH}>,torch,plain> ${ROOM_USES})
  set_property(GLOBAL APPEND PROPERTY PTRUN_LAYERS "${layer}")
  set_property(GLOBAL APPEND PROPERTY PTRUN_ROOM_LIBRARIES ${ROOM_LIBRARIES})
  if(ROOM_TORCH)
    set_property(GLOBAL APPEND PROPERTY PTRUN_ROOM_LIBRARIES LibTorch::cpu)
  endif()
endfunction()

# ptrun_test(NAME SOURCES file... LIBRARIES target... [TORCH])
#
# One GoogleTest program; its tests are found when it is built. PTRUN_TEST_DATA is tests/data.
function(ptrun_test name)
  cmake_parse_arguments(PARSE_ARGV 1 TEST "TORCH" "" "SOURCES;LIBRARIES;LABELS")
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ptrun_settings ${TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_compile_definitions(${name} PRIVATE PTRUN_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  if(TEST_TORCH)
    target_link_libraries(${name} PRIVATE LibTorch::cpu)
    # The precompiled header is that of a library, an executable would be -fPIE.
    target_compile_options(${name} PRIVATE -fPIC)
    target_precompile_headers(${name} REUSE_FROM ptrun_torch_pch)
  endif()
  # A sanitizer build starts slowly on a busy machine; discovery is not a timed test.
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 300 LABELS "${TEST_LABELS}")
endfunction()
