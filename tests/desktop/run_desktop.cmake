# Installs the build to an empty prefix, builds apps/desktop against it with find_package alone, runs its tests.
# Given by CMakeLists.txt: BUILD_DIR, SOURCE_DIR, WORK_DIR, GENERATOR, COMPILER, WEIGHTS, WERROR.
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}/prefix")
run("install" ${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${WORK_DIR}/prefix")
run("configure" ${CMAKE_COMMAND} -S "${SOURCE_DIR}/apps/desktop" -B "${WORK_DIR}/build" -G "${GENERATOR}"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
  "-DPTRUN_WERROR=${WERROR}" -DPTRUN_DESKTOP_TESTS=ON
  "-DPTRUN_DESKTOP_WEIGHTS=${WEIGHTS}" "-DPTRUN_DESKTOP_TOOL=${WORK_DIR}/prefix/bin/ptrun")
run("build" ${CMAKE_COMMAND} --build "${WORK_DIR}/build" --parallel 2)
run("install of the application" ${CMAKE_COMMAND} --install "${WORK_DIR}/build" --prefix "${WORK_DIR}/prefix")
set(under_xvfb bash "${SOURCE_DIR}/tests/desktop/under_xvfb.sh")
run("tests" ${under_xvfb} ${CMAKE_CTEST_COMMAND} --test-dir "${WORK_DIR}/build" --output-on-failure --no-tests=error)
# It finds its libraries where it is installed.
run("installed application" ${under_xvfb} "${WORK_DIR}/prefix/bin/ptrun-desktop" --help)
