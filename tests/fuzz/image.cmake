# The fuzz target of the image room, beside those of the parser rooms in CMakeLists.txt:
#   bin/fuzz_image -max_total_time=60 -max_len=8000 CORPUS tests/data/derived
add_executable(fuzz_image "${CMAKE_CURRENT_LIST_DIR}/fuzz_image.cpp" "${CMAKE_CURRENT_LIST_DIR}/entry.cpp")
target_link_libraries(fuzz_image PRIVATE ptrun_settings ptrun_image)
target_include_directories(fuzz_image PRIVATE "${PROJECT_SOURCE_DIR}/tests")
if(PTRUN_FUZZ)
  target_compile_definitions(fuzz_image PRIVATE PTRUN_FUZZ)
  target_link_options(fuzz_image PRIVATE -fsanitize=fuzzer)
else()
  add_test(NAME fuzz_image.Corpus COMMAND fuzz_image "${PROJECT_SOURCE_DIR}/tests/data/derived")
  set_tests_properties(fuzz_image.Corpus PROPERTIES TIMEOUT 300 LABELS hostile)
endif()
