# Installs the build to an empty prefix, builds program/ against it with find_package alone, runs it on the cat.
# Given by CMakeLists.txt: BUILD_DIR, WORK_DIR, PROGRAM_DIR, GENERATOR, COMPILER, WEIGHTS, IMAGE.
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

if(NOT EXISTS "${WEIGHTS}")
  message(FATAL_ERROR "${WEIGHTS} does not exist; run scripts/setup/weights.sh or set -DPTRUN_TEST_WEIGHTS=FILE")
endif()
file(REMOVE_RECURSE "${WORK_DIR}")
run("install" ${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${WORK_DIR}/prefix")
# Nothing but the prefix: no LibTorch include folder, no module path of this tree.
run("configure" ${CMAKE_COMMAND} -S "${PROGRAM_DIR}" -B "${WORK_DIR}/build" -G "${GENERATOR}"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix"
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run("build" ${CMAKE_COMMAND} --build "${WORK_DIR}/build")
run("consumer" "${WORK_DIR}/build/consumer" "${WEIGHTS}" "${IMAGE}")
if(NOT output MATCHES "^285 Egyptian cat 0\\.7")
  message(FATAL_ERROR "consumer printed \"${output}\", expected 285 Egyptian cat with a score of 0.7")
endif()
message(STATUS "consumer: ${output}")

run("installed tool" "${WORK_DIR}/prefix/bin/ptrun" predict "${WEIGHTS}" "${IMAGE}" --topk 1)
if(NOT output MATCHES "\"index\":285,\"label\":\"Egyptian cat\"")
  message(FATAL_ERROR "the installed ptrun printed \"${output}\", expected a row with 285, Egyptian cat")
endif()
