# Installs the build to an empty prefix, builds program/ against it with find_package alone, runs it on the cat.
# Given by CMakeLists.txt: BUILD_DIR, WORK_DIR, PROGRAM_DIR, EXAMPLES_DIR, GENERATOR, COMPILER, C_COMPILER, WEIGHTS, IMAGE.
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

# The package may be moved: the examples are built against the folder where it stands now, and C finds it by pkg-config.
file(RENAME "${WORK_DIR}/prefix" "${WORK_DIR}/moved")
run("configure examples" ${CMAKE_COMMAND} -S "${EXAMPLES_DIR}" -B "${WORK_DIR}/examples" -G "${GENERATOR}"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/moved" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run("build examples" ${CMAKE_COMMAND} --build "${WORK_DIR}/examples" --target example_label example_label_c)
run("example" "${WORK_DIR}/examples/example_label" "${WEIGHTS}" "${IMAGE}")
if(NOT output STREQUAL "Egyptian cat\n")
  message(FATAL_ERROR "example_label printed \"${output}\", expected Egyptian cat")
endif()
file(GLOB_RECURSE pc "${WORK_DIR}/moved/*/ptrun.pc")
get_filename_component(pc_dir "${pc}" DIRECTORY)
file(WRITE "${WORK_DIR}/pkg_config.sh" "set -e
flags=$(PKG_CONFIG_PATH='${pc_dir}' pkg-config --cflags --libs ptrun)
'${C_COMPILER}' -std=c99 -Wall -Wextra -Wpedantic -Werror '${EXAMPLES_DIR}/label_c.c' $flags -Wl,-rpath,$(PKG_CONFIG_PATH='${pc_dir}' pkg-config --variable=libdir ptrun) -o '${WORK_DIR}/from_pkg_config'
'${WORK_DIR}/from_pkg_config' '${WEIGHTS}' '${IMAGE}'
")
run("pkg-config" sh "${WORK_DIR}/pkg_config.sh")
if(NOT output MATCHES "^Egyptian cat 0\\.7")
  message(FATAL_ERROR "the program that pkg-config built printed \"${output}\", expected Egyptian cat")
endif()

# A component that this package does not have is said at configure time.
execute_process(COMMAND ${CMAKE_COMMAND} -S "${PROGRAM_DIR}" -B "${WORK_DIR}/no_cuda" -G "${GENERATOR}"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/moved" -DCONSUMER_COMPONENTS=cpu,no_such
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0 OR NOT output MATCHES "component no_such is not known")
  message(FATAL_ERROR "component no_such: expected an error that names it, got ${result}:\n${output}")
endif()

run("installed tool" "${WORK_DIR}/moved/bin/ptrun" predict "${WEIGHTS}" "${IMAGE}" --topk 1)
if(NOT output MATCHES "\"index\":285,\"label\":\"Egyptian cat\"")
  message(FATAL_ERROR "the installed ptrun printed \"${output}\", expected a row with 285, Egyptian cat")
endif()
